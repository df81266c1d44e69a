/** asyncio's open_connection: one connection of one's own, from a pool that is made when it is first needed. */
import { LIMITS } from './base/limits.ts'
import type { WaitOptions } from './base/wait.ts'
import type { TargetInput } from './config/target-input.ts'
import { createPool } from './create-pool.ts'
import type { Pool } from './pool/pool.ts'
import { warnOfFutileWrites } from './streams/futile-writes.ts'
import { positiveLimit } from './streams/read-options.ts'
import type { StreamReader } from './streams/stream-reader.ts'
import type { StreamWriter } from './streams/stream-writer.ts'

export type ConnectionOptions = Pick<WaitOptions, 'signal'> & {
  /** `true`, or how TLS is spoken; PEM as text. */
  readonly tls?: TargetInput['tls']
  /** Bytes; the reader's limit, default 65,536. */
  readonly limit?: number | undefined
  /** Milliseconds for name, TCP and TLS together; default 10,000. */
  readonly connectTimeoutMs?: number | undefined
}

let defaultPool: Promise<Pool> | null = null

/**
 * Opens a connection and returns its two halves.
 *
 * Errors: CONNECT_REFUSED, CONNECT_FAILED, CONNECT_TIMEOUT, DNS_FAILED, TLS_FAILED, ABORTED, INVALID_REQUEST.
 * The connection ends with `writer.close()` or when its peer ends it; the process may exit when none is open.
 * Source: asyncio.open_connection.
 */
export async function openConnection(
  host: string,
  port: number,
  options: ConnectionOptions = {},
): Promise<[reader: StreamReader, writer: StreamWriter]> {
  const { tls, limit, connectTimeoutMs, signal } = options
  // Before there is a connection that nobody would have.
  if (limit !== undefined) positiveLimit(limit)
  defaultPool ??= createPool({ adHocMax: LIMITS.channelsMax, limits: { leases: LIMITS.channelsMax } })
  const pool = await defaultPool
  const lease = await pool.lease(
    { host, port, tls, connectTimeoutMs },
    { signal, limit, waitMs: 0, onReset: 'raise' },
  )
  warnOfFutileWrites(lease.writer)
  const end = (): Promise<unknown> => lease.release()
  void lease.writer.waitClosed().then(end, end)
  return [lease.reader, lease.writer]
}
