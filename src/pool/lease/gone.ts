/** Why a lease is gone: as the error of those who still use it, and by the end of its connection. */
import { type GoneReason, SockpoolError } from '../../base/errors.ts'
import type { EndName } from '../../channel/channel.ts'

/** What whoever still uses a lease hears once it is gone. */
export function goneError(reason: GoneReason): SockpoolError {
  return new SockpoolError('LEASE_GONE', `the lease was ${reason}`, { reason })
}

/** The end of a lease's streams. Nearly all leases end with nobody left to hear why: the error waits to be asked for. */
export class GoneEnd {
  readonly kind = 'failed'
  readonly #reason: GoneReason
  #error: SockpoolError | null = null

  constructor(reason: GoneReason) {
    this.#reason = reason
  }

  get error(): SockpoolError {
    this.#error ??= goneError(this.#reason)
    return this.#error
  }
}

/** How a connection ended, as its lease tells it. */
export function goneReason(how: EndName): GoneReason {
  switch (how) {
    case 'workerLost':
      return 'worker_lost'
    case 'killed':
      return 'killed'
    default:
      return 'reset'
  }
}
