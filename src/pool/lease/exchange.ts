/** One round trip on a leased connection: write, drain, read one reply. */
import { copyError, SockpoolError } from '../../base/errors.ts'
import type { WaitOptions } from '../../base/wait.ts'
import type { Separator, StreamReader } from '../../streams/reading/stream-reader.ts'
import type { Lease } from './lease.ts'
import type { LeaseHandle } from './lease-handle.ts'

/** How one reply ends. `until`: the separator that ends first; `none`: no reply is read. */
export type ReadSpec =
  | { readonly line: true }
  | { readonly until: Separator | readonly Separator[] }
  | { readonly exactly: number }
  | { readonly eof: true }
  | { readonly none: true }

export type ExchangeReply = {
  readonly data: Buffer
  readonly reused: boolean
  /** Stream offset of the first byte of `data`. */
  readonly offset: number
  readonly eof: boolean
}

/** What `exchangeBy` is told beside the target. */
export type ExchangeRequest = WaitOptions & {
  readonly write: string | Uint8Array
  readonly read: ReadSpec
  readonly tenant?: string | undefined
  /** Bytes that `read: {eof: true}` may gather; default unbounded. */
  readonly limit?: number | undefined
}

/** Runs, and releases; a `run` that throws discards the connection. */
export async function useLease<T>(
  lease: LeaseHandle,
  run: (lease: LeaseHandle) => Promise<T> | T,
): Promise<T> {
  try {
    const result = await run(lease)
    await lease.release()
    return result
  } finally {
    await lease.discard()
  }
}

/**
 * One round trip: lease, write, drain, read one reply, release, under one deadline. The reply does not wait for the
 * verdict on the connection. Errors: those of `acquire`, write, drain and read.
 */
export async function exchangeBy(
  acquire: (options: WaitOptions & { readonly tenant: string | undefined }) => Promise<Lease>,
  { write, read, timeoutMs, signal, tenant, limit }: ExchangeRequest,
  now: () => number,
): Promise<ExchangeReply> {
  const startedMs = now()
  const lease = await acquire({ signal, timeoutMs, tenant })
  try {
    const wait = { signal, timeoutMs: remaining(timeoutMs, startedMs, now()) }
    const reply = await lease.operation('exchange', () => exchangeOn(lease, write, read, limit, wait, now))
    void lease.release()
    return reply
  } catch (error) {
    void lease.discard()
    throw error
  }
}

/** Milliseconds left of a deadline that began at `startedMs`; undefined without one. */
export function remaining(timeoutMs: number | undefined, startedMs: number, now: number): number | undefined {
  return timeoutMs === undefined ? undefined : Math.max(0, timeoutMs - (now - startedMs))
}

/** Errors: those of write, drain and read. */
async function exchangeOn(
  lease: Lease,
  bytes: string | Uint8Array,
  read: ReadSpec,
  limit: number | undefined,
  wait: WaitOptions,
  now: () => number,
): Promise<ExchangeReply> {
  const startedMs = now()
  const { reader, writer } = lease
  try {
    writer.write(bytes)
    await writer.drain(wait)
    const left = remaining(wait.timeoutMs, startedMs, now())
    const { offset } = reader
    const data = await readReply(reader, read, limit, { signal: wait.signal, timeoutMs: left })
    return { data, reused: lease.reused, offset, eof: reader.atEof() }
  } catch (error) {
    // A copy: the error of a broken connection is shared by all who were on it.
    throw error instanceof SockpoolError ? copyError(error).add({ bytesAccepted: writer.offset }) : error
  }
}

function readReply(
  reader: StreamReader,
  read: ReadSpec,
  limit: number | undefined,
  wait: WaitOptions,
): Promise<Buffer> {
  if ('line' in read) return reader.readLine(wait)
  if ('until' in read) return reader.readUntil(read.until, wait)
  if ('exactly' in read) return reader.readExactly(read.exactly, wait)
  // What came before a reset is not the whole of a reply that ends with the stream.
  if ('eof' in read) return reader.read(-1, { ...wait, limit, onReset: 'raise' })
  if ('none' in read) return Promise.resolve(Buffer.alloc(0))
  return Promise.reject(new SockpoolError('INVALID_REQUEST', 'read says how the reply ends'))
}
