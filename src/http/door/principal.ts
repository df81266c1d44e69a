/** One authenticated caller: which targets it may use, how fast it may ask, and how much it may hold. */
import type { FastifyRequest } from 'fastify'
import { SockpoolError } from '../../base/errors.ts'
import type { AdHocTarget, TokenLimits } from '../parts.ts'
import { matchesGlob } from './glob.ts'
import { Quota } from './quota.ts'
import { RequestRate } from './request-rate.ts'

/** The name under which a request keeps its caller. */
export const PRINCIPAL = 'principal'

export interface PrincipalParts {
  readonly tenant: string
  readonly isAdmin: boolean
  /** Globs over target names. */
  readonly targets: readonly string[]
  /** Default: none. */
  readonly limits?: TokenLimits
  /** Connections dialled for callers of this tenant who have left. */
  readonly countAbandoned: () => number
  /** Monotonic milliseconds. */
  readonly now: () => number
}

export class Principal {
  readonly tenant: string
  readonly isAdmin: boolean
  readonly quota: Quota
  readonly #rate: RequestRate | null
  readonly #targets: readonly string[]

  constructor({ tenant, isAdmin, targets, limits = {}, countAbandoned, now }: PrincipalParts) {
    this.tenant = tenant
    this.isAdmin = isAdmin
    this.quota = new Quota(limits, countAbandoned)
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
   * Checks that this caller may lease a connection to the target. One that is not configured has no name to
   * match: it takes the glob `*`, and is judged by the egress rules after that.
   *
   * Errors: FORBIDDEN, whether a target of that name exists or not.
   */
  authorize(target: string | AdHocTarget): void {
    if (typeof target === 'string' ? this.mayUse(target) : this.#targets.includes('*')) return
    throw new SockpoolError('FORBIDDEN', 'this token may not use this target')
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
