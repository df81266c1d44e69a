/** One authenticated caller: which targets it may use, how fast it may send requests, and how much it may hold. */
import type { FastifyRequest } from 'fastify'
import { SockpoolError } from '../../base/errors.ts'
import type { SharedTally } from '../../channel/shared-tally.ts'
import type { TokenLimits } from '../../config/config.ts'
import type { HeldBytes } from '../bytes/held-bytes.ts'
import type { TargetChoice } from '../ports.ts'
import { Quota } from './quota.ts'
import { RequestRate } from './request-rate.ts'
import { SharedRate } from './shared-rate.ts'

/** The name under which a request keeps its caller. */
export const PRINCIPAL = 'principal'

/** What a token may do. */
export interface Rights {
  readonly isAdmin: boolean
  /** Its share of a target's connections while others wait too; default: 1. */
  readonly weight?: number
  /** Globs over target names. */
  readonly targets: readonly string[]
  /** Default: none. */
  readonly limits?: TokenLimits
  /** Whether it may scrape the metrics, as an admin may; default: no. */
  readonly metrics?: boolean
}

export interface PrincipalOptions extends Rights {
  readonly tenant: string
  /** What the service holds in memory for this caller. */
  readonly heldBytes: HeldBytes
  /** Monotonic milliseconds. */
  readonly now: () => number
  /** Where several threads serve HTTP: what this caller has in use on all of them. */
  readonly tally?: SharedTally | undefined
}

export class Principal {
  readonly tenant: string
  readonly quota: Quota
  readonly heldBytes: HeldBytes
  readonly #now: () => number
  #rights: Rights
  readonly #tally: SharedTally | undefined
  #rate: Pick<RequestRate, 'take'> | null

  constructor({ tenant, heldBytes, now, tally, ...rights }: PrincipalOptions) {
    this.heldBytes = heldBytes
    this.tenant = tenant
    this.#now = now
    this.#rights = rights
    this.#tally = tally
    this.quota = new Quota(rights.limits ?? {}, tally)
    this.#rate = this.#newRate()
  }

  get isAdmin(): boolean {
    return this.#rights.isAdmin
  }

  get weight(): number {
    return this.#rights.weight ?? 1
  }

  /** Has other rights from now on. What it holds stays counted, and a rate that did not change goes on. */
  replace(rights: Rights): void {
    const before = this.#rights.limits
    this.#rights = rights
    this.quota.limits = rights.limits ?? {}
    const isSameRate =
      before?.requestsPerSecond === rights.limits?.requestsPerSecond && before?.burst === rights.limits?.burst
    if (isSameRate) return
    this.#tally?.beginRate()
    this.#rate = this.#newRate()
  }

  #newRate(): Pick<RequestRate, 'take'> | null {
    const { requestsPerSecond, burst = requestsPerSecond } = this.#rights.limits ?? {}
    if (requestsPerSecond === undefined || burst === undefined) return null
    if (this.#tally) return new SharedRate({ requestsPerSecond, burst, tally: this.#tally })
    return new RequestRate({ requestsPerSecond, burst, now: this.#now })
  }

  /** Whether a target name is within this token's globs. */
  mayUse(name: string): boolean {
    return this.#rights.targets.some(glob => matchesGlob(glob, name))
  }

  /**
   * Checks that this caller may lease a connection to the target. A described target has no name that a glob could
   * match, so it needs the glob `*`; the egress rules judge it after that.
   *
   * Errors: FORBIDDEN, whether a target of that name exists or not.
   */
  authorize(target: TargetChoice): void {
    if (typeof target === 'string' ? this.mayUse(target) : this.#rights.targets.includes('*')) return
    throw new SockpoolError('FORBIDDEN', 'this token may not use this target')
  }

  /** What comes in by a listener has no name that a glob could match either. Errors: FORBIDDEN. */
  assertMayListen(): void {
    if (this.#rights.targets.includes('*')) return
    throw new SockpoolError('FORBIDDEN', 'this token may not listen; its targets do not hold *')
  }

  /** Errors: FORBIDDEN where the token is no admin's. */
  assertAdmin(): void {
    if (!this.isAdmin) throw new SockpoolError('FORBIDDEN', "this needs an admin's token")
  }

  /** The metrics tell of all tenants' targets. Errors: FORBIDDEN. */
  assertMayScrape(): void {
    if (this.isAdmin || this.#rights.metrics === true) return
    throw new SockpoolError('FORBIDDEN', "this needs an admin's token, or one with metrics: true")
  }

  /** Counts one request. Errors: RATE_LIMITED with `expectedWaitMs`. */
  countRequest(): void {
    this.#rate?.take()
  }
}

/** The caller of an authenticated request. */
export function principalOf(request: FastifyRequest): Principal {
  return request.getDecorator<Principal>(PRINCIPAL)
}

/**
 * Whether a name matches a glob: `*` stands for any run of characters, every other character for itself. The search is
 * greedy from the left, so its time is linear in the name for each `*`; an operator's text never becomes a regular
 * expression.
 */
export function matchesGlob(glob: string, name: string): boolean {
  if (glob === '*') return true
  const [first = '', ...rest] = glob.split('*')
  if (rest.length === 0) return glob === name
  if (!name.startsWith(first)) return false
  const last = rest.pop() ?? ''
  let at = first.length
  for (const piece of rest) {
    const found = name.indexOf(piece, at)
    if (found === -1) return false
    at = found + piece.length
  }
  return name.length - last.length >= at && name.endsWith(last)
}
