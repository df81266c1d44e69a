/**
 * What a holder needs besides the rings: how the connection's end reads as an error. One table, used by the
 * reading and the writing half alike.
 */
import { SockpoolError } from '../../base/errors.ts'
import type { END } from '../../channel/channel.ts'
import type { StreamEnd } from '../byte-source.ts'

/** The end that a channel's word stands for; null while it is open. Each call makes a fresh error. */
export function streamEnd(name: keyof typeof END): StreamEnd | null {
  switch (name) {
    case 'open':
      return null
    case 'fin':
      return { kind: 'fin' }
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
      return failed(new SockpoolError('WORKER_LOST', 'the I/O worker of this connection died'))
    case 'killed':
      return failed(new SockpoolError('LEASE_GONE', 'the connection was killed', { reason: 'killed' }))
    case 'expired':
      return failed(new SockpoolError('LEASE_GONE', 'the lease was expired', { reason: 'expired' }))
    case 'poisoned':
      return failed(
        new SockpoolError('CONNECTION_RESET', 'bytes came while nobody held the connection', {
          reason: 'poisoned',
          retryable: true,
        }),
      )
    case 'corrupt':
      return failed(new SockpoolError('CHANNEL_CORRUPT', 'the shared memory of the connection is corrupt'))
    default:
      return name satisfies never
  }
}

function failed(error: SockpoolError): StreamEnd {
  return { kind: 'failed', error }
}
