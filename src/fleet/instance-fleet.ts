/**
 * One instance among others, as the rest of the process uses it: permits for the pools, ids for leases, and who answers for
 * an id. It runs on the main thread, and works without the engine, if less well.
 */
import type { FleetRows, IdOwner, PermitMeters } from '../base/fleet-data.ts'
import { LIMITS } from '../base/limits.ts'
import { settledWithin } from '../base/wait.ts'
import type { FleetConfig } from '../config/fleet.ts'
import type { Permits, PermitTaker } from '../pool/target/permits.ts'
import { Engine } from './engine.ts'
import { loadEngineClient } from './engine-client.ts'
import { FleetSecret } from './engine-secret.ts'
import { FleetIds, newBoot } from './fleet-ids.ts'
import { MemberList } from './member-list.ts'
import { Membership, type MembershipState } from './membership.ts'
import { EngineLedger } from './permits-ledger.ts'
import type { FleetTimes } from './quota-state.ts'
import { Quotas } from './quotas.ts'
import { UnknownStarts } from './unknown-starts.ts'

export type InstanceFleetOptions = {
  /** The program's own. */
  readonly version: string
  /** Hears how it stands with the others, at each change. */
  readonly onState: (state: MembershipState) => void
  /** The hosts of the members have become others. */
  readonly onHosts?: () => void
  /** The engine answers, and wrongly; the first time of several. `what`: a target, or what was asked. */
  readonly onFault: (what: string, error: unknown) => void
  /** Default: those of LIMITS. */
  readonly times?: FleetTimes
}

/** Figures of this instance, for others to see. */
export type InstanceFigures = { readonly leases: number; readonly connections: number }

const TIMES: FleetTimes = {
  ttlMs: LIMITS.fleetTtlMs,
  renewMs: LIMITS.fleetRenewMs,
  graceMs: LIMITS.fleetGraceMs,
}

export class InstanceFleet {
  readonly #config: FleetConfig
  readonly #options: InstanceFleetOptions
  readonly #engine: Engine
  readonly #secret: FleetSecret
  readonly #ids: FleetIds
  readonly #list: MemberList
  readonly #membership: Membership
  readonly #ledger: EngineLedger
  readonly #quotas: Quotas
  readonly #unknown: UnknownStarts
  #figures: () => InstanceFigures = () => ({ leases: 0, connections: 0 })
  /** By target, as the engine last said. */
  readonly #held = new Map<string, Readonly<Record<string, number>>>()
  /** The secret could not be learnt, and that was told. */
  #isSecretFailing = false
  #closed: Promise<void> | null = null

  private constructor(
    config: FleetConfig,
    options: InstanceFleetOptions,
    makeEngine: (fleet: InstanceFleet) => Engine,
  ) {
    this.#config = config
    this.#options = options
    this.#engine = makeEngine(this)
    const { name, advertise, caps, onEngineLoss, expected } = config
    const { times = TIMES, onState, onHosts, version } = options
    const shared = { times, now: () => performance.now(), random: Math.random }
    const boot = newBoot()
    this.#secret = new FleetSecret(config.secret)
    this.#ids = new FleetIds(
      name,
      boot,
      () => this.#secret.own,
      () => this.#secret.known,
    )
    this.#list = new MemberList(advertise, times.ttlMs, onHosts)
    const own = { url: advertise, version, startedAt: new Date().toISOString() }
    this.#membership = new Membership({
      ...{ ...shared, name, boot, engine: this.#engine, list: this.#list },
      facts: () => ({ ...own, ...this.#figures() }),
      onChange: onState,
      onHeard: () => void this.#learnSecret(),
    })
    this.#ledger = new EngineLedger(this.#engine)
    this.#quotas = new Quotas({
      ...{ ...shared, caps, onEngineLoss, ledger: this.#ledger },
      wall: Date.now,
      start: `${name}:${boot}`,
      instances: () => Math.max(this.#list.recent, expected),
      onFault: (target, error) => this.#fault(target, error),
    })
    this.#unknown = new UnknownStarts(async () => {
      await this.#membership.refresh()
      return this.#membership.state.kind === 'joined'
    })
  }

  /** Reaches for the engine, for a bounded time: without it, it goes on to. Errors: an Error that says which package is missing. */
  static async open(config: FleetConfig, options: InstanceFleetOptions): Promise<InstanceFleet> {
    const Client = await loadEngineClient()
    const fleet = new InstanceFleet(
      config,
      options,
      own =>
        new Engine(Client, config.url, {
          onBack: () => own.#onBack(),
          onAway: reason => own.#membership.onAway(reason),
          onNews: text => own.#onNews(text),
        }),
    )
    await fleet.#engine.open()
    if (!fleet.#engine.isAway) await fleet.#learnSecret()
    return fleet
  }

  get name(): string {
    return this.#config.name
  }

  get state(): 'joined' | 'degraded' {
    return this.#membership.state.kind === 'joined' ? 'joined' : 'degraded'
  }

  /** Hosts under which members are reached; the set stays the same, and changes. */
  get hosts(): ReadonlySet<string> {
    return this.#list.hosts
  }

  get secret(): string | null {
    return this.#secret.shared
  }

  get secrets(): readonly string[] {
    return this.#secret.known
  }

  get tls(): FleetConfig['tls'] {
    return this.#config.tls
  }

  /** As PermitsOf. */
  permitsOf(target: string, taker: PermitTaker): Permits | null {
    return this.#quotas.permitsOf(target, taker)
  }

  /** An id that tells whose it is. */
  newId(): string {
    return this.#ids.next()
  }

  /** From now on it is there for others, and takes the place of an earlier start of its name. It never rejects. */
  async join(figures: () => InstanceFigures): Promise<void> {
    this.#figures = figures
    await this.#membership.join()
  }

  ownerOf(id: string): IdOwner {
    const mark = this.#ids.markOf(id)
    if (mark.kind === 'own') return mark
    const { name, boot } = mark
    const place = this.#list.placeOf(name, boot, performance.now())
    switch (place.kind) {
      case 'there':
        return { kind: 'other', name, origin: place.url }
      case 'missing':
        return { kind: 'unreachable', name, retryAfterMs: Math.ceil(place.decidedInMs) }
      case 'lost':
        return { kind: 'lost', name }
      case 'unknown': {
        if (!this.#unknown.isNobody(`${boot}:${name}`))
          return { kind: 'unreachable', name, retryAfterMs: LIMITS.fleetUnknownMs }
        // No other than a start of this fleet can have made the id.
        return this.#list.mayHaveMissed(performance.now()) ? { kind: 'lost', name } : { kind: 'own' }
      }
      default:
        return place satisfies never
    }
  }

  /** What the engine knows; while it is away, what it said last. It never rejects. */
  async rows(): Promise<FleetRows> {
    const { caps } = this.#config
    await Promise.all([
      this.#membership.refresh(),
      ...Object.keys(caps).map(async target => {
        const held = await this.#ledger.heldBy(target).catch(() => null)
        if (held !== null) this.#held.set(target, held)
      }),
    ])
    const instances = this.#list.all.map(({ boot: _, seenAt, ...member }) => ({
      ...member,
      seenAt: new Date(seenAt).toISOString(),
    }))
    const rows = Object.entries(caps).map(([target, cap]) => {
      const byInstance = this.#held.get(target) ?? {}
      const held = Object.values(byInstance).reduce((sum, count) => sum + count, 0)
      return [target, { cap, held, byInstance }] as const
    })
    return { instances, caps: Object.fromEntries(rows) }
  }

  /** How many members the engine named last, and how many the configuration expects. */
  get known(): number {
    return this.#list.size
  }

  get expected(): number {
    return this.#config.expected
  }

  /** By target, as they are now. */
  permits(): ReadonlyMap<string, PermitMeters> {
    return this.#quotas.meters
  }

  /** Gives back what it has and says that it is gone, as far as there is time for that. Nothing may be leased any more. It never rejects. */
  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    const left = this.#membership.leave().catch((error: unknown) => this.#fault('leave', error))
    await settledWithin(Promise.all([this.#quotas.close(), left]), LIMITS.fleetLeaveMs)
    this.#engine.close()
  }

  #onBack(): void {
    const spreadMs = this.#membership.state.kind === 'apart' ? 0 : LIMITS.fleetReturnSpreadMs
    this.#membership.onBack(spreadMs)
    this.#quotas.onBack(spreadMs)
    void this.#learnSecret()
  }

  async #learnSecret(): Promise<void> {
    try {
      await this.#secret.learn(this.#engine)
      this.#isSecretFailing = false
    } catch (error) {
      if (!this.#isSecretFailing) this.#fault('secret', error)
      this.#isSecretFailing ||= !this.#engine.isAway
    }
  }

  /** That the engine is away is told once, and not by each who notices. */
  #fault(what: string, error: unknown): void {
    if (!this.#engine.isAway) this.#options.onFault(what, error)
  }

  /** Anybody who reaches the engine may have published it: it has this instance ask, and does nothing else. */
  #onNews(text: string): void {
    const [kind, target = '', entry = ''] = text.split(' ')
    if (kind === 'members') void this.#membership.say()
    if (kind === 'want' || kind === 'free') this.#quotas.heard(kind, target, entry)
  }
}
