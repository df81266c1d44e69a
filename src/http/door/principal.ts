/** One authenticated caller: which targets it may use, how fast it may send requests, and how much it may hold. */
import type { FastifyRequest } from 'fastify'
import { SockpoolError } from '../../base/errors.ts'
import type { TokenLimits } from '../../config/config.ts'
import type { HeldBytes } from '../bytes/held-bytes.ts'
import type { TargetChoice } from '../ports.ts'
import { Quota } from './quota.ts'
import { RequestRate } from './request-rate.ts'

/** The name under which a request keeps its caller. */
export const PRINCIPAL = 'principal'

export interface PrincipalOptions {
  readonly tenant: string
  readonly isAdmin: boolean
  /** Its share of a target's connections while others wait too; default: 1. */
  readonly weight?: number
  /** Globs over target names. */
  readonly targets: readonly string[]
  /** Default: none. */
  readonly limits?: TokenLimits
  /** What the service holds in memory for this caller. */
  readonly heldBytes: HeldBytes
  /** Monotonic milliseconds. */
  readonly now: () => number
}

export class Principal {
  readonly tenant: string
  readonly isAdmin: boolean
  readonly weight: number
  readonly quota: Quota
  readonly heldBytes: HeldBytes
  readonly #rate: RequestRate | null
  readonly #targets: readonly string[]

  constructor({ tenant, isAdmin, weight = 1, targets, limits = {}, heldBytes, now }: PrincipalOptions) {
    this.heldBytes = heldBytes
    this.tenant = tenant
    this.isAdmin = isAdmin
    this.weight = weight
    this.quota = new Quota(limits)
    this.#targets = targets
    const { requestsPerSecond, burst = requestsPerSecond } = limits
    this.#rate =
      requestsPerSecond === undefined || burst === undefined
        ? null
        : new RequestRate({ requestsPerSecond, burst, now })
  }

  /** Whether a target name is within this token's globs. */
  mayUse(name: string): boolean {
    return this.#targets.some(glob => matchesGlob(glob, name))
  }

  /**
   * Checks that this caller may lease a connection to the target. A described target has no name that a glob could
   * match, so it needs the glob `*`; the egress rules judge it after that.
   *
   * Errors: FORBIDDEN, whether a target of that name exists or not.
   */
  authorize(target: TargetChoice): void {
    if (typeof target === 'string' ? this.mayUse(target) : this.#targets.includes('*')) return
    throw new SockpoolError('FORBIDDEN', 'this token may not use this target')
  }

  /** Errors: FORBIDDEN where the token is no admin's. */
  assertAdmin(): void {
    if (!this.isAdmin) throw new SockpoolError('FORBIDDEN', "this needs an admin's token")
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
