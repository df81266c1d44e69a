/**
 * A leased connection while it goes from client to client of a front door: one has it to itself from the first request of a
 * batch to the answer to the last, and every answer is handed on as a whole. Where anything is odd about it, it goes no
 * further.
 *
 * Whether a quiet request has an answer is the server's to say. A mark is sent behind such a batch, whose answer shows
 * that there is nothing more: all that comes before it is the client's, as on a connection of its own.
 */
import type { CallBounds } from '../../base/call-bounds.ts'
import { ChunkList } from '../../base/chunk-list.ts'
import { SockpoolError } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'
import type { AnswerCutter, CallerMessage, Frame } from '../../frames/frame.ts'
import type { IoConnection } from '../../threads/io-connection.ts'
import type { Held } from '../lease/exchange.ts'
import { releaseLease } from '../lease/release-lease.ts'
import type { Refusal } from '../target/release-result.ts'
import { AnswerTally, MARK } from './answer-tally.ts'
import type { ForwardRequest } from './request-batches.ts'

/** Where answers go. Neither ever throws: a client that has gone takes everything, and drops it. */
export interface AnswerSink {
  /** Whole answers, so many of them. The bytes are the sink's for the time of the call. */
  took(bytes: Uint8Array, count: number): void
  /** Resolves when there is room for more; null: there is. */
  room(): Promise<void> | null
}

export class Carrier {
  readonly frame: Frame
  readonly #held: Held
  readonly #now: () => number
  readonly #sinceMs: number
  readonly #answers: AnswerCutter
  /** Of an answer that has not come whole. */
  readonly #begun = new ChunkList()
  /** Why it may serve nobody else; null: nothing speaks against it here. */
  #spoilt: Refusal | null = null
  #isLast = false
  #isLent = false

  constructor(held: Held, frame: Frame, now: () => number) {
    this.#held = held
    this.frame = frame
    this.#now = now
    this.#sinceMs = now()
    this.#answers = frame.answers()
  }

  /** Whether it may serve another client as it is. */
  get isClean(): boolean {
    const { keeper, ends } = this.#held
    if (this.#spoilt !== null || this.#isLast || keeper.gone !== null || keeper.lost !== null) return false
    return keeper.terms.reuse === 'clean' && ends.reader.buffered === 0 && !ends.reader.atEof()
  }

  /** The peer has said its last. */
  get isLast(): boolean {
    return this.#isLast
  }

  /** Milliseconds for which it has gone from client to client. */
  get ageMs(): number {
    return this.#now() - this.#sinceMs
  }

  /**
   * Asks, and hands on each answer as it comes whole. Errors: READ_TIMEOUT, ABORTED, CONNECTION_RESET, WORKER_LOST,
   * FRAME_BROKEN, LIMIT_OVERRUN: answers are missing, and the connection is of no use.
   */
  async carry(requests: readonly ForwardRequest[], sink: AnswerSink, bounds: CallBounds): Promise<void> {
    await this.#operation(() => this.#carry(requests, sink, bounds))
  }

  /** As `carry`, of requests that were sent elsewhere, and of which nothing is handed on yet. */
  async goOn(asked: readonly CallerMessage[], sink: AnswerSink, bounds: CallBounds): Promise<void> {
    await this.#operation(() => this.#await(asked, new AnswerTally(asked), sink, bounds))
  }

  async #operation(run: () => Promise<void>): Promise<void> {
    try {
      await this.#held.keeper.operation('message', run)
    } catch (error) {
      if (!(error instanceof SockpoolError)) this.#held.keeper.fault(error)
      const loss = lossOf(error)
      this.#spoilt = loss.code === 'READ_TIMEOUT' ? 'timed_out' : 'error'
      throw loss
    }
  }

  /** The connection itself. */
  get connection(): IoConnection {
    return this.#held.keeper.connection as IoConnection
  }

  /** It is at a desk, which is to give it back. */
  get isLent(): boolean {
    return this.#isLent
  }

  wentOut(): void {
    this.#isLent = true
  }

  /** It was at a desk, and has carried messages there. */
  cameBack(): void {
    this.#isLent = false
    this.#held.keeper.served('message')
  }

  /** It serves nobody else: something was odd about it. */
  spoil(): void {
    this.#spoilt ??= 'error'
  }

  /** Gives the connection back, to be judged by the pool. */
  release(): void {
    const { keeper, ends } = this.#held
    // Neither ever rejects, and nobody waits for what becomes of the connection.
    if (this.#spoilt === null) void releaseLease(keeper, ends)
    else void keeper.giveBack(this.#spoilt, false)
  }

  /** Ends what is under way on it. */
  kill(): void {
    this.#held.keeper.kill('killed')
  }

  /** For a client that keeps it. */
  get held(): Held {
    return this.#held
  }

  async #carry(requests: readonly ForwardRequest[], sink: AnswerSink, bounds: CallBounds): Promise<void> {
    const { reader, writer } = this.#held.ends
    // What has come before it was asked for answers nobody.
    if (reader.buffered > 0) throw unasked()
    const messages = requests.map(({ message }) => message)
    const tally = new AnswerTally(messages)
    const pieces: Uint8Array[] = requests.map(({ bytes }) => bytes)
    if (tally.isMarked) pieces.push(MARK)
    writer.writeLines(pieces)
    await this.#await(messages, tally, sink, bounds)
  }

  async #await(
    asked: readonly CallerMessage[],
    tally: AnswerTally,
    sink: AnswerSink,
    bounds: CallBounds,
  ): Promise<void> {
    const { reader } = this.#held.ends
    const startedMs = this.#now()
    for (const message of asked) this.#answers.asked(message)
    while (!tally.isDone) {
      const bytes = await reader.read(LIMITS.forwardReadBytes, bounds.left(startedMs, this.#now()))
      if (bytes.length === 0) this.#ended(tally, sink)
      else this.#cut(bytes, tally, sink)
      if (this.#isLast && !tally.isDone) throw ended()
      const room = sink.room()
      if (room !== null) await room
    }
  }

  /** Hands on what is whole of these, in as few pieces as it is. */
  #cut(bytes: Buffer, tally: AnswerTally, sink: AnswerSink): void {
    /** What is not handed on yet: from here to `at`, so many answers. */
    let from = 0
    let count = 0
    let at = 0
    const flush = (to: number): void => {
      if (count > 0) sink.took(from === 0 && to === bytes.length ? bytes : bytes.subarray(from, to), count)
      count = 0
    }
    while (at < bytes.length && !tally.isDone && !this.#isLast) {
      const message = this.#answers.next(at === 0 ? bytes : bytes.subarray(at))
      if (message === null) {
        flush(at)
        this.#begun.push(bytes.subarray(at))
        return
      }
      const begin = at
      at += message.taken
      this.#isLast = message.isLast
      const whole = this.#begun.length === 0 ? null : this.#joined(bytes.subarray(begin, at))
      if (message.kind === 'push' || tally.isMark(whole ?? bytes, whole === null ? begin : 0)) {
        flush(begin)
        from = at
      } else if (whole !== null) {
        tally.took()
        sink.took(whole, 1)
        from = at
      } else {
        tally.took()
        count++
      }
    }
    flush(at)
    if (at < bytes.length) this.#spoilt = 'poisoned'
  }

  #joined(rest: Buffer): Buffer {
    this.#begun.append(rest)
    return this.#begun.takeAll()
  }

  /** The stream has ended, and with it an answer that ends so. Errors: FRAME_BROKEN, CONNECTION_RESET. */
  #ended(tally: AnswerTally, sink: AnswerSink): void {
    this.#spoilt = 'half_closed'
    if (this.#answers.isBetween || this.#answers.end() === null) throw ended()
    this.#isLast = true
    tally.took()
    sink.took(this.#begun.takeAll(), 1)
  }
}

function ended(): SockpoolError {
  return new SockpoolError('CONNECTION_RESET', 'the peer has ended the connection')
}

function unasked(): SockpoolError {
  return new SockpoolError('CONNECTION_RESET', 'the peer has sent what answers nobody')
}

/** To a client it is all one by whom its connection was ended. */
function lossOf(error: unknown): SockpoolError {
  const known = SockpoolError.from(error)
  if (known.code !== 'LEASE_GONE') return known
  return new SockpoolError('CONNECTION_RESET', 'the connection was ended', {
    reason: known.reason ?? 'killed',
  })
}
