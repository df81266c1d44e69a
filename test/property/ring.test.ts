import { array, assert, bigInt, constantFrom, integer, nat, oneof, property, record, tuple } from 'fast-check'
import { expect, test } from 'vitest'
import { SockpoolError } from '../../src/base/errors.ts'
import { RingConsumer, RingProducer } from '../../src/channel/ring.ts'
import { counterSpan, type RingWords, type WideMemory } from '../../src/channel/ring-end.ts'
import { SharedWords } from '../../src/channel/words.ts'

const AT: RingWords = { head: 0, tail: 1, want: 2, room: 3 }
/** Bytes on either side of the ring that no operation may touch. */
const FENCE = 8
const FENCE_BYTE = 0xee

type Pair = { words: SharedWords; bytes: Uint8Array; wide: WideMemory; fences: Uint8Array[] }

/** A ring and its wide memory of so many rings, in the middle of a larger one; the counters are at `start`. */
function memoryOf(capacity: number, start: number, times = 1): Pair {
  const words = new SharedWords(new Int32Array(new SharedArrayBuffer(16)), 0, 1)
  const whole = new Uint8Array(new SharedArrayBuffer(capacity * (1 + times) + 3 * FENCE)).fill(FENCE_BYTE)
  words.store(AT.head, start)
  words.store(AT.tail, start)
  const own = FENCE + capacity
  const end = own + FENCE + capacity * times
  return {
    words,
    bytes: whole.subarray(FENCE, own),
    wide: { capacity: capacity * times, bytes: () => whole.subarray(own + FENCE, end) },
    fences: [whole.subarray(0, FENCE), whole.subarray(own, own + FENCE), whole.subarray(end)],
  }
}

function fencesStand({ fences }: Pair): boolean {
  return fences.every(fence => fence.every(byte => byte === FENCE_BYTE))
}

/** Both ends, and beside them what they must hold: the bytes written, and how many were consumed. */
class Model {
  readonly producer: RingProducer
  consumer: RingConsumer
  readonly memory: Pair
  readonly #ownBytes: number
  readonly #times: number
  #isWide = false
  readonly #stream: number[] = []
  #consumed = 0
  #want = 0
  #room = 0

  constructor({ capacity, start, times }: Geometry) {
    this.#ownBytes = capacity
    this.#times = times
    this.memory = memoryOf(capacity, start, times)
    const { words, bytes, wide } = this.memory
    this.producer = new RingProducer(words, AT, bytes, wide)
    this.consumer = new RingConsumer(words, AT, bytes, wide)
  }

  get capacity(): number {
    return this.#isWide ? this.#ownBytes * this.#times : this.#ownBytes
  }

  get #readable(): number {
    return this.#stream.length - this.#consumed
  }

  get #free(): number {
    return this.capacity - this.#readable
  }

  #next(count: number): Uint8Array {
    return Uint8Array.from({ length: count }, (_, index) => (this.#stream.length + index) * 7)
  }

  #published(chunk: Uint8Array, rings: boolean): void {
    this.#stream.push(...chunk)
    const wanted = Math.min(this.#want, this.capacity)
    expect(rings).toBe(wanted > 0 && this.#readable >= wanted)
    if (rings) this.#want = 0
  }

  fill(count: number): void {
    const chunk = this.#next(count)
    const filled = this.producer.fill(chunk)
    expect(filled).toBe(Math.min(count, this.#free))
    this.#published(chunk.subarray(0, filled), this.producer.publish(filled))
  }

  reserve(count: number): void {
    const piece = this.producer.reserve(Number.POSITIVE_INFINITY)
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
    const rings = this.consumer.consume(taken)
    this.#consumed += taken
    expect(rings).toBe(this.#frees(taken))
    if (rings) this.#room = 0
  }

  /** Whether giving back so many bytes rings the producer. */
  #frees(freed: number): boolean {
    return freed > 0 && this.#room > 0 && this.#free >= Math.min(this.#room, this.capacity)
  }

  widen(): void {
    this.#move('wide')
  }

  narrow(): void {
    this.#move('own')
  }

  /** A ring with bytes in it stays where it is. */
  #move(where: 'wide' | 'own'): void {
    if (this.#readable > 0) {
      expect(() => this.producer.move(where)).toThrow(/moved a ring/)
      return
    }
    this.producer.move(where)
    this.#isWide = where === 'wide'
  }

  hurry(): void {
    expect(this.consumer.hurry()).toBe(this.#room > 0)
    this.#room = 0
  }

  wish(count: number): void {
    const wanted = Math.min(count, this.capacity)
    const waits = wanted > this.#readable
    expect(this.consumer.wish(count)).toBe(waits)
    this.#want = waits ? wanted : 0
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
    const { words, bytes, wide } = this.memory
    this.consumer = new RingConsumer(words, AT, bytes, wide)
  }

  check(): void {
    const readable = this.#stream.slice(this.#consumed)
    expect(this.consumer.readable).toBe(readable.length)
    expect(this.consumer.capacity).toBe(this.capacity)
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
    expect(fencesStand(this.memory)).toBe(true)
  }
}

const ACTIONS = [
  'fill',
  'reserve',
  'consume',
  'wish',
  'wishRoom',
  'withdraw',
  'handOver',
  'hurry',
  'widen',
  'narrow',
] as const

const action = tuple(constantFrom(...ACTIONS), integer({ min: 0, max: 24 }))

type Geometry = { capacity: number; start: number; times: number }

/** Any capacity, and a start that the counters wrap from within a few operations, or any other. */
const geometry = record({
  capacity: oneof(integer({ min: 1, max: 20 }), constantFrom(63, 64, 333)),
  times: integer({ min: 1, max: 5 }),
  beforeWrap: oneof(nat(40), bigInt(0n, 2n ** 31n).map(Number)),
}).map(({ capacity, beforeWrap, times }): Geometry => {
  const span = counterSpan(capacity * times)
  return { capacity, times, start: (span - 1 - (beforeWrap % span) + span) % span }
})

test('RingProducer and RingConsumer agree with a plain array under any operations', async () => {
  await assert(
    property(geometry, array(action, { maxLength: 60 }), (shape, actions) => {
      const model = new Model(shape)
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

/** What a use may do with a ring whose words lie: die of CHANNEL_CORRUPT, or go on; false where it died. */
function survives(use: () => void): boolean {
  try {
    use()
    return true
  } catch (error) {
    if (!(error instanceof SockpoolError) || error.code !== 'CHANNEL_CORRUPT') throw error
    return false
  }
}

test('a corrupt control word is CHANNEL_CORRUPT or shows no byte beyond the ring', async () => {
  const cases = property(
    geometry,
    nat(400),
    nat(400),
    constantFrom('head', 'tail', 'want', 'room'),
    anyWord,
    ({ capacity, start, times }, written, read, word, value) => {
      const memory = memoryOf(capacity, start, times)
      const { words, bytes, wide } = memory
      const producer = new RingProducer(words, AT, bytes, wide)
      const consumer = new RingConsumer(words, AT, bytes, wide)
      producer.publish(producer.fill(new Uint8Array(written % (capacity + 1))))
      consumer.consume(Math.min(read, consumer.readable))
      words.store(AT[word], value)
      survives(() => {
        const { readable } = consumer
        expect(readable).toBeGreaterThanOrEqual(0)
        expect(readable).toBeLessThanOrEqual(consumer.capacity)
        expect(Buffer.concat(consumer.views())).toHaveLength(readable)
        expect(consumer.first().length).toBeLessThanOrEqual(readable)
        consumer.wish(1 + (read % capacity))
        consumer.consume(readable)
      })
      survives(() => {
        expect(producer.free).toBeGreaterThanOrEqual(0)
        expect(producer.free).toBeLessThanOrEqual(capacity)
        expect(producer.reserve(Number.POSITIVE_INFINITY).length).toBeLessThanOrEqual(producer.free)
        producer.wishRoom(1 + (written % capacity))
        producer.publish(producer.fill(new Uint8Array(capacity)))
      })
      expect(fencesStand(memory)).toBe(true)
    },
  )
  await assert(cases, { numRuns: 4_000 })
})

/** Both ends of a ring in use while its words are overwritten; each is used until it says that they are corrupt. */
class Mistreated {
  readonly #memory: Pair
  readonly #places: readonly Uint8Array[]
  #producer: RingProducer | null
  #consumer: RingConsumer | null
  #isWideLost = false
  /** What each end has been told that it may take: callers remember such numbers over many other calls. */
  #free = 0
  #readable = 0

  constructor({ capacity, start, times }: Geometry) {
    this.#memory = memoryOf(capacity, start, times)
    const { words, bytes, wide } = this.#memory
    const losable: WideMemory = {
      capacity: wide.capacity,
      bytes: () => (this.#isWideLost ? null : wide.bytes()),
    }
    this.#places = [bytes, wide.bytes() ?? bytes]
    for (const place of this.#places) place.fill(0)
    this.#producer = new RingProducer(words, AT, bytes, losable)
    this.#consumer = new RingConsumer(words, AT, bytes, losable)
  }

  write(count: number): void {
    this.#produce(ring => {
      this.#free = ring.free
      const filled = ring.fill(new Uint8Array(count))
      expect(filled).toBeLessThanOrEqual(ring.capacity)
      this.#free -= filled
      ring.publish(filled)
    })
  }

  /** Fills in place what was reserved, and publishes it later. */
  reserve(count: number): void {
    this.#produce(ring => {
      this.#checkPlace([ring.reserve(Number.POSITIVE_INFINITY)])
      this.#free = ring.freeUpTo(count)
    })
  }

  publish(count: number): void {
    this.#produce(ring => {
      const published = Math.min(count, this.#free)
      this.#free -= published
      ring.publish(published)
    })
  }

  wishRoom(count: number): void {
    this.#produce(ring => ring.wishRoom(count))
  }

  move(count: number): void {
    this.#produce(ring => {
      if (ring.pending > 0) return
      ring.move(count % 2 === 0 ? 'wide' : 'own')
      this.#free = ring.free
    })
  }

  look(): void {
    this.#consume(ring => {
      this.#readable = ring.readable
      expect(this.#readable).toBeGreaterThanOrEqual(0)
      expect(this.#readable).toBeLessThanOrEqual(ring.capacity)
      const views = ring.views()
      this.#checkPlace([...views, ring.first()])
      expect(Buffer.concat(views).length).toBeLessThanOrEqual(ring.capacity)
    })
  }

  /** Takes of what an earlier look has shown. */
  take(count: number): void {
    this.#consume(ring => {
      const taken = Math.min(count, this.#readable)
      const target = Buffer.alloc(taken, FENCE_BYTE + 1)
      ring.copy(target)
      expect(target.includes(FENCE_BYTE)).toBe(false)
      this.#readable -= taken
      ring.consume(taken)
    })
  }

  wish(count: number): void {
    this.#consume(ring => ring.wish(count))
  }

  hurry(): void {
    this.#consume(ring => ring.hurry())
  }

  loseWide(): void {
    this.#isWideLost = true
  }

  overwrite(word: keyof RingWords, value: number): void {
    this.#memory.words.store(AT[word], value)
  }

  /** By a little, as words go wrong that are nearly right. */
  shift(word: keyof RingWords, by: number): void {
    this.overwrite(word, this.#memory.words.load(AT[word]) + by)
  }

  check(): void {
    expect(fencesStand(this.#memory)).toBe(true)
  }

  #produce(use: (ring: RingProducer) => void): void {
    const ring = this.#producer
    if (ring && !survives(() => use(ring))) this.#producer = null
  }

  #consume(use: (ring: RingConsumer) => void): void {
    const ring = this.#consumer
    if (ring && !survives(() => use(ring))) this.#consumer = null
  }

  #checkPlace(views: readonly Uint8Array[]): void {
    for (const view of views) {
      const isInside = this.#places.some(
        place =>
          view.buffer === place.buffer &&
          view.byteOffset >= place.byteOffset &&
          view.byteOffset + view.length <= place.byteOffset + place.length,
      )
      expect(isInside || view.length === 0).toBe(true)
    }
  }
}

const USES = [
  'write',
  'reserve',
  'publish',
  'wishRoom',
  'move',
  'look',
  'take',
  'wish',
  'hurry',
  'loseWide',
] as const
const anyRingWord = constantFrom('head', 'tail', 'want', 'room')
const step = oneof(
  { weight: 8, arbitrary: tuple(constantFrom(...USES), nat(24)) },
  { weight: 1, arbitrary: tuple(constantFrom('overwrite'), anyRingWord, anyWord) },
  { weight: 3, arbitrary: tuple(constantFrom('shift'), anyRingWord, integer({ min: -24, max: 24 })) },
)

test('a ring whose words are overwritten at any time is CHANNEL_CORRUPT or stays within its memory', async () => {
  const cases = property(geometry, array(step, { maxLength: 60 }), (shape, steps) => {
    const ring = new Mistreated(shape)
    for (const taken of steps) {
      if (taken[0] === 'overwrite' || taken[0] === 'shift') ring[taken[0]](taken[1], taken[2])
      else ring[taken[0]](taken[1])
      ring.check()
    }
  })
  await assert(cases, { numRuns: 10_000 })
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

test('a tail that falls back before the head is CHANNEL_CORRUPT', () => {
  const { words, bytes } = memoryOf(16, 0)
  const producer = new RingProducer(words, AT, bytes)
  const consumer = new RingConsumer(words, AT, bytes)
  producer.publish(producer.fill(new Uint8Array(6)))
  consumer.consume(5)
  words.store(AT.tail, 2)
  for (const look of [() => consumer.readable, () => consumer.views(), () => consumer.first()])
    expect(look).toThrow(expect.objectContaining({ code: 'CHANNEL_CORRUPT' }))
})
