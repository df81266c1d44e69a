/** One round trip on a leased connection: write, drain, read one reply. */
import { SockpoolError } from '../../base/errors.ts'
import { remaining, type WaitOptions } from '../../base/wait.ts'
import type { StreamEnding } from '../../streams/byte-source.ts'
import type { Separator, StreamReader } from '../../streams/reading/stream-reader.ts'
import type { Lease } from './lease.ts'
import type { LeaseEnds } from './lease-ends.ts'
import type { LeaseKeeper } from './lease-keeper.ts'
import { releaseLease } from './release-lease.ts'
import { replyToEnd, tripError } from './whole-reply.ts'

/**
 * How one reply ends. `until`: the separator that ends first; `eof`: the stream does, after one byte at least; `none`: no
 * reply is read.
 */
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
  /** How the stream has ended; null while it is open. */
  readonly ending: StreamEnding | null
}

/** What `exchangeBy` is told beside the target. */
export type ExchangeRequest = WaitOptions & {
  readonly write: string | Uint8Array
  readonly read: ReadSpec
  readonly tenant?: string | undefined
  /** Bytes that `read: {eof: true}` may gather; default unbounded. */
  readonly limit?: number | undefined
}

/** A lease that nobody but this code has in hand. */
export type Held = { readonly keeper: LeaseKeeper; readonly ends: LeaseEnds }

/** Runs, and releases; a `run` that throws discards the connection. */
export async function useLease<T>(lease: Lease, run: (lease: Lease) => Promise<T> | T): Promise<T> {
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
 * judgement of the connection.
 *
 * Errors: those of `acquire`, write, drain and read; INCOMPLETE_READ where the peer ended before the reply was whole
 * (`reason` tls_truncated: its TLS was cut). `bytesAccepted` counts what may have reached the peer; where it is not 0,
 * no error is `retryable`.
 */
export async function exchangeBy(
  acquire: (options: WaitOptions & { readonly tenant: string | undefined }) => Promise<Held>,
  { write, read, timeoutMs, signal, tenant, limit }: ExchangeRequest,
  now: () => number,
): Promise<ExchangeReply> {
  const startedMs = now()
  const held = await acquire({ signal, timeoutMs, tenant })
  const { keeper, ends } = held
  try {
    const wait = remaining({ signal, timeoutMs }, startedMs, now())
    const reply = await keeper.operation('exchange', () => exchangeOn(held, write, read, limit, wait, now))
    // Neither of the two ever rejects.
    void releaseLease(keeper, ends)
    return reply
  } catch (error) {
    void keeper.giveBack('discarded', false)
    throw error
  }
}

/** Errors: those of write, drain and read; INCOMPLETE_READ. */
async function exchangeOn(
  { keeper, ends }: Held,
  bytes: string | Uint8Array,
  read: ReadSpec,
  limit: number | undefined,
  wait: WaitOptions,
  now: () => number,
): Promise<ExchangeReply> {
  const startedMs = now()
  const { reader, writer } = ends
  const { reused, allowTruncated } = keeper.terms
  try {
    writer.write(bytes)
    await writer.drain(wait)
    const { offset } = reader
    const data = await readReply(reader, read, limit, allowTruncated, remaining(wait, startedMs, now()))
    return { data, reused, offset, eof: reader.atEof(), ending: reader.ending }
  } catch (error) {
    throw tripError(error, { bytes, bytesAccepted: writer.offset, ending: reader.ending })
  }
}

async function readReply(
  reader: StreamReader,
  read: ReadSpec,
  limit: number | undefined,
  allowTruncated: boolean,
  wait: WaitOptions,
): Promise<Buffer> {
  // Not by readLine, which at EOF gives what is left of a line.
  if ('line' in read) return await reader.readUntil('\n', wait)
  if ('until' in read) return await reader.readUntil(read.until, wait)
  if ('exactly' in read) return await reader.readExactly(read.exactly, wait)
  if ('eof' in read) {
    // What came before a reset is not the whole of a reply that ends with the stream.
    const data = await reader.read(-1, { ...wait, limit, onReset: 'raise' })
    return replyToEnd(data, reader.ending, allowTruncated)
  }
  if ('none' in read) return Buffer.alloc(0)
  throw new SockpoolError('INVALID_REQUEST', 'read says how the reply ends')
}
