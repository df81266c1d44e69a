/** One round trip on a leased connection: write, drain, read one reply. */
import type { CallBounds } from '../../base/call-bounds.ts'
import { SockpoolError } from '../../base/errors.ts'
import type { ResultTally } from '../../base/result-tally.ts'
import type { FrameSpec } from '../../frames/frame-spec.ts'
import { loadFrame } from '../../frames/frames.ts'
import type { StreamEnding } from '../../streams/byte-source.ts'
import type { StreamReader } from '../../streams/reading/stream-reader.ts'
import { AnswerRead } from './answer-read.ts'
import { frameOr, type JudgedExchange, type JudgedRead } from './exchange-request.ts'
import type { Lease } from './lease.ts'
import type { LeaseEnds } from './lease-ends.ts'
import type { LeaseKeeper } from './lease-keeper.ts'
import type { LeaseAsking } from './lease-options.ts'
import { LeaseRequest } from './lease-request.ts'
import { releaseLease } from './release-lease.ts'
import { hasAnswered, replyToEnd, tripError } from './whole-reply.ts'

export type { ExchangeRequest, ReadSpec } from './exchange-request.ts'

export type ExchangeReply = {
  readonly data: Buffer
  readonly reused: boolean
  /** Stream offset of the first byte of `data`. */
  readonly offset: number
  readonly eof: boolean
  /** How the stream has ended; null while it is open. */
  readonly ending: StreamEnding | null
}

const NO_TTL: LeaseAsking = { ttlMs: null }

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
 * Errors: those of `acquire`, write, drain and read;
 * INCOMPLETE_READ where the peer ended before the reply was whole
 * (`reason` tls_truncated: its TLS was cut). `bytesAccepted` counts what may have reached the peer; where it is not 0,
 * no error is `retryable`.
 *
 * `tally` counts how long it takes, and what it comes to; null: nobody counts.
 */
export async function exchangeBy(
  acquire: (request: LeaseRequest) => Held | Promise<Held>,
  { write, read, share, limit, bounds }: JudgedExchange,
  now: () => number,
  tally: ResultTally | null = null,
): Promise<ExchangeReply> {
  const startedMs = now()
  let keeper: LeaseKeeper | null = null
  try {
    const held = await acquire(new LeaseRequest(bounds, share, isBounded(bounds) ? NO_TTL : {}))
    keeper = held.keeper
    const wait = bounds.left(startedMs, now())
    const reply = await keeper.operation('exchange', () => exchangeOn(held, write, read, limit, wait, now))
    // Neither of the two ever rejects.
    void releaseLease(keeper, held.ends)
    tally?.succeeded(now() - startedMs)
    return reply
  } catch (error) {
    void keeper?.giveBack('discarded', false)
    tally?.failed(now() - startedMs, error)
    throw error
  }
}

/** Whether the exchange ends by its own time, so that its lease needs none. */
function isBounded({ timeoutMs }: CallBounds): boolean {
  return timeoutMs !== undefined && timeoutMs !== Infinity
}

/** Errors: those of write, drain and read; INCOMPLETE_READ. */
async function exchangeOn(
  { keeper, ends }: Held,
  bytes: string | Uint8Array,
  read: JudgedRead,
  limit: number | undefined,
  wait: CallBounds,
  now: () => number,
): Promise<ExchangeReply> {
  const startedMs = now()
  const { reader, writer } = ends
  const { reused, allowTruncated, frame } = keeper.terms
  try {
    // Before anything is sent.
    const answers = 'messages' in read ? await answerRead(read, frame, bytes, limit) : null
    writer.write(bytes)
    try {
      await writer.drain(wait)
    } catch (error) {
      if (!hasAnswered(error, writer, reader)) throw error
    }
    const { offset } = reader
    const left = (): CallBounds => wait.left(startedMs, now())
    const data = await (answers === null
      ? readReply(reader, read, limit, allowTruncated, left())
      : readAnswers(reader, answers, left))
    return { data, reused, offset, eof: reader.atEof(), ending: reader.ending }
  } catch (error) {
    throw tripError(error, { bytes, bytesAccepted: writer.offset, ending: reader.ending })
  }
}

/** Errors: INVALID_REQUEST where the target has no frame of its own, and where a module is none. */
async function answerRead(
  { messages, frame }: Extract<JudgedRead, { readonly messages: number }>,
  own: FrameSpec | null,
  bytes: string | Uint8Array,
  limit: number | undefined,
): Promise<AnswerRead> {
  return new AnswerRead(await loadFrame(frameOr(frame, own)), messages, bytes, limit)
}

async function readAnswers(
  reader: StreamReader,
  answers: AnswerRead,
  left: () => CallBounds,
): Promise<Buffer> {
  try {
    while (!answers.isWhole) answers.took(await reader.readMessage(answers.search, left()))
    return answers.data
  } catch (error) {
    throw answers.failed(error)
  }
}

async function readReply(
  reader: StreamReader,
  read: JudgedRead,
  limit: number | undefined,
  allowTruncated: boolean,
  wait: CallBounds,
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
