import { array, assert, bigInt, constantFrom, integer, nat, oneof, property, record, tuple } from 'fast-check'
import { expect, test } from 'vitest'
import { SockpoolError } from '../../src/base/errors.ts'
import { counterSpan, RingConsumer, RingProducer, type RingWords } from '../../src/channel/ring.ts'
import { SharedWords } from '../../src/channel/words.ts'

const AT: RingWords = { head: 0, tail: 1, want: 2, room: 3 }
/** Bytes on either side of the ring that no operation may touch. */
const FENCE = 8
const FENCE_BYTE = 0xee

type Pair = { words: SharedWords; bytes: Uint8Array; whole: Uint8Array }

/** A ring in the middle of a larger memory, its counters at `start`. */
function memoryOf(capacity: number, start: number): Pair {
  const words = new SharedWords(new Int32Array(new SharedArrayBuffer(16)), 0, 1)
  const whole = new Uint8Array(new SharedArrayBuffer(capacity + 2 * FENCE)).fill(FENCE_BYTE)
  words.store(AT.head, start)
  words.store(AT.tail, start)
  return { words, bytes: whole.subarray(FENCE, FENCE + capacity), whole }
}

function fencesStand(whole: Uint8Array): boolean {
  return [...whole.subarray(0, FENCE), ...whole.subarray(-FENCE)].every(byte => byte === FENCE_BYTE)
}

/** Both ends, and beside them what they must hold: the bytes written, and how many were consumed. */
class Model {
  readonly producer: RingProducer
  consumer: RingConsumer
  readonly memory: Pair
  readonly capacity: number
  readonly #keep: number
  readonly #stream: number[] = []
  #consumed = 0
  #kept = 0
  #want = 0
  #room = 0

  constructor(capacity: number, keep: number, start: number) {
    this.capacity = capacity
    this.#keep = keep
    this.memory = memoryOf(capacity, start)
    const { words, bytes } = this.memory
    this.producer = new RingProducer(words, AT, bytes)
    this.consumer = new RingConsumer(words, AT, bytes, keep)
  }

  get #readable(): number {
    return this.#stream.length - this.#consumed
  }

  get #free(): number {
    return this.capacity - this.#readable - this.#kept
  }

  #next(count: number): Uint8Array {
    return Uint8Array.from({ length: count }, (_, index) => (this.#stream.length + index) * 7)
  }

  #published(chunk: Uint8Array, rings: boolean): void {
    this.#stream.push(...chunk)
    expect(rings).toBe(this.#want > 0 && this.#readable + this.#kept >= this.#want)
    if (rings) this.#want = 0
  }

  fill(count: number): void {
    const chunk = this.#next(count)
    const filled = this.producer.fill(chunk)
    expect(filled).toBe(Math.min(count, this.#free))
    this.#published(chunk.subarray(0, filled), this.producer.publish(filled))
  }

  reserve(count: number): void {
    const piece = this.producer.reserve()
    expect(this.producer.isAtTail(piece)).toBe(true)
    expect(piece.length > 0).toBe(this.#free > 0)
    expect(piece.length).toBeLessThanOrEqual(this.#free)
    const chunk = this.#next(Math.min(count, piece.length))
    piece.set(chunk)
    this.#published(chunk, this.producer.publish(chunk.length))
    expect(this.producer.isAtTail(piece)).toBe(chunk.length === 0 || chunk.length === this.capacity)
  }

  consume(count: number): void {
    const taken = Math.min(count, this.#readable)
    const target = Buffer.alloc(taken)
    this.consumer.copy(target)
    expect([...target]).toEqual(this.#stream.slice(this.#consumed, this.#consumed + taken))
    const freed = Math.max(0, this.#kept + taken - this.#keep)
    const rings = this.consumer.consume(taken)
    this.#consumed += taken
    this.#kept += taken - freed
    expect(rings).toBe(freed > 0 && this.#room > 0 && this.#free >= this.#room)
    if (rings) this.#room = 0
  }

  forget(): void {
    const freed = this.#kept
    this.#kept = 0
    const rings = this.consumer.forget()
    expect(rings).toBe(freed > 0 && this.#room > 0 && this.#free >= this.#room)
    // A wish for bytes was counted with the kept ones; its owner makes a new one.
    this.consumer.withdrawWish()
    this.#want = 0
    if (rings) this.#room = 0
  }

  hurry(): void {
    expect(this.consumer.hurry()).toBe(this.#room > 0)
    this.#room = 0
  }

  wish(count: number): void {
    const wanted = Math.min(count, this.capacity - this.#keep)
    const waits = wanted > this.#readable
    expect(this.consumer.wish(count)).toBe(waits)
    this.#want = waits ? wanted + this.#kept : 0
  }

  wishRoom(count: number): void {
    const wanted = Math.min(count, this.capacity)
    const waits = wanted > this.#free
    expect(this.producer.wishRoom(count)).toBe(waits)
    this.#room = waits ? wanted : 0
  }

  withdraw(): void {
    this.consumer.withdrawWish()
    this.producer.withdrawRoom()
    this.#want = 0
    this.#room = 0
  }

  /** Another thread takes the reading end over. */
  handOver(): void {
    const { words, bytes } = this.memory
    this.consumer = new RingConsumer(words, AT, bytes, this.#keep, this.consumer.kept)
  }

  check(): void {
    const readable = this.#stream.slice(this.#consumed)
    expect(this.consumer.readable).toBe(readable.length)
    expect(this.consumer.kept).toBe(this.#kept)
    expect(this.consumer.room).toBe(this.capacity - this.#keep)
    expect(this.producer.free).toBe(this.#free)
    expect(this.producer.pending).toBe(this.capacity - this.#free)
    const views = this.consumer.views()
    expect(views.length).toBeLessThanOrEqual(2)
    expect([...Buffer.concat(views)]).toEqual(readable)
    const first = [...this.consumer.first()]
    expect(first).toEqual(readable.slice(0, first.length))
    expect(first.length > 0).toBe(readable.length > 0)
    expect(this.memory.words.load(AT.want)).toBe(this.#want)
    expect(this.producer.isAwaited).toBe(this.#want > 0)
    expect(this.memory.words.load(AT.room)).toBe(this.#room)
    this.#checkReplay()
    expect(fencesStand(this.memory.whole)).toBe(true)
  }

  /** A reader who goes back by the kept bytes finds them as they were. */
  #checkReplay(): void {
    const { words, bytes } = this.memory
    const back = Buffer.concat(new RingConsumer(words, AT, bytes, this.#keep, 0).views())
    expect([...back]).toEqual(this.#stream.slice(this.#consumed - this.#kept))
  }
}

const action = tuple(
  constantFrom('fill', 'reserve', 'consume', 'wish', 'wishRoom', 'withdraw', 'handOver', 'forget', 'hurry'),
  integer({ min: 0, max: 24 }),
)

/** Any capacity, a keep below it, and a start that the counters wrap from within a few operations, or any other. */
const geometry = record({
  capacity: oneof(integer({ min: 1, max: 20 }), constantFrom(63, 64, 333)),
  keep: nat(1_000),
  beforeWrap: oneof(nat(40), bigInt(0n, 2n ** 31n).map(Number)),
}).map(({ capacity, keep, beforeWrap }) => {
  const span = counterSpan(capacity)
  return { capacity, keep: keep % capacity, start: (span - 1 - (beforeWrap % span) + span) % span }
})

test('RingProducer and RingConsumer agree with a plain array under any operations', async () => {
  await assert(
    property(geometry, array(action, { maxLength: 60 }), ({ capacity, keep, start }, actions) => {
      const model = new Model(capacity, keep, start)
      for (const [name, count] of actions) {
        model[name](count)
        model.check()
      }
    }),
    { numRuns: 1_500 },
  )
})

test('counterSpan is the largest multiple of the capacity that an Int32 can count to', async () => {
  await assert(
    property(integer({ min: 1, max: 2 ** 27 }), capacity => {
      const span = counterSpan(capacity)
      expect(span % capacity).toBe(0)
      expect(span).toBeLessThan(2 ** 31)
      expect(span + capacity).toBeGreaterThanOrEqual(2 ** 31)
    }),
  )
})

const anyWord = oneof(
  integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
  integer({ min: -70, max: 70 }),
  constantFrom(-(2 ** 31), 2 ** 31 - 1),
)

/** What a use may do with a ring whose words lie: die of CHANNEL_CORRUPT, or go on. */
function survives(use: () => void): void {
  try {
    use()
  } catch (error) {
    if (!(error instanceof SockpoolError) || error.code !== 'CHANNEL_CORRUPT') throw error
  }
}

test('a corrupt control word is CHANNEL_CORRUPT or shows no byte beyond the ring', async () => {
  const cases = property(
    geometry,
    nat(400),
    nat(400),
    constantFrom('head', 'tail', 'want', 'room'),
    anyWord,
    ({ capacity, keep, start }, written, read, word, value) => {
      const { words, bytes, whole } = memoryOf(capacity, start)
      const producer = new RingProducer(words, AT, bytes)
      const consumer = new RingConsumer(words, AT, bytes, keep)
      producer.publish(producer.fill(new Uint8Array(written % (capacity + 1))))
      consumer.consume(Math.min(read, consumer.readable))
      words.store(AT[word], value)
      survives(() => {
        const { readable } = consumer
        expect(readable).toBeGreaterThanOrEqual(0)
        expect(readable).toBeLessThanOrEqual(capacity - consumer.kept)
        expect(Buffer.concat(consumer.views())).toHaveLength(readable)
        expect(consumer.first().length).toBeLessThanOrEqual(readable)
        consumer.wish(1 + (read % capacity))
        consumer.consume(readable)
      })
      survives(() => {
        expect(producer.free).toBeGreaterThanOrEqual(0)
        expect(producer.free).toBeLessThanOrEqual(capacity)
        expect(producer.reserve().length).toBeLessThanOrEqual(producer.free)
        producer.wishRoom(1 + (written % capacity))
        producer.publish(producer.fill(new Uint8Array(capacity)))
      })
      expect(fencesStand(whole)).toBe(true)
    },
  )
  await assert(cases, { numRuns: 4_000 })
})

test.each(['head', 'tail'] as const)('a %s out of range is CHANNEL_CORRUPT to both ends', word => {
  const { words, bytes } = memoryOf(10, 0)
  const producer = new RingProducer(words, AT, bytes)
  const consumer = new RingConsumer(words, AT, bytes)
  for (const value of [-1, 11, counterSpan(10), 2 ** 31 - 1, -(2 ** 31)]) {
    words.store(AT[word], value)
    const look = word === 'head' ? () => producer.free : () => consumer.readable
    expect(look).toThrow(expect.objectContaining({ code: 'CHANNEL_CORRUPT' }))
  }
})

test('a tail that falls back into the replay window is CHANNEL_CORRUPT', () => {
  const { words, bytes } = memoryOf(16, 0)
  const producer = new RingProducer(words, AT, bytes)
  const consumer = new RingConsumer(words, AT, bytes, 8)
  producer.publish(producer.fill(new Uint8Array(6)))
  consumer.consume(5)
  words.store(AT.tail, 2)
  for (const look of [() => consumer.readable, () => consumer.views(), () => consumer.first()])
    expect(look).toThrow(expect.objectContaining({ code: 'CHANNEL_CORRUPT' }))
})
