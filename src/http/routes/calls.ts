/** What routes ask of a request: who calls, which lease or target is meant, and how long the call may wait. */
import type { FastifyRequest } from 'fastify'
import { SockpoolError } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'
import { clientSignalOf } from '../bytes/client-signal.ts'
import { type Principal, principalOf } from '../door/principal.ts'
import type { CallerLease } from '../leases/caller-lease.ts'
import type { LeaseTable } from '../leases/lease-table.ts'
import type { AppLimits, DoorDeps, TargetChoice } from '../ports.ts'

/** A wait that ends with its client, or with its time. */
export interface CallWait {
  readonly signal: AbortSignal
  readonly timeoutMs: number
}

export class Calls {
  readonly limits: AppLimits
  /** Bytes of a body that says what to do and carries no payload. */
  readonly controlBodyBytesMax: number
  /** The service drains. */
  readonly isClosing: () => boolean
  readonly #table: LeaseTable

  constructor({ limits, isClosing }: Pick<DoorDeps, 'limits' | 'isClosing'>, table: LeaseTable) {
    this.limits = limits
    this.controlBodyBytesMax = Math.min(limits.bodyBytes, LIMITS.controlBodyBytesMax)
    this.isClosing = isClosing
    this.#table = table
  }

  /** The caller's lease that the path names. Errors: LEASE_NOT_FOUND, LEASE_GONE with its reason. */
  leaseOf(request: FastifyRequest & { readonly params: { readonly id: string } }): CallerLease {
    return this.#table.find(request.params.id, principalOf(request).tenant)
  }

  /** As `leaseOf`, for a read. Errors: also CONNECTION_RESET, once, where the connection broke while nobody read. */
  leaseToRead(request: FastifyRequest & { readonly params: { readonly id: string } }): CallerLease {
    return this.#table.findToRead(request.params.id, principalOf(request).tenant)
  }

  /** The wait of a request that asks for `timeoutMs`; default: `limits.operationTimeoutMs`. */
  waitOf(request: FastifyRequest, timeoutMs: number = this.limits.operationTimeoutMs): CallWait {
    return { signal: clientSignalOf(request), timeoutMs }
  }

  /** The caller, who may use the target. Errors: FORBIDDEN, and DRAINING while the service takes no new work. */
  admit(request: FastifyRequest, target: TargetChoice): Principal {
    const principal = principalOf(request)
    principal.authorize(target)
    this.checkOpen()
    return principal
  }

  /** Errors: DRAINING while the service takes no new work. */
  checkOpen(): void {
    if (this.isClosing())
      throw new SockpoolError('DRAINING', 'the service is shutting down and takes no new leases')
  }
}
