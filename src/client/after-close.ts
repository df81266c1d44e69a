/** What the close of a stream's socket means. */
import { SockpoolError } from '../base/errors.ts'
import type { StreamEnd } from '../streams/byte-source.ts'
import { codeOf } from './problem-error.ts'

export type AfterClose =
  /** Both directions have ended. */
  | { readonly kind: 'ended' }
  | { readonly kind: 'failed'; readonly error: SockpoolError; readonly isRevoked: boolean }
  /** The service knows why. */
  | { readonly kind: 'ask' }
  /** The way was cut, and may be there again. */
  | { readonly kind: 'cut' }

/** By the codes of `sockpool.v1`. */
export function afterClose(code: number, reason: string): AfterClose {
  if (code === 1000) return reason === 'released' ? { kind: 'ask' } : { kind: 'ended' }
  if (reason === 'taken_over') {
    const message = 'another stream of this lease was opened, and has taken this one over'
    return { kind: 'failed', error: new SockpoolError('READ_BUSY', message), isRevoked: true }
  }
  // Why a lease is gone stands in the service's answer.
  if (code === 1008) return { kind: 'ask' }
  const failed = code === 1011 ? codeOf(reason) : null
  if (failed === null || failed === 'LEASE_GONE') return code === 1011 ? { kind: 'ask' } : { kind: 'cut' }
  return {
    kind: 'failed',
    error: new SockpoolError(failed, `the stream has failed: ${reason}`),
    isRevoked: false,
  }
}

/** How a stream ends whose lease, or whose service, answers so: a connection that broke has ended its lease. */
export function endAfter(error: SockpoolError): StreamEnd {
  if (error.code !== 'LEASE_GONE') return { kind: 'failed', error }
  if (error.reason === 'reset')
    return {
      kind: 'failed',
      error: new SockpoolError('CONNECTION_RESET', 'the connection was reset'),
    }
  if (error.reason === 'worker_lost')
    return {
      kind: 'failed',
      error: new SockpoolError('WORKER_LOST', 'the I/O worker of the connection died'),
    }
  return { kind: 'failed', error, isRevoked: true }
}

/** Whether what is not there now may be again: the service, or behind it the instance that holds the lease. */
export function isAway({ code }: SockpoolError): boolean {
  return code === 'SERVICE_UNREACHABLE' || code === 'INSTANCE_UNREACHABLE'
}

/** How TLS ended with the stream, where the service says so. */
export function tlsEnding(
  how: string | null,
): Partial<Pick<Extract<StreamEnd, { readonly kind: 'fin' }>, 'tls'>> {
  return how === 'close_notify' || how === 'truncated' ? { tls: how } : {}
}
