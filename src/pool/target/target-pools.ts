/**
 * The targets of one pool: those of the configuration by name, and those that callers describe by key. The key is
 * everything that shapes a connection, and the tenant.
 */
import { SockpoolError } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'
import type { Target } from '../../config/target.ts'
import type { TargetInput } from '../../config/target-input.ts'
import type { FrameSpec } from '../../frames/frame-spec.ts'
import type { Dial } from '../../threads/protocol.ts'
import { DESCRIBED } from '../../tracing/span-places.ts'
import { dialOf, keyOf } from './dial-of.ts'
import {
  type ConnectionReport,
  reportOf,
  type TargetStats,
  type TargetUses,
  targetStats,
} from './pool-stats.ts'
import type { TargetPool } from './target-pool.ts'
import type { TargetPoolDeps } from './target-pool-deps.ts'
import type { TargetTallies, TargetTally } from './target-tally.ts'

type Described = {
  /** As the config's. */
  readonly tls?: TargetInput['tls'] | undefined
  /** Milliseconds for name, connection and TLS together; default 10,000. */
  readonly connectTimeoutMs?: number | undefined
}

/** A target that a caller describes, already checked and rebuilt. */
export type HostTarget = Described & {
  readonly host: string
  readonly port: number
  readonly path?: never
  /** The address to dial from. */
  readonly localAddress?: string | undefined
  /** Milliseconds until the next address is tried beside the one under way; default: one after another. */
  readonly happyEyeballsDelayMs?: number | undefined
}

/** A unix socket: for programs that use the library, never for whoever asks a service. */
export type UnixTarget = Described & { readonly path: string; readonly host?: never; readonly port?: never }

export type AdHocTarget = HostTarget | UnixTarget

/** What shapes a connection beside what a target of the config can say. */
export type Reach = Pick<Dial, 'path' | 'localAddress' | 'happyEyeballsDelayMs'>

/** What decides over described targets. */
export type AdHocRules = {
  /** The pool settings of a described target. Errors: INVALID_REQUEST, TARGET_DENIED. */
  readonly adHoc: (target: AdHocTarget) => { readonly target: Target; readonly reach: Reach }
  /** Whether such targets are judged by egress rules, or the caller is its own authority. */
  readonly adHocAuthority: Dial['authority']
  /** An early word on a described target, on this thread. Errors: TARGET_DENIED, INVALID_REQUEST. */
  readonly admit: (place: { readonly host: string; readonly port: number }, tenant: string) => void
  /** Counts what happens at each target; default: nobody does. */
  readonly tallies?: TargetTallies | undefined
}

type OpenPool = (name: string, target: Target, dial: Dial, origin: TargetPoolDeps['origin']) => TargetPool

export class TargetPools {
  readonly #rules: AdHocRules
  readonly #open: OpenPool
  /** In the order of the configuration. */
  #named: ReadonlyMap<string, TargetPool>
  /** No targets any more, and their last connections close. */
  readonly #leaving = new Set<TargetPool>()
  /** In the order of use: the one unused for longest goes first. */
  readonly #adHoc = new Map<string, TargetPool>()
  /** When a look last found somebody at a described target. */
  readonly #unusedSince = new WeakMap<TargetPool, number>()

  constructor(targets: Readonly<Record<string, Target>>, rules: AdHocRules, open: OpenPool) {
    this.#rules = rules
    this.#open = open
    this.#named = new Map(
      Object.entries(targets).map(([name, target]) => [name, this.#openNamed(name, target)]),
    )
  }

  get all(): readonly TargetPool[] {
    return [...this.#named.values(), ...this.#adHoc.values(), ...this.#leaving]
  }

  /** Those that callers may use. */
  get size(): number {
    return this.#named.size + this.#adHoc.size
  }

  get described(): Iterable<TargetPool> {
    return this.#adHoc.values()
  }

  /** Has these be the named targets, in one step. How many connections serve nobody new, those of removed targets beside. */
  replace(targets: Readonly<Record<string, Target>>, onFault: (error: unknown) => void): number {
    const before = this.#named
    let retired = 0
    const after = Object.entries(targets).map(([name, target]) => {
      const known = before.get(name)
      retired += known?.replace(target, dialOf(target, 'operator', '')) ?? 0
      return [name, known ?? this.#openNamed(name, target)] as const
    })
    this.#named = new Map(after)
    for (const [name, pool] of before) if (!this.#named.has(name)) this.#remove(pool, onFault)
    for (const pool of this.#named.values()) pool.warm()
    return retired
  }

  #remove(pool: TargetPool, onFault: (error: unknown) => void): void {
    this.#leaving.add(pool)
    this.#rules.tallies?.forget(pool.name)
    pool.close('removed').then(() => this.#leaving.delete(pool), onFault)
  }

  #openNamed(name: string, target: Target): TargetPool {
    return this.#open(name, target, dialOf(target, 'operator', ''), 'named')
  }

  /** Where calls for a target are counted; null where nobody counts, and for a name of none. */
  tallyOf(target: string | AdHocTarget): TargetTally | null {
    if (typeof target === 'string') return this.#named.get(target)?.tally ?? null
    return this.#rules.tallies?.described ?? null
  }

  /** As spans call it; null for a name of none. */
  labelOf(target: string | AdHocTarget): string | null {
    if (typeof target !== 'string') return DESCRIBED
    return this.#named.has(target) ? target : null
  }

  /** Named targets first. */
  stats(usesOf: (pool: TargetPool) => TargetUses): TargetStats[] {
    const named = [...this.#named.values()].map(pool => targetStats(pool, null, usesOf(pool)))
    const unused: TargetUses = { multiplex: null, messages: null }
    return [...named, ...[...this.#adHoc.values()].map(pool => targetStats(pool, pool.tenant, unused))]
  }

  /** Errors: TARGET_NOT_FOUND, TARGET_DENIED, INVALID_REQUEST, QUEUE_FULL. */
  find(target: string | AdHocTarget, tenant: string): TargetPool {
    if (typeof target !== 'string') {
      try {
        return this.#findDescribed(target, tenant)
      } catch (error) {
        // Whoever is refused here asks no pool, which would count it.
        this.#rules.tallies?.described.acquired.failed(0, error)
        throw error
      }
    }
    const named = this.#named.get(target)
    if (named) return named
    throw new SockpoolError('TARGET_NOT_FOUND', 'no target of this name is configured')
  }

  /** The own frame of a target; null where it has none, as no described one has. Errors: TARGET_NOT_FOUND. */
  frameOf(target: string | AdHocTarget): FrameSpec | null {
    return typeof target === 'string' ? (this.find(target, '').target.frame ?? null) : null
  }

  /** Ends the connection of this id, and the lease on it. Errors: CONNECTION_NOT_FOUND. */
  kill(id: string): 'connection' {
    for (const pool of this.all) if (pool.control.kill(id)) return 'connection'
    throw new SockpoolError('CONNECTION_NOT_FOUND', 'no connection and no lease has this id')
  }

  /** The connection of this id. Errors: CONNECTION_NOT_FOUND. */
  report(id: string, nowMs: number): ConnectionReport {
    for (const pool of this.all) {
      const report = reportOf(pool, id, nowMs)
      if (report !== null) return report
    }
    throw new SockpoolError('CONNECTION_NOT_FOUND', 'no connection has this id')
  }

  /** To be called now and then: pools tend their connections, described targets that nobody uses are forgotten. */
  sweep(nowMs: number): void {
    for (const pool of this.all) pool.sweep()
    for (const [key, pool] of this.#adHoc)
      if (this.#unusedMs(pool, nowMs) > pool.target.pool.idleTimeoutMs) this.#adHoc.delete(key)
  }

  /** How long looks have found nobody there; 0 while somebody is. */
  #unusedMs(pool: TargetPool, nowMs: number): number {
    const sinceMs = isUnused(pool) ? (this.#unusedSince.get(pool) ?? nowMs) : nowMs
    this.#unusedSince.set(pool, sinceMs)
    return nowMs - sinceMs
  }

  #findDescribed(target: AdHocTarget, tenant: string): TargetPool {
    const { adHoc, adHocAuthority, admit } = this.#rules
    const { target: described, reach } = adHoc(target)
    for (const place of described.hosts) admit(place, tenant)
    const dial = { ...dialOf(described, adHocAuthority, tenant), ...reach }
    const key = `${keyOf(dial)} ${described.pool.connectTimeoutMs}`
    const known = this.#adHoc.get(key)
    if (!known) this.#makeRoom()
    const [place] = described.hosts
    const name = place === undefined ? `unix:${reach.path}` : `${place.host}:${place.port}`
    const pool = known ?? this.#open(name, described, dial, 'described')
    this.#adHoc.delete(key)
    this.#adHoc.set(key, pool)
    return pool
  }

  #makeRoom(): void {
    if (this.#adHoc.size < LIMITS.targetPoolsMax) return
    for (const [key, pool] of this.#adHoc) if (isUnused(pool)) return void this.#adHoc.delete(key)
    throw new SockpoolError('QUEUE_FULL', `${LIMITS.targetPoolsMax} targets are in use already`)
  }
}

function isUnused(pool: TargetPool): boolean {
  return pool.size === 0 && pool.waiters === 0
}
