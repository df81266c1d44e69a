/**
 * What a holder needs besides the rings: how the end of the connection, or of the lease on it, reads as an error. One
 * table, used by the reading and the writing half alike.
 */
import { type GoneReason, SockpoolError } from '../../base/errors.ts'
import type { Channel } from '../../channel/channel.ts'
import type { END, EndName } from '../../channel/values.ts'
import type { FailedEnd, StreamEnd } from '../byte-source.ts'

/**
 * The end that a channel's word stands for; null while it is open. Each call makes a fresh error. `hasSent`: bytes of the
 * lease may have reached the peer, so that to do the same on another connection would send them twice.
 */
export function streamEnd(name: keyof typeof END, hasSent: boolean): StreamEnd | null {
  switch (name) {
    case 'open':
      return null
    case 'fin':
      return { kind: 'fin' }
    case 'closeNotify':
      return { kind: 'fin', tls: 'close_notify' }
    case 'truncated':
      return { kind: 'fin', tls: 'truncated' }
    case 'closed':
      return { kind: 'closed' }
    case 'reset':
      return failed(new SockpoolError('CONNECTION_RESET', 'the peer reset the connection'))
    case 'timedOut':
      return failed(
        new SockpoolError('CONNECTION_RESET', 'the peer stopped answering', { reason: 'ETIMEDOUT' }),
      )
    case 'tls':
      return failed(new SockpoolError('TLS_FAILED', 'the TLS connection broke'))
    case 'workerLost':
      return failed(
        new SockpoolError('WORKER_LOST', 'the I/O worker of this connection died', { retryable: !hasSent }),
      )
    case 'killed':
    case 'expired':
    case 'revoked':
      return new RevokedEnd(name)
    case 'poisoned':
      return failed(
        new SockpoolError('CONNECTION_RESET', 'bytes came while nobody held the connection', {
          reason: 'poisoned',
          retryable: !hasSent,
        }),
      )
    case 'corrupt':
      return failed(new SockpoolError('CHANNEL_CORRUPT', 'the shared memory of the connection is corrupt'))
    default:
      return name satisfies never
  }
}

/** The word of a channel whose peer has finished like this; `other` where the peer has not. */
export function peerEndName(end: StreamEnd | null, other: EndName): EndName {
  if (end?.kind !== 'fin') return other
  switch (end.tls) {
    case undefined:
      return 'fin'
    case 'close_notify':
      return 'closeNotify'
    case 'truncated':
      return 'truncated'
    default:
      return end.tls satisfies never
  }
}

function failed(error: SockpoolError): StreamEnd {
  return { kind: 'failed', error }
}

/** What whoever still uses a lease hears once it is gone. */
export function goneError(reason: GoneReason): SockpoolError {
  return new SockpoolError('LEASE_GONE', `this lease has ended: ${reason}`, { reason })
}

/** The end of streams whose lease is over. Nearly all end with nobody left to hear why: the error waits to be asked for. */
export class RevokedEnd implements FailedEnd {
  readonly kind = 'failed'
  readonly isRevoked = true
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

/** What an end hears that finds its lease over before anybody has told it. */
export function overtakenEnd(channel: Channel): RevokedEnd {
  const how = channel.inEnd
  const isTold = how === 'expired' || how === 'killed' || how === 'revoked'
  return new RevokedEnd(isTold ? how : 'released')
}
