/** Every interleaving of a ring's threads; and proof that the explorer sees a fault. */
import { describe, expect, test } from 'vitest'
import type { RingConsumer, RingProducer } from '../../../src/channel/ring.ts'
import { countingExplorer } from '../../support/explored-scenes.ts'
import { explore, type Scene, type Thread, type ThreadMemory } from '../../support/interleavings.ts'
import {
  CONSUMER_BELL,
  type ConsumerState,
  ConsumerThread,
  checkOrder,
  END,
  type How,
  killer,
  PRODUCER_BELL,
  type ProducerState,
  ProducerThread,
  RING,
  ringConsumer,
  ringProducer,
  sceneOf,
  waitFor,
  withdrawBlockedWishes,
} from '../../support/ring-threads.ts'

const exploreAll = countingExplorer()

const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0)

type Case = { capacity: number; producer: How; consumer: How }

const CAPACITIES = [1, 2, 3, 4]
const CASES: Case[] = CAPACITIES.flatMap(capacity =>
  (['bell', 'block'] as const).flatMap(consumer =>
    (['bell', 'block'] as const).map(producer => ({ capacity, producer, consumer })),
  ),
)

/** Producer and consumer; the stream ends after the last byte where `finishes`. */
function pair(scene: Case, writes: number[], wishes: number[], finishes = false): Thread[] {
  const { capacity, producer, consumer } = scene
  const total = sum(writes)
  return [
    new ProducerThread({ capacity, how: producer, writes, roomMax: capacity, finishes }),
    new ConsumerThread({
      capacity,
      how: consumer,
      wishes,
      total: finishes ? null : total,
      least: finishes ? total : 0,
    }),
  ]
}

describe('RingProducer and RingConsumer lose, repeat and reorder nothing and always wake each other', () => {
  test.each(CASES)('capacity $capacity, $producer to $consumer: six operations', scene => {
    const { capacity } = scene
    const scripts = [
      [
        [1, 1, 1],
        [1, 1, 1],
      ],
      [
        [capacity, 1, 1],
        [1, capacity, 1],
      ],
    ] as const
    exploreAll(scripts.map(([writes, wishes]) => sceneOf(capacity, pair(scene, [...writes], [...wishes]))))
  })

  test.each(CASES)('capacity $capacity, $producer to $consumer: a FIN after the last byte', scene => {
    exploreAll([sceneOf(scene.capacity, pair(scene, [scene.capacity], [scene.capacity], true))])
  })

  test.each(CASES.filter(({ producer, consumer }) => producer === consumer))(
    'capacity $capacity, $producer: a death at any moment wakes whoever waits',
    ({ capacity, producer: how }) => {
      const writing = { capacity, how, roomMax: capacity, finishes: false }
      const reading = { capacity, how, least: 0 }
      exploreAll([
        // The consumer waits for a byte that never comes, the producer for room that nobody makes.
        sceneOf(capacity, [
          new ProducerThread({ ...writing, writes: [1] }),
          new ConsumerThread({ ...reading, wishes: [1], total: 2 }),
          killer,
        ]),
        sceneOf(capacity, [new ProducerThread({ ...writing, writes: [capacity + 1] }), killer]),
      ])
    },
  )
})

describe('the explorer finds', () => {
  const script = { capacity: 2, how: 'bell', writes: [2, 1], roomMax: 2, finishes: false } as const
  const reading = { capacity: 2, how: 'bell', wishes: [2, 1], total: 3, least: 3 } as const

  test('nothing in the pair that the broken ones differ from', () => {
    expect(
      explore(sceneOf(2, [new ProducerThread(script), new ConsumerThread(reading)])).states,
    ).toBeGreaterThan(1)
  })

  test('a consumer that looks at the tail before it stores its wish', () => {
    class Hasty extends ConsumerThread {
      protected override waitForBytes(state: ConsumerState, memory: ThreadMemory): ConsumerState {
        const wanted = this.wanted(state)
        if (ringConsumer(memory, state, this.script).readable >= wanted) return { ...state, phase: 'read' }
        memory.store(RING.want, wanted)
        waitFor('bell', RING.want, CONSUMER_BELL, memory)
        return state
      }
    }
    expect(() => explore(sceneOf(2, [new ProducerThread(script), new Hasty(reading)]))).toThrow(
      /^deadlock: consumer/,
    )
  })

  test('a producer that publishes before it copies', () => {
    class Early extends ProducerThread {
      protected override write(ring: RingProducer, chunk: Uint8Array, memory: ThreadMemory): number {
        const piece = ring.reserve(Number.POSITIVE_INFINITY)
        const count = Math.min(piece.length, chunk.length)
        const rings = count > 0 && ring.publish(count)
        piece.set(chunk.subarray(0, count))
        if (rings) memory.store(CONSUMER_BELL, 1)
        return count
      }
    }
    expect(() => explore(sceneOf(2, [new Early(script), new ConsumerThread(reading)]))).toThrow(
      /^violation: Error: byte \d came as/,
    )
  })

  test('a consumer that gives bytes back before it copies them', () => {
    class Careless extends ConsumerThread {
      protected override read(ring: RingConsumer, state: ConsumerState, memory: ThreadMemory): number {
        const pieces = ring.views()
        const count = sum(pieces.map(piece => piece.length))
        const rings = ring.consume(count)
        memory.pause()
        checkOrder(Buffer.concat(pieces), state.received)
        if (rings) memory.store(PRODUCER_BELL, 1)
        return count
      }
    }
    const writes = [2, 2]
    const threads = [new ProducerThread({ ...script, writes }), new Careless({ ...reading, total: 4 })]
    expect(() => explore(sceneOf(2, threads))).toThrow(/^violation: Error: byte \d came as/)
  })

  test('a death that is told only after the blocked were woken', () => {
    const late: Thread = {
      name: 'killer',
      start: {},
      operation(_state, memory) {
        withdrawBlockedWishes(memory)
        memory.store(END, 1)
        return null
      },
    }
    const consumer = new ConsumerThread({ ...reading, how: 'block', total: 4 })
    expect(() => explore(sceneOf(2, [new ProducerThread(script), consumer, late]))).toThrow(
      /^deadlock: consumer/,
    )
  })
})

/** Takes no more than it wished for, so that bytes and room may both be too few for the two who wait. */
class Sparing extends ConsumerThread {
  readonly #hurries: boolean

  constructor(script: ConstructorParameters<typeof ConsumerThread>[0], hurries: boolean) {
    super(script)
    this.#hurries = hurries
  }

  protected override waitForBytes(state: ConsumerState, memory: ThreadMemory): ConsumerState {
    const ring = ringConsumer(memory, state, this.script)
    if (!ring.wish(this.wanted(state), this.script.how)) return { ...state, phase: 'read' }
    if (this.#hurries && ring.hurry()) memory.store(PRODUCER_BELL, 1)
    waitFor(this.script.how, RING.want, CONSUMER_BELL, memory)
    return state
  }

  protected override most(ring: RingConsumer, state: ConsumerState): number {
    return Math.min(ring.readable, this.wanted(state))
  }
}

/** Waits for much room, but for none where its consumer is hungry and there is some. */
class Heedful extends ProducerThread {
  protected override waitForRoom(state: ProducerState, memory: ThreadMemory): ProducerState | null {
    const ring = ringProducer(memory, state.tail, this.script)
    if (!ring.wishRoom(this.script.roomMax, this.script.how)) return { ...state, phase: 'write' }
    if (ring.isAwaited && ring.free > 0) return { ...state, phase: 'write' }
    waitFor(this.script.how, RING.room, PRODUCER_BELL, memory)
    // Woken is allowed to try: the room may be less than it wished for, and still all there will be.
    return { ...state, phase: 'write' }
  }
}

describe('RingConsumer.hurry', () => {
  const scene = (how: How, hurries: boolean): Scene => {
    const producer = new Heedful({ capacity: 4, how, writes: [4, 4], roomMax: 3, finishes: false })
    const reading = { capacity: 4, how, wishes: [2, 4, 2], total: 8, least: 8 }
    return sceneOf(4, [producer, new Sparing(reading, hurries)])
  }

  test.each(['bell', 'block'] as const)('frees two who each wait for more than the other has (%s)', how => {
    exploreAll([scene(how, true)])
  })

  test.each(['bell', 'block'] as const)('is missed where it is left out (%s)', how => {
    expect(() => explore(scene(how, false))).toThrow(/^deadlock: producer and consumer/)
  })
})

/** Moves between the ring's own memory and the wide one whenever it finds the ring empty. */
class Moving extends ProducerThread {
  protected override write(ring: RingProducer, chunk: Uint8Array, memory: ThreadMemory): number {
    if (this.mayMove(ring)) ring.move(ring.isWide ? 'own' : 'wide')
    return super.write(ring, chunk, memory)
  }

  protected mayMove(ring: RingProducer): boolean {
    return ring.pending === 0
  }
}

/** Knows which memory the ring is in before it wishes, and so may wish for more than there will be room for. */
class Knowing extends ConsumerThread {
  protected override wish(ring: RingConsumer, state: ConsumerState): boolean {
    return ring.readable < this.wanted(state) && super.wish(ring, state)
  }
}

describe('RingProducer.move', () => {
  const moving = (capacity: number, how: How, Kind: typeof Moving): Scene => {
    const times = 2
    const side = { capacity, times, how }
    const writes = [capacity, 2 * capacity, 1]
    const total = sum(writes)
    const threads = [
      new Kind({ ...side, writes, roomMax: 2 * capacity, finishes: false }),
      // Wishes that fit the wide memory alone are made while the ring may be leaving it.
      new Knowing({ ...side, wishes: [1, 2 * capacity, 1], total, least: total }),
    ]
    return sceneOf(capacity, threads, times)
  }

  test.each(
    CAPACITIES.flatMap(capacity => [
      { capacity, how: 'bell' as const },
      { capacity, how: 'block' as const },
    ]),
  )(
    'loses nothing and wakes whoever waits, from capacity $capacity to twice that and back ($how)',
    ({ capacity, how }) => exploreAll([moving(capacity, how, Moving)]),
  )

  test('is seen to fail where a ring moves with bytes in it', () => {
    class Rash extends Moving {
      protected override mayMove(ring: RingProducer): boolean {
        return ring.free > 0
      }
    }
    expect(() => explore(moving(2, 'bell', Rash))).toThrow(/moved a ring with \d bytes in it/)
  })
})
