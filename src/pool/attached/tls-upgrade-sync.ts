/** As `upgradeToTls`, blocking, for the client's side: the same order, and as little of a way back. */
import { SockpoolError } from '../../base/errors.ts'
import { tookLonger } from '../../base/wait.ts'
import { normaliseClientTls } from '../../config/tls-options.ts'
import type { BlockingStartTlsOptions } from '../../streams/blocking/blocking-writer.ts'
import type { ChannelSource } from '../../streams/channel-ends/channel-source.ts'
import { refuseEarly, upgradeFailure } from '../lease/tls-upgrade.ts'
import type { AttachedConnection } from './attached-connection.ts'

export type TlsUpgradeSyncDeps = {
  readonly connection: AttachedConnection
  readonly source: ChannelSource
  /** TLS is about to start: from here on the connection is never what it was. */
  readonly onBegun: () => void
  /** It failed: both stream ends are to fail with the error. */
  readonly onFailed: (error: Error) => void
}

/**
 * Errors: INVALID_REQUEST: nothing has happened. TLS_FAILED, STARTTLS_INJECTION, CONNECT_TIMEOUT, CONNECTION_RESET,
 * WORKER_LOST: the connection is destroyed.
 */
export function upgradeToTlsSync(
  { connection, source, onBegun, onFailed }: TlsUpgradeSyncDeps,
  { timeoutMs, ...options }: BlockingStartTlsOptions & { readonly timeoutMs: number },
  flush: () => void,
): void {
  const tls = normaliseClientTls(options, '')
  if (connection.facts.tls !== null)
    throw new SockpoolError('INVALID_REQUEST', 'the connection speaks TLS already')
  const until = performance.now() + timeoutMs
  onBegun()
  try {
    refuseEarly(source.available)
    flush()
    const spill = connection.hushSync()
    refuseEarly(source.available + spill.length)
    connection.secureSync({ side: 'client', tls }, Math.max(0, until - performance.now()))
  } catch (error) {
    const failure = asFailure(error, timeoutMs)
    onFailed(failure)
    connection.abort()
    throw failure
  }
}

/** The I/O worker keeps the clock of the handshake; what ends by it is this call's time-out. */
function asFailure(error: unknown, timeoutMs: number): SockpoolError {
  const failure = upgradeFailure(error)
  if (failure.code !== 'TLS_FAILED' || failure.reason !== 'ETIMEDOUT') return failure
  return new SockpoolError('CONNECT_TIMEOUT', tookLonger('startTls()', timeoutMs), {
    cause: failure,
    retryable: false,
  })
}
