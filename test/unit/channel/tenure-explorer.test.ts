/**
 * Every interleaving of a holder whose lease is over with those whom its channel serves next.
 *
 * An end asks whether its time holds, and writes a step later; in between, its time may end. So the fence alone keeps a
 * call from writing anything that begins after the end, and every read from passing off another's bytes as its own. That
 * a call which had begun writes nothing either takes a pin: the channel is not handed on before the end is detached.
 */
import { describe, expect, test } from 'vitest'
import { SockpoolError } from '../../../src/base/errors.ts'
import { type Channel, IN, OUT } from '../../../src/channel/channel.ts'
import { RingConsumer, RingProducer } from '../../../src/channel/ring.ts'
import { ENDLESS, type Tenure } from '../../../src/channel/tenure.ts'
import type { Words } from '../../../src/channel/words.ts'
import {
  channelOn,
  channelScene,
  DETACHED_BELL,
  EMPTY_RING,
  EPOCH,
  GENERATION,
  HOLDER_BELL,
  IO_BELL,
  WordsThrough,
} from '../../support/channel-scenes.ts'
import { countingExplorer } from '../../support/explored-scenes.ts'
import {
  explore,
  FaultFound,
  type Scene,
  type Thread,
  type ThreadMemory,
} from '../../support/interleavings.ts'
import { check } from '../../support/ring-threads.ts'

const exploreAll = countingExplorer()

const FIRST_EPOCH = 1
const FIRST_GENERATION = 1
/** What each holder writes, byte by byte. */
const OLD = [0xa1, 0xa2] as const
const NEW = [0xb1, 0xb2] as const

type TenureOf = (channel: Channel) => Tenure
const byValue: TenureOf = channel => channel.leaseTenure(FIRST_EPOCH)
/** As the fence once was: every other lease has the same parity. */
const byParity: TenureOf = channel => ({
  get holds() {
    return channel.isLeased
  },
  get stillHolds() {
    return channel.isLeased
  },
})

/** What a call gives, or null where its lease is over; whatever else is thrown goes on. */
function unlessGone<T>(call: () => T): T | null {
  try {
    return call()
  } catch (error) {
    if (error instanceof SockpoolError && error.code === 'LEASE_GONE') return null
    throw error
  }
}

type Writing = { readonly tail: number; readonly turn: number }

/** The holder whose lease ends under it: writes a byte with each call, as long as it may; then it is detached. */
const oldWriter: Thread<Writing> = {
  name: 'old',
  start: { tail: 0, turn: 0 },
  operation({ tail, turn }, memory) {
    const rings = unlessGone(() => writeByte(memory, memory, tail, byValue, OLD[turn] ?? 0))
    if (rings) memory.store(IO_BELL, 1)
    if (rings !== null && turn + 1 < OLD.length) return { tail: memory.peek(OUT.tail), turn: turn + 1 }
    memory.store(DETACHED_BELL, 1)
    return null
  },
}

function writeByte(
  memory: ThreadMemory,
  words: Words,
  tail: number,
  tenureOf: TenureOf,
  byte: number,
): boolean {
  const tenure = tenureOf(channelOn(memory))
  const known = new Map([[OUT.tail, tail]])
  const ring = memory.knowing(known, () => new RingProducer(words, OUT, memory.bytes, null, tenure))
  return ring.publish(ring.fill(Uint8Array.of(byte)))
}

/** How a channel comes from one lease to the next. */
type HandOver = 'recycled' | 'reused'

type Handing = { readonly at: 'end' | 'pin' | 'hand' | 'write'; readonly turn: number; readonly tail: number }

/** The pool: ends the lease, hands the channel on, and is its next holder, which writes some bytes. */
function pool(handOver: HandOver, isPinned: boolean, writes: readonly number[]): Thread<Handing> {
  return {
    name: 'pool',
    start: { at: 'end', turn: 0, tail: 0 },
    operation({ at, turn, tail }, memory) {
      const channel = channelOn(memory)
      switch (at) {
        case 'end':
          channel.advanceEpoch()
          return { at: isPinned ? 'pin' : 'hand', turn, tail }
        case 'pin':
          memory.awaitBell(DETACHED_BELL)
          return { at: 'hand', turn, tail }
        case 'hand':
          if (handOver === 'recycled') channel.reset()
          else sendAll(memory)
          channel.advanceEpoch()
          memory.store(IO_BELL, 1)
          return writes.length > 0 ? { at: 'write', turn, tail: memory.peek(OUT.tail) } : null
        case 'write':
          writeByte(memory, memory, tail, now => now.leaseTenure(now.epoch), writes[turn] ?? 0)
          memory.store(IO_BELL, 1)
          return turn + 1 < writes.length ? { at, turn: turn + 1, tail: memory.peek(OUT.tail) } : null
        default:
          return at satisfies never
      }
    },
  }
}

/** As its I/O worker does: a connection is reused once it has sent all. */
function sendAll(memory: ThreadMemory): void {
  const ring = new RingConsumer(memory, OUT, memory.bytes)
  ring.consume(ring.readable)
}

type Sending = { readonly sent: number; readonly head: number }

/** The I/O worker: sends what the new lease writes, which is all that it ever finds. */
const kernel: Thread<Sending> = {
  name: 'kernel',
  start: { sent: -1, head: 0 },
  operation({ sent, head }, memory) {
    if (sent < 0) {
      memory.awaitBell(IO_BELL)
      const begun = memory.load(EPOCH) > FIRST_EPOCH + 1 && (memory.load(EPOCH) & 1) === 1
      return { sent: begun ? 0 : -1, head: memory.peek(OUT.head) }
    }
    const known = new Map([[OUT.head, head]])
    const ring = memory.knowing(known, () => new RingConsumer(memory, OUT, memory.bytes))
    const bytes = Buffer.alloc(ring.readable)
    ring.copy(bytes)
    for (const [index, byte] of bytes.entries())
      check(byte === NEW[sent + index], `a foreign byte was sent: ${byte.toString(16)}`)
    memory.pause()
    ring.consume(bytes.length)
    if (sent + bytes.length === NEW.length) return null
    if (bytes.length === 0) memory.awaitBell(IO_BELL)
    return { sent: sent + bytes.length, head: memory.peek(OUT.head) }
  },
}

const scene = (...threads: readonly Thread[]): Scene =>
  channelScene({
    threads,
    words: { [EPOCH]: FIRST_EPOCH, [GENERATION]: FIRST_GENERATION },
    bytes: EMPTY_RING,
  })

/** Fails whoever writes. */
class Sealed extends WordsThrough {
  override store(word: number): void {
    check(false, `word ${word} was written`)
  }

  override exchange(word: number): number {
    return this.or(word)
  }

  override compareExchange(word: number): number {
    return this.or(word)
  }

  override or(word: number): number {
    this.store(word)
    return 0
  }
}

/** Goes on to write after its lease is over: calls that begin then find all words sealed, and bytes of no use. */
function persistentWriter(tenureOf: TenureOf): Thread<Writing> {
  return {
    name: 'old',
    start: { tail: 0, turn: 0 },
    operation({ tail, turn }, memory) {
      const isOver = memory.load(EPOCH) !== FIRST_EPOCH
      unlessGone(() => writeByte(memory, isOver ? new Sealed(memory) : memory, tail, tenureOf, OLD[0]))
      return turn < 3 ? { tail: isOver ? tail : memory.peek(OUT.tail), turn: turn + 1 } : null
    },
  }
}

describe.each(['recycled', 'reused'] as const)(
  'a writer whose lease is over, on a channel that is %s',
  handOver => {
    test('sends no byte on the next lease, fenced and pinned', () => {
      exploreAll([scene(oldWriter, pool(handOver, true, NEW), kernel)])
    })

    test('may, unpinned: between its look at the fence and its write lies a step', () => {
      expect(() => explore(scene(oldWriter, pool(handOver, false, NEW), kernel))).toThrow(FaultFound)
    })

    test('writes no word by a call that begins after the end, with the fence alone', () => {
      exploreAll([scene(persistentWriter(byValue), pool(handOver, false, []))])
    })

    test('would write some, or find the next lease’s words broken, if the fence compared the parity of the epoch', () => {
      expect(() => explore(scene(persistentWriter(byParity), pool(handOver, false, [])))).toThrow(
        /^violation: (Error: word \d+ was written|SockpoolError: ring counters \d+ and \d+ cannot be)/,
      )
    })
  },
)

type Reading = { readonly head: number; readonly turn: number }

/** The reading holder whose lease ends under it: what it takes as its own is its own. */
class OldReader implements Thread<Reading> {
  readonly name = 'old'
  readonly start: Reading = { head: 0, turn: 0 }

  operation({ head, turn }: Reading, memory: ThreadMemory): Reading | null {
    const taken = unlessGone(() => this.read(memory, head))
    for (const byte of taken ?? []) check(byte === OLD[0], `a foreign byte was read: ${byte.toString(16)}`)
    if (taken !== null && turn < 2) return { head: memory.peek(IN.head), turn: turn + 1 }
    memory.store(DETACHED_BELL, 1)
    return null
  }

  protected read(memory: ThreadMemory, head: number): Buffer {
    return takeAll(memory, head, byValue(channelOn(memory)))
  }
}

/** Asks whether its lease holds before it reads, and not after. */
class EarlyReader extends OldReader {
  protected override read(memory: ThreadMemory, head: number): Buffer {
    return byValue(channelOn(memory)).holds ? takeAll(memory, head, ENDLESS) : Buffer.alloc(0)
  }
}

function takeAll(memory: ThreadMemory, head: number, tenure: Tenure): Buffer {
  const known = new Map([[IN.head, head]])
  const ring = memory.knowing(known, () => new RingConsumer(memory, IN, memory.bytes, null, tenure))
  const bytes = Buffer.alloc(ring.readable)
  ring.copy(bytes)
  memory.pause()
  ring.consume(bytes.length)
  return bytes
}

/** The I/O worker of the next connection, which receives a byte for the next lease. */
const receiver: Thread<{ readonly tail: number | null }> = {
  name: 'worker',
  start: { tail: null },
  operation({ tail }, memory) {
    if (tail === null) {
      memory.awaitBell(IO_BELL)
      return { tail: memory.peek(IN.tail) }
    }
    const known = new Map([[IN.tail, tail]])
    const ring = memory.knowing(known, () => new RingProducer(memory, IN, memory.bytes))
    ring.publish(ring.fill(Uint8Array.of(NEW[0])))
    memory.store(HOLDER_BELL, 1)
    return null
  },
}

type Next = Handing & { readonly head: number | null }

/** The pool ends a lease, recycles its channel, and reads what the next lease has been sent. */
class NextReader implements Thread<Next> {
  readonly name = 'pool'
  readonly start: Next = { at: 'end', turn: 0, tail: 0, head: null }
  readonly #hand = pool('recycled', true, NEW)

  operation(state: Next, memory: ThreadMemory): Next | null {
    if (state.at !== 'write') {
      const next = this.#hand.operation(state, memory)
      return next && { ...next, head: null }
    }
    if (state.head === null) {
      memory.awaitBell(HOLDER_BELL)
      return { ...state, head: memory.peek(IN.head) }
    }
    const bytes = takeAll(memory, state.head, channelOn(memory).leaseTenure(memory.peek(EPOCH)))
    check(bytes.equals(Buffer.of(NEW[0])), `the next lease has read ${bytes.toString('hex')}`)
    return null
  }
}

describe('a reader whose lease is over', () => {
  /** One byte is there from the start. */
  const reading = (...threads: readonly Thread[]): Scene =>
    channelScene({
      threads,
      words: { [EPOCH]: FIRST_EPOCH, [GENERATION]: FIRST_GENERATION, [IN.tail]: 1 },
      bytes: [OLD[0], 0, 0, 0],
    })

  test('takes no byte of the next lease for its own, with the fence alone', () => {
    exploreAll([reading(new OldReader(), pool('recycled', false, []), receiver)])
  })

  test('would, if it asked for its time before it looked at the bytes', () => {
    expect(() => explore(reading(new EarlyReader(), pool('recycled', false, []), receiver))).toThrow(
      /^violation: Error: a foreign byte was read/,
    )
  })

  test('takes no byte from the next lease, fenced and pinned', () => {
    exploreAll([reading(new OldReader(), new NextReader(), receiver)])
  })
})
