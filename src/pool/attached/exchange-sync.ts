/** One round trip on a blocking lease: write, drain, read one reply. */
import type { CallBounds } from '../../base/call-bounds.ts'
import { LimitOverrunError, SockpoolError } from '../../base/errors.ts'
import { invalidOption } from '../../base/options.ts'
import { builtInFrame } from '../../frames/frames.ts'
import type { BlockingReader, BlockingReadOptions } from '../../streams/blocking/blocking-reader.ts'
import { AnswerRead } from '../lease/answer-read.ts'
import type { ExchangeReply } from '../lease/exchange.ts'
import { frameOr, type JudgedExchange, type JudgedRead } from '../lease/exchange-request.ts'
import { LeaseRequest } from '../lease/lease-request.ts'
import { hasAnswered, replyToEnd, tripError } from '../lease/whole-reply.ts'
import type { BlockingLease } from './blocking-lease.ts'

/** As `exchangeBy`. Errors: those of `acquire`, write, drain and read; INCOMPLETE_READ. */
export function exchangeSyncBy(
  acquire: (request: LeaseRequest) => BlockingLease,
  { write, read, share, limit, bounds }: JudgedExchange,
): ExchangeReply {
  const startedMs = performance.now()
  const lease = acquire(new LeaseRequest(bounds, share))
  try {
    const left = bounds.left(startedMs, performance.now())
    const reply = exchangeSyncOn(lease, write, read, limit, left)
    lease.letGo()
    return reply
  } catch (error) {
    lease.abandon(error)
    throw error
  }
}

/** As `exchangeOn`. Errors: those of write, drain and read; INCOMPLETE_READ. */
function exchangeSyncOn(
  lease: BlockingLease,
  bytes: string | Uint8Array,
  read: JudgedRead,
  limit: number | undefined,
  wait: CallBounds,
): ExchangeReply {
  const startedMs = performance.now()
  const left = (): CallBounds => wait.left(startedMs, performance.now())
  const { reader, writer, reused } = lease
  try {
    const answers = 'messages' in read ? answerReadNow(lease, read, bytes, limit) : null
    writer.write(bytes, left())
    drain(lease, left())
    const offset = lease.readOffset
    const data = answers === null ? readReply(lease, read, limit, left()) : readAnswers(reader, answers, left)
    return { data, reused, offset, eof: reader.atEof(), ending: reader.ending }
  } catch (error) {
    throw tripError(error, { bytes, bytesAccepted: writer.offset, ending: reader.ending })
  }
}

function drain({ reader, writer }: BlockingLease, wait: CallBounds): void {
  try {
    writer.drain(wait)
  } catch (error) {
    if (!hasAnswered(error, writer, reader)) throw error
  }
}

/** Errors: INVALID_REQUEST where the target has no frame of its own, and for a frame that is a module. */
function answerReadNow(
  { frame: own }: BlockingLease,
  { messages, frame }: Extract<JudgedRead, { readonly messages: number }>,
  bytes: string | Uint8Array,
  limit: number | undefined,
): AnswerRead {
  const spec = frameOr(frame, own)
  if (typeof spec === 'object' && 'module' in spec)
    throw invalidOption('read.frame', 'is a module, which blocking code cannot wait for')
  return new AnswerRead(builtInFrame(spec), messages, bytes, limit)
}

function readAnswers(reader: BlockingReader, answers: AnswerRead, left: () => CallBounds): Buffer {
  try {
    while (!answers.isWhole) answers.took(reader.readMessage(answers.search, left()))
    return answers.data
  } catch (error) {
    throw answers.failed(error)
  }
}

function readReply(
  { reader, allowTruncated }: BlockingLease,
  read: JudgedRead,
  limit: number | undefined,
  wait: CallBounds,
): Buffer {
  // Not by readLine, which at EOF gives what is left of a line.
  if ('line' in read) return reader.readUntil('\n', wait)
  if ('until' in read) return reader.readUntil(read.until, wait)
  if ('exactly' in read) return reader.readExactly(read.exactly, wait)
  if ('eof' in read) {
    // What came before a reset is not the whole of a reply that ends with the stream.
    const data = readToEnd(reader, limit, {
      timeoutMs: wait.timeoutMs,
      allowedMs: wait.allowedMs,
      onReset: 'raise',
    })
    return replyToEnd(data, reader.ending, allowTruncated)
  }
  if ('none' in read) return Buffer.alloc(0)
  throw new SockpoolError('INVALID_REQUEST', 'read says how the reply ends')
}

/** Bounded: one byte more than the limit is as good as the end, and says that there is more. */
function readToEnd(reader: BlockingReader, limit: number | undefined, wait: BlockingReadOptions): Buffer {
  if (limit === undefined) return reader.read(-1, wait)
  if (reader.peek(limit + 1, wait).length > limit)
    throw new LimitOverrunError(`more than ${limit} bytes came before EOF`, limit)
  return reader.read(-1, wait)
}
