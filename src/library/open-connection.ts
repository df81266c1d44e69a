/** asyncio's open_connection: one connection of one's own, from a pool that is made when it is first needed. */
import { flagOption, optionsObject } from '../base/options.ts'
import type { WaitOptions } from '../base/wait.ts'
import type { TargetInput } from '../config/target-input.ts'
import type { AdHocTarget } from '../pool/target/target-pools.ts'
import { ownEnds } from '../streams/adapters/unclosed-watch.ts'
import type { StreamReader } from '../streams/reading/stream-reader.ts'
import { warnOfFutileWrites } from '../streams/writing/futile-writes.ts'
import type { StreamWriter } from '../streams/writing/stream-writer.ts'
import { defaultPool } from './default-pool.ts'

export type ConnectionOptions = Pick<WaitOptions, 'signal'> & {
  /** `true`, or how TLS is spoken; PEM as text. */
  readonly tls?: TargetInput['tls']
  /** Bytes; the reader's limit, default 65,536. */
  readonly limit?: number | undefined
  /** Milliseconds for name, TCP and TLS together; default 10,000. */
  readonly connectTimeoutMs?: number | undefined
  /**
   * Whether this side stays open when the peer has ended its direction; false closes it then, after what was written
   * by that time. Default: true. With TLS, which knows no half-open connection, it is closed either way.
   */
  readonly allowHalfOpen?: boolean | undefined
}

export type HostConnectionOptions = ConnectionOptions & {
  /** The address to dial from; only addresses of its family are tried. */
  readonly localAddress?: string | undefined
  /**
   * Milliseconds until the next address is tried beside the one under way, with the families in turn (RFC 8305
   * suggests 250); default: one address after another.
   */
  readonly happyEyeballsDelayMs?: number | undefined
}

/**
 * Opens a connection to a host, or to the unix socket at `path`, and returns its two halves.
 *
 * Errors: CONNECT_REFUSED, CONNECT_FAILED, CONNECT_TIMEOUT, DNS_FAILED, TLS_FAILED, ABORTED, INVALID_REQUEST. Where
 * several addresses failed differently the message has all of them and the cause is an AggregateError.
 * The connection ends with `writer.close()` or when its peer ends it; the process may exit when none is open. One that
 * the program has lost without closing it is closed when its reader and writer are collected, with a ResourceWarning.
 * Source: asyncio.open_connection, open_unix_connection.
 */
export function openConnection(
  host: string,
  port: number,
  options?: HostConnectionOptions,
): Promise<[reader: StreamReader, writer: StreamWriter]>
export function openConnection(
  where: { readonly path: string },
  options?: ConnectionOptions,
): Promise<[reader: StreamReader, writer: StreamWriter]>
export async function openConnection(
  where: string | { readonly path: string },
  portOrOptions?: number | ConnectionOptions,
  hostOptions: HostConnectionOptions = {},
): Promise<[reader: StreamReader, writer: StreamWriter]> {
  const given = typeof where === 'object' ? portOrOptions : hostOptions
  const options = optionsObject((given === undefined ? {} : given) as HostConnectionOptions)
  const { tls, limit, connectTimeoutMs, signal, allowHalfOpen, localAddress, happyEyeballsDelayMs } = options
  const target: AdHocTarget =
    typeof where === 'object'
      ? { path: optionsObject(where, 'path').path, tls, connectTimeoutMs }
      : {
          host: where,
          port: portOrOptions as number,
          tls,
          connectTimeoutMs,
          localAddress,
          happyEyeballsDelayMs,
        }
  const staysOpen = flagOption('allowHalfOpen', allowHalfOpen) !== false
  const pool = await defaultPool()
  const lease = await pool.lease(target, { signal, limit, waitMs: 0, onReset: 'raise' })
  const { reader, writer } = lease
  warnOfFutileWrites(writer)
  if (!staysOpen) reader.onEnd(() => writer.close())
  const end = (): void => lease.forget()
  void writer.waitClosed().then(end, end)
  return ownEnds(lease)
}
