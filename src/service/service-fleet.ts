/** The fleet that this service is one of, if any: what the pool and the HTTP app get of it, and what is logged of it. */
import type { Logger } from 'pino'
import { errorText } from '../base/error-text.ts'
import { LIMITS } from '../base/limits.ts'
import type { FleetConfig } from '../config/fleet.ts'
import { InstanceFleet } from '../fleet/instance-fleet.ts'
import type { MembershipState } from '../fleet/membership.ts'
import type { AppDeps } from '../http/ports.ts'
import type { ServiceTraits } from '../library/create-pool.ts'
import type { InstanceMeters } from '../metrics/instance-samples.ts'
import type { Pool } from '../pool/pool.ts'

type MembersHeeds = Set<(hosts: ReadonlySet<string>) => void>

export class ServiceFleet {
  /** Null where this service stands alone. */
  readonly #fleet: InstanceFleet | null
  readonly #replaced: PromiseWithResolvers<void>
  readonly #heeds: MembersHeeds

  private constructor(
    fleet: InstanceFleet | null,
    replaced: PromiseWithResolvers<void>,
    heeds: MembersHeeds = new Set(),
  ) {
    this.#fleet = fleet
    this.#replaced = replaced
    this.#heeds = heeds
  }

  /** Reaches for the engine, for a bounded time. Errors: an Error that says which package is missing. */
  static async open(config: FleetConfig | null, log: Logger, version: string): Promise<ServiceFleet> {
    const replaced = Promise.withResolvers<void>()
    if (config === null) return new ServiceFleet(null, replaced)
    const words = new FleetLog(config, log)
    const heeds: MembersHeeds = new Set()
    const fleet = await InstanceFleet.open(config, {
      version,
      onState: state => {
        words.state(state)
        if (state.kind === 'replaced') replaced.resolve()
      },
      onHosts: () => {
        for (const heed of heeds) heed(fleet.hosts)
      },
      onFault: (what, error) => words.fault(what, error),
    })
    return new ServiceFleet(fleet, replaced, heeds)
  }

  /** Resolves where another start takes the name of this one. */
  get replaced(): Promise<void> {
    return this.#replaced.promise
  }

  get traits(): Pick<ServiceTraits, 'permitsOf' | 'leaseIds'> {
    const fleet = this.#fleet
    if (fleet === null) return {}
    return {
      permitsOf: (target, taker) => fleet.permitsOf(target, taker),
      leaseIds: () => fleet.newId(),
    }
  }

  get port(): Pick<AppDeps, 'fleet' | 'members'> {
    return this.#fleet === null ? {} : { fleet: this.#fleet, members: this.#fleet.hosts }
  }

  /** Tells the hosts of all members, now and whenever they have become others. */
  tellMembers(heed: (hosts: ReadonlySet<string>) => void): void {
    if (this.#fleet === null) return
    this.#heeds.add(heed)
    heed(this.#fleet.hosts)
  }

  /** Null where this service stands alone. */
  get meters(): InstanceMeters | null {
    return this.#fleet
  }

  /** The service serves: only now is it there for the others, and takes the place of an earlier start of its name. It never rejects. */
  async join(pool: Pick<Pool, 'stats'>): Promise<void> {
    await this.#fleet?.join(() => {
      const { leases, connections } = pool.stats()
      return { leases, connections: Object.values(connections).reduce((sum, count) => sum + count, 0) }
    })
  }

  /** Gives back what it has, and says that it is gone. It never rejects. */
  async close(): Promise<void> {
    await this.#fleet?.close()
  }
}

/** What an operator is told. The engine's URL may hold a password, and is told without. */
class FleetLog {
  readonly #log: Logger
  readonly #config: FleetConfig
  readonly #facts: { readonly instance: string; readonly engine: string }
  #before: MembershipState['kind'] = 'apart'

  constructor(config: FleetConfig, log: Logger) {
    this.#config = config
    this.#log = log
    const { protocol, host, pathname } = new URL(config.url)
    this.#facts = { instance: config.name, engine: `${protocol}//${host}${pathname}` }
  }

  state(state: MembershipState): void {
    const before = this.#before
    this.#before = state.kind
    switch (state.kind) {
      case 'joined':
        if (before === 'degraded')
          this.#log.info(this.#facts, 'the engine of the fleet answers again: caps are shared by its word')
        else this.#log.info(this.#facts, 'joined the fleet')
        return
      case 'degraded': {
        const { onEngineLoss } = this.#config
        const reason = errorText(state.reason)
        this.#log.warn(
          { ...this.#facts, reason, onEngineLoss },
          `the engine of the fleet cannot be reached: leases go on, capped targets keep their connections for ${LIMITS.fleetTtlMs / 1_000} s, and then have as many as onEngineLoss says`,
        )
        return
      }
      case 'replaced':
        this.#log.error(
          this.#facts,
          'another start has joined the fleet under the name of this instance, which gives way to it; each instance needs a fleet.name of its own',
        )
        return
      case 'apart':
      case 'left':
        return
      default:
        state satisfies never
    }
  }

  fault(what: string, error: unknown): void {
    this.#log.warn(
      { ...this.#facts, what, reason: errorText(error) },
      'the engine of the fleet answers with an error, or with what nobody has asked for; it is asked again',
    )
  }
}
