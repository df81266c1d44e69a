/** One round trip on a leased connection: write, drain, read one reply. */
import { CallBounds } from '../../base/call-bounds.ts'
import { copyError, SockpoolError } from '../../base/errors.ts'
import { remainingMs, type WaitOptions } from '../../base/wait.ts'
import type { StreamReader } from '../../streams/reading/stream-reader.ts'
import { type ExchangeRequest, judgedExchange, type ReadSpec } from './exchange-request.ts'
import type { Lease } from './lease.ts'
import type { LeaseEnds } from './lease-ends.ts'
import type { LeaseKeeper } from './lease-keeper.ts'
import { LeaseRequest } from './lease-options.ts'
import { releaseLease } from './release-lease.ts'

export type { ExchangeRequest, ReadSpec } from './exchange-request.ts'

export type ExchangeReply = {
  readonly data: Buffer
  readonly reused: boolean
  /** Stream offset of the first byte of `data`. */
  readonly offset: number
  readonly eof: boolean
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
 * judgement of the connection. Errors: INVALID_REQUEST, INVALID_SEPARATOR: nothing was leased; those of `acquire`, write,
 * drain and read.
 */
export async function exchangeBy(
  acquire: (request: LeaseRequest) => Promise<Held>,
  options: ExchangeRequest,
  now: () => number,
): Promise<ExchangeReply> {
  const { write, read, tenant, limit, bounds } = judgedExchange(options)
  const { signal, timeoutMs } = bounds
  const startedMs = now()
  const held = await acquire(new LeaseRequest(bounds, tenant))
  const { keeper, ends } = held
  try {
    const wait = new CallBounds(signal, remainingMs(timeoutMs, startedMs, now()))
    const reply = await keeper.operation('exchange', () => exchangeOn(held, write, read, limit, wait, now))
    // Neither of the two ever rejects.
    void releaseLease(keeper, ends)
    return reply
  } catch (error) {
    void keeper.giveBack('discarded', false)
    throw error
  }
}

/** Errors: those of write, drain and read. */
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
  try {
    writer.write(bytes)
    await writer.drain(wait)
    const left = remainingMs(wait.timeoutMs, startedMs, now())
    const { offset } = reader
    const data = await readReply(reader, read, limit, new CallBounds(wait.signal, left))
    return { data, reused: keeper.terms.reused, offset, eof: reader.atEof() }
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
