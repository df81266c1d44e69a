/**
 * Starts TLS on a connection that is leased. The order is what makes it safe: what was written goes out, plain
 * reading stops, what has come before is judged, and only then both sides shake hands. There is no way back: from the
 * first step on a failure destroys the connection, so that nothing is sent or read in plain text afterwards.
 */
import { copyError, SockpoolError } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'
import { Wait } from '../../base/wait.ts'
import { normaliseClientTls, normaliseServerTls } from '../../config/tls-options.ts'
import type { ChannelSource } from '../../streams/channel-ends/channel-source.ts'
import type { StreamReader } from '../../streams/reading/stream-reader.ts'
import type { StartTlsOptions } from '../../streams/writing/writer-options.ts'
import type { HeldConnection } from '../../threads/held-connection.ts'
import type { TlsSide } from '../../threads/protocol.ts'

export type TlsUpgradeDeps = {
  readonly connection: HeldConnection
  readonly source: ChannelSource
  readonly reader: StreamReader
  readonly side: TlsSide['side']
  /** TLS is about to start: from here on the connection is never what it was. */
  readonly onBegun: () => void
  /** It failed: both stream ends are to fail with the error. */
  readonly onFailed: (error: Error) => void
}

/**
 * Errors: INVALID_REQUEST, READ_BUSY: nothing has happened. TLS_FAILED, STARTTLS_INJECTION, CONNECT_TIMEOUT, ABORTED,
 * CONNECTION_RESET, WORKER_LOST: the connection is destroyed.
 */
export async function upgradeToTls(
  deps: TlsUpgradeDeps,
  options: StartTlsOptions,
  flushed: () => Promise<void>,
): Promise<void> {
  const { connection, reader, side } = deps
  const { signal, timeoutMs = LIMITS.tlsHandshakeTimeoutMs, ...tls } = options
  const as: TlsSide =
    side === 'client'
      ? { side, tls: normaliseClientTls(tls, '') }
      : { side, tls: normaliseServerTls(tls, ''), early: new Uint8Array() }
  if (connection.facts.tls !== null)
    throw new SockpoolError('INVALID_REQUEST', 'the connection speaks TLS already')
  const run = async (): Promise<void> => {
    deps.onBegun()
    const wait = new Wait<void>('startTls()', 'CONNECT_TIMEOUT', { signal, timeoutMs }, () => {})
    steps(deps, as, timeoutMs, flushed).then(
      () => wait.resolve(),
      error => wait.reject(error),
    )
    try {
      await wait.promise
    } catch (error) {
      const failure = upgradeFailure(error)
      deps.onFailed(failure)
      connection.abort()
      throw failure
    }
  }
  await reader.lend(async () => {
    await run()
    return { count: 0, interrupted: false, outcome: { ok: true, value: undefined } }
  }, 'startTls()')
}

async function steps(
  { connection, source }: TlsUpgradeDeps,
  as: TlsSide,
  timeoutMs: number,
  flushed: () => Promise<void>,
): Promise<void> {
  const workerMs = timeoutMs + LIMITS.tlsHandshakeGraceMs
  if (as.side === 'client') refuseEarly(source.available)
  await flushed()
  const spill = await connection.hush()
  if (as.side === 'client') {
    refuseEarly(source.available + spill.length)
    return await connection.secure(as, workerMs)
  }
  const early = Buffer.concat([source.take(source.available), spill])
  await connection.secure({ ...as, early }, workerMs)
}

/** Whatever failed, the connection is destroyed, and what was said on it was said: no error of it is worth a repeat. */
export function upgradeFailure(error: unknown): SockpoolError {
  const failure = SockpoolError.from(error, 'TLS_FAILED')
  return failure.retryable ? copyError(failure, false) : failure
}

/** A server that was asked for TLS waits for the client's first word; bytes before that are somebody else's. Errors: STARTTLS_INJECTION. */
export function refuseEarly(count: number): void {
  if (count === 0) return
  throw new SockpoolError('STARTTLS_INJECTION', `${count} bytes of plain text came before the TLS handshake`)
}
