/**
 * The messages of a lease one after another, decoded many at a time on a parse thread.
 *
 *   ring ──gather──► this thread's memory ──copy──► parse thread ──► their values
 *                     └─ unread until its message is handed out ◄──────┘
 *
 * Nothing is lent. The bytes stay with the reader, and a message takes its own when it is handed out: who breaks off, or
 * reads in between, finds what follows the messages that it has got. Messages are known by their offset in the stream:
 * those that somebody else has read meanwhile are passed over; where the reader goes on within one, or bytes were put
 * back, what was decoded is dropped. While the messages of one turn are handed out, the next is under way.
 *
 *   front     the turn whose messages are handed out; its values are made a part at a time
 *   ahead     the turns behind it, the last of them may be under way
 *   looked    behind the last message of a turn, bytes that hold no whole one
 *
 * A message that no turn has is read alone, as by `parse`: that waits for the rest of it, and says what is wrong with it.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { CallBounds } from '../../base/call-bounds.ts'
import { SockpoolError } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'
import { type MessageBatch, valuesOf } from '../../base/value-batch.ts'
import { Wait } from '../../base/wait.ts'
import { goneError } from '../../streams/channel-ends/channel-end.ts'
import type { ReadAhead } from '../../streams/reading/read-ahead.ts'
import type { LeaseEnds } from './lease-ends.ts'
import type { LeaseKeeper } from './lease-keeper.ts'

export type MessageReading = {
  readonly keeper: LeaseKeeper
  readonly ends: LeaseEnds
  readonly format: string
  readonly options: object | undefined
  /** Of each message. */
  readonly bounds: CallBounds
  /** Reads the next message alone, within an operation. */
  readonly readOne: (bounds: CallBounds) => Promise<unknown>
}

type TurnState =
  | { readonly kind: 'running' }
  | { readonly kind: 'done'; readonly batch: MessageBatch; readonly end: number }
  | { readonly kind: 'failed'; readonly error: SockpoolError }

/** One piece of the stream on a parse thread. */
type Turn = {
  /** In the stream, of its first byte. */
  readonly offset: number
  readonly bytes: number
  /** Never rejects. */
  readonly settled: Promise<void>
  state: TurnState
}

/** What is left of a turn. */
type Front = {
  readonly batch: MessageBatch
  readonly end: number
  /** Of the next message, in the stream. */
  offset: number
  message: number
  /** The part that its value is in, and which of that; the values once they are made. */
  part: number
  value: number
  values: readonly unknown[] | null
}

export class MessageBatches {
  readonly #reading: MessageReading
  readonly #look: ReadAhead
  #front: Front | null = null
  #ahead: Turn[] = []
  /** The stream's, for which the turns hold. */
  #changes = 0
  #looked = { from: -1, to: -1 }
  #turnBytes: number = LIMITS.batchFirstBytes
  /** Up to this offset messages are read alone; Infinity while they are larger than a turn. */
  #aloneTo = -1
  /** On its own, so that what waits for the lease's end holds nothing else of this. */
  readonly #late: { wait: Wait<void> | null } = { wait: null }

  constructor(reading: MessageReading) {
    this.#reading = reading
    this.#look = reading.ends.reader.ahead()
  }

  /** Errors: as Lease.messages. */
  async *all(): AsyncGenerator<unknown, void, undefined> {
    const { keeper } = this.#reading
    const late = this.#late
    // Nobody waits on for a turn of a lease that has ended.
    void keeper.ended.then(() => late.wait?.resolve())
    try {
      for (;;) {
        while (this.#isReady()) yield this.#serve()
        if (await this.#nextPart()) continue
        yield await keeper.operation('parse', () => this.#read())
      }
    } finally {
      this.#drop()
    }
  }

  /** Whether the next message can be had at once. */
  #isReady(): boolean {
    const front = this.#front
    if (front === null) return false
    const { offset } = this.#reading.ends.reader
    while (front.offset < offset && this.#pass(front) > 0);
    if (front.values === null) return false
    return this.#isInPlace(front.offset) && this.#look.isIdle && !this.#reading.bounds.signal?.aborted
  }

  /** Errors: LEASE_GONE. */
  #serve(): unknown {
    const { ends, keeper } = this.#reading
    ends.assertHeld()
    const value = this.#take()
    keeper.served('parse')
    return value
  }

  #take(): unknown {
    const front = this.#front as Front
    const value = front.values?.[front.value]
    this.#look.drop(this.#pass(front))
    return value
  }

  /** Goes on to the message after the next; the bytes of that one, 0 where there is none. */
  #pass(front: Front): number {
    const length = front.batch.lengths[front.message] ?? 0
    if (length === 0) return 0
    front.message += 1
    front.offset += length
    front.value += 1
    if (front.value === front.batch.parts[front.part]?.count) {
      front.part += 1
      front.value = 0
      front.values = null
    }
    return length
  }

  /** Makes the values of the part that is next; false where there is none. Others have their turn before that. */
  async #nextPart(): Promise<boolean> {
    const front = this.#front
    if (front === null || front.values !== null) return false
    const part = front.batch.parts[front.part]
    if (part === undefined || !this.#isInPlace(front.offset)) {
      this.#front = null
      return false
    }
    this.#lookAhead()
    await nextTurn()
    front.values = await valuesOf(part)
    return true
  }

  /** The next message, which is not at hand. Errors: as Lease.parse. */
  async #read(): Promise<unknown> {
    const { ends, bounds, readOne } = this.#reading
    const { reader } = ends
    const startedMs = performance.now()
    const left = (): CallBounds => bounds.left(startedMs, performance.now())
    if (!bounds.signal?.aborted && this.#look.isIdle) {
      if (reader.buffered === 0) await reader.peek(1, bounds)
      if (reader.offset >= this.#aloneTo && (await this.#nextFront(left()))) return this.#take()
    }
    const { offset } = reader
    const value = await readOne(left())
    if (reader.offset - offset > LIMITS.batchBytesMax) this.#aloneTo = Number.POSITIVE_INFINITY
    else if (this.#aloneTo === Number.POSITIVE_INFINITY) this.#aloneTo = -1
    return value
  }

  /** Waits for the turn at the reader's place, and makes its first values; false where there is none to be had. */
  async #nextFront(bounds: CallBounds): Promise<boolean> {
    const { reader } = this.#reading.ends
    const { offset } = reader
    const turn = this.#turnAt(offset)
    if (turn === null) return false
    if (turn.state.kind === 'running') await this.#look.keepOut('parse()', () => this.#waitFor(turn, bounds))
    this.#assertKept()
    const { state } = turn
    if (state.kind === 'running') return false
    this.#ahead.shift()
    if (state.kind === 'failed') return this.#readAlone(turn, state.error)
    const [part] = state.batch.parts
    if (part === undefined) {
      this.#aloneTo = offset + 1
      return false
    }
    const values = await valuesOf(part)
    this.#assertKept()
    const { batch, end } = state
    this.#front = { batch, end, offset, message: 0, part: 0, value: 0, values }
    this.#lookAhead()
    return this.#isInPlace(offset)
  }

  /** What one message may have done to its thread comes out when each is read alone. Errors: the turn's, where it is not that. */
  #readAlone({ offset, bytes }: Turn, error: SockpoolError): false {
    const { code, reason } = error
    if (code !== 'PARSE_FAILED' && !(code === 'PARSE_TIMEOUT' && reason === 'running')) throw error
    this.#aloneTo = offset + bytes
    return false
  }

  /** The turn that begins there; null where what is there holds no message, as far as is known. */
  #turnAt(offset: number): Turn | null {
    const [turn] = this.#ahead
    if (turn !== undefined && turn.state.kind !== 'failed' && this.#isInPlace(turn.offset)) return turn
    this.#drop()
    return this.#begin(offset)
  }

  /** Keeps the turns going while messages are handed out. */
  #lookAhead(): void {
    const front = this.#front
    if (front === null || !this.#isInPlace(front.offset)) return
    const last = this.#ahead.at(-1)
    if (last !== undefined && last.state.kind !== 'done') return
    if (this.#ahead.length >= LIMITS.batchesAheadMax) return
    const end = last?.state.kind === 'done' ? last.state.end : front.end
    if (end >= this.#aloneTo) this.#begin(end)
  }

  #begin(offset: number): Turn | null {
    const { keeper, ends, format, options } = this.#reading
    const { reader, source } = ends
    const skip = offset - reader.offset
    const wanted = skip + this.#turnBytes
    const known = offset === this.#looked.from ? this.#looked.to : offset
    if (keeper.gone !== null || reader.offset + reader.buffered <= known) return null
    source.gather(wanted)
    const copy = this.#look.look(skip, this.#turnBytes)
    // What is small lies in memory that it shares with others, which would go with it.
    const bytes = copy.buffer.byteLength === copy.length ? copy : new Uint8Array(copy)
    const { length } = bytes
    const settled = keeper.parseBatch(format, bytes as Uint8Array<ArrayBuffer>, options).then(
      batch => this.#done(turn, batch),
      (error: unknown) => {
        turn.state = { kind: 'failed', error: SockpoolError.from(error) }
      },
    )
    const turn: Turn = { offset, bytes: length, settled, state: { kind: 'running' } }
    this.#ahead.push(turn)
    return turn
  }

  #done(turn: Turn, batch: MessageBatch): void {
    const { offset, bytes } = turn
    const end = batch.lengths.reduce((sum, length) => sum + length, offset)
    turn.state = { kind: 'done', batch, end }
    if (!this.#ahead.includes(turn)) return
    if (bytes === this.#turnBytes) this.#turnBytes = Math.min(bytes * 2, LIMITS.batchBytesMax)
    const isCutShort = batch.lengths.length === LIMITS.batchMessagesMax
    this.#looked = { from: end, to: isCutShort ? end : offset + bytes }
    if (end > offset) this.#lookAhead()
  }

  /** That its time is up is for the message alone to say. Errors: ABORTED. */
  async #waitFor({ settled }: Turn, bounds: CallBounds): Promise<void> {
    const wait = new Wait<void>('parse()', 'READ_TIMEOUT', bounds, () => {})
    this.#late.wait = wait
    void settled.then(() => wait.resolve())
    try {
      await wait.promise
    } catch (error) {
      if (!(error instanceof SockpoolError) || error.code !== 'READ_TIMEOUT') throw error
    } finally {
      this.#late.wait = null
    }
  }

  /** Whether the next byte to read is that one, as it was when a turn saw it. */
  #isInPlace(offset: number): boolean {
    return this.#reading.ends.reader.offset === offset && this.#look.changes === this.#changes
  }

  /** Errors: LEASE_GONE, also where only its last bytes are being sent. */
  #assertKept(): void {
    const { keeper } = this.#reading
    const gone = keeper.isEnding ? 'released' : keeper.gone
    if (gone !== null) throw goneError(gone)
  }

  #drop(): void {
    this.#front = null
    this.#ahead = []
    if (this.#look.changes === this.#changes) return
    this.#changes = this.#look.changes
    this.#looked = { from: -1, to: -1 }
    // What was decoded was in vain, and may be again.
    this.#turnBytes = LIMITS.batchFirstBytes
  }
}
