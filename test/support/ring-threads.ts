/**
 * The two sides of a ring and the one who ends it, as threads of an exploration. They use a ring as streams and
 * I/O workers do: wish, look for the end, wait, wish again. Byte k of the stream is k, so that each read checks order.
 */
import { settle } from '../../src/channel/monotone.ts'
import { RingConsumer, RingProducer } from '../../src/channel/ring.ts'
import { counterSpan, type RingWords, type WideMemory, withdrawBlocked } from '../../src/channel/ring-end.ts'
import type { Scene, Thread, ThreadMemory } from './interleavings.ts'

export const RING: RingWords = { head: 0, tail: 1, want: 2, room: 3 }
export const END = 4
export const CONSUMER_BELL = 5
export const PRODUCER_BELL = 6

export type How = 'bell' | 'block'

export type ProducerState = {
  readonly tail: number
  readonly sent: number
  readonly turn: number
  /** Bytes of the current write that are still to go. */
  readonly left: number
  readonly phase: 'write' | 'room' | 'end'
}

export type ConsumerState = {
  readonly head: number
  readonly received: number
  readonly turn: number
  readonly phase: 'wish' | 'read' | 'last'
}

/** `times`: the wide memory is so many rings large; 0 or none: there is none. */
export type RingSide = { readonly capacity: number; readonly times?: number; readonly how: How }
export type ProducerScript = RingSide & {
  readonly writes: readonly number[]
  readonly roomMax: number
  /** Ends the stream after its last byte, as a FIN does. */
  readonly finishes: boolean
}
export type ConsumerScript = RingSide & {
  readonly wishes: readonly number[]
  /** Bytes to come, or null where only the end tells. */
  readonly total: number | null
  /** Bytes that must have come before the end is believed. */
  readonly least: number
}

/** The counters start just before they wrap. */
export function startOf(capacity: number, times = 0): number {
  return counterSpan(capacity * Math.max(1, times)) - Math.min(2, capacity)
}

/** The ring's own bytes, and behind them those of its wide memory. */
export function sceneOf(capacity: number, threads: readonly Thread[], times = 0): Scene {
  const start = startOf(capacity, times)
  const bytes = new Uint8Array(capacity * (1 + times))
  return { words: [start, start, 0, 0, 0, 0, 0], bytes, threads }
}

function memories(memory: ThreadMemory, { capacity, times = 0 }: RingSide): [Uint8Array, WideMemory | null] {
  const wide = { capacity: capacity * times, bytes: () => memory.bytes.subarray(capacity) }
  return [memory.bytes.subarray(0, capacity), times > 0 ? wide : null]
}

export function ringProducer(memory: ThreadMemory, tail: number, side: RingSide): RingProducer {
  const known = new Map([[RING.tail, tail]])
  return memory.knowing(known, () => new RingProducer(memory, RING, ...memories(memory, side)))
}

export function ringConsumer(memory: ThreadMemory, state: ConsumerState, side: ConsumerScript): RingConsumer {
  const [bytes, wide] = memories(memory, side)
  return memory.knowing(new Map([[RING.head, state.head]]), () => new RingConsumer(memory, RING, bytes, wide))
}

export function check(holds: boolean, message: string): void {
  if (!holds) throw new Error(message)
}

export class ProducerThread implements Thread<ProducerState> {
  readonly name = 'producer'
  readonly start: ProducerState
  protected readonly script: ProducerScript

  constructor(script: ProducerScript) {
    this.script = script
    const tail = startOf(script.capacity, script.times)
    this.start = { tail, sent: 0, turn: 0, left: script.writes[0] ?? 0, phase: 'write' }
  }

  operation(state: ProducerState, memory: ThreadMemory): ProducerState | null {
    if (state.phase === 'room') return this.waitForRoom(state, memory)
    if (state.phase === 'end') {
      end(memory)
      return null
    }
    if (memory.load(END) !== 0) return null
    const chunk = Uint8Array.from({ length: state.left }, (_, index) => state.sent + index + 1)
    const count = this.write(ringProducer(memory, state.tail, this.script), chunk, memory)
    const { turn, left, sent } = state
    const next = { ...state, tail: memory.peek(RING.tail), sent: sent + count, left: left - count }
    if (next.left > 0) return { ...next, phase: 'room' }
    const write = this.script.writes[turn + 1]
    if (write !== undefined) return { ...next, turn: turn + 1, left: write }
    return this.script.finishes ? { ...next, phase: 'end' } : null
  }

  protected write(ring: RingProducer, chunk: Uint8Array, memory: ThreadMemory): number {
    const count = ring.fill(chunk)
    if (count > 0 && ring.publish(count)) memory.store(CONSUMER_BELL, 1)
    return count
  }

  protected waitForRoom(state: ProducerState, memory: ThreadMemory): ProducerState | null {
    const ring = ringProducer(memory, state.tail, this.script)
    if (!ring.wishRoom(Math.min(state.left, this.script.roomMax), this.script.how))
      return { ...state, phase: 'write' }
    if (memory.load(END) !== 0) return null
    waitFor(this.script.how, RING.room, PRODUCER_BELL, memory)
    return state
  }
}

export class ConsumerThread implements Thread<ConsumerState> {
  readonly name = 'consumer'
  readonly start: ConsumerState
  protected readonly script: ConsumerScript

  constructor(script: ConsumerScript) {
    this.script = script
    this.start = { head: startOf(script.capacity, script.times), received: 0, turn: 0, phase: 'wish' }
  }

  operation(state: ConsumerState, memory: ThreadMemory): ConsumerState | null {
    if (state.phase === 'wish') return this.waitForBytes(state, memory)
    const { total, least } = this.script
    const ring = ringConsumer(memory, state, this.script)
    const count = this.read(ring, state, memory)
    const received = state.received + count
    if (total !== null && received === total) return null
    if (state.phase === 'last') {
      check(received >= least, `${received} of ${least} bytes came before the end`)
      return null
    }
    return { head: memory.peek(RING.head), received, turn: state.turn + 1, phase: 'wish' }
  }

  protected waitForBytes(state: ConsumerState, memory: ThreadMemory): ConsumerState {
    const { how } = this.script
    if (memory.load(END) !== 0) return { ...state, phase: 'last' }
    if (!this.wish(ringConsumer(memory, state, this.script), state)) return { ...state, phase: 'read' }
    if (memory.load(END) !== 0) return { ...state, phase: 'last' }
    waitFor(how, RING.want, CONSUMER_BELL, memory)
    return state
  }

  protected wish(ring: RingConsumer, state: ConsumerState): boolean {
    return ring.wish(this.wanted(state), this.script.how)
  }

  protected wanted(state: ConsumerState): number {
    const { wishes, total } = this.script
    const wish = wishes[state.turn % wishes.length] ?? 1
    return Math.min(wish, (total ?? Number.POSITIVE_INFINITY) - state.received)
  }

  /** Bytes that one read takes. */
  protected most(ring: RingConsumer, _state: ConsumerState): number {
    return ring.readable
  }

  protected read(ring: RingConsumer, state: ConsumerState, memory: ThreadMemory): number {
    const target = Buffer.alloc(this.most(ring, state))
    memory.pause()
    ring.copy(target)
    checkOrder(target, state.received)
    memory.pause()
    if (ring.consume(target.length)) memory.store(PRODUCER_BELL, 1)
    return target.length
  }
}

export function checkOrder(bytes: Uint8Array, received: number): void {
  bytes.forEach((byte, index) => {
    check(byte === received + index + 1, `byte ${received + index + 1} came as ${byte}`)
  })
}

export function waitFor(how: How, word: number, bell: number, memory: ThreadMemory): void {
  if (how === 'bell') {
    memory.awaitBell(bell)
    return
  }
  const wish = memory.load(word)
  if (wish < 0) memory.wait(word, wish)
}

/** Ends the ring from whichever thread, as a channel's rings are ended, and rings both doorbells. */
function end(memory: ThreadMemory): void {
  settle(memory, END, 1)
  withdrawBlockedWishes(memory)
  memory.store(CONSUMER_BELL, 1)
  memory.store(PRODUCER_BELL, 1)
}

export function withdrawBlockedWishes(memory: ThreadMemory): void {
  for (const word of [RING.want, RING.room]) withdrawBlocked(memory, word)
}

/** A third thread that ends the channel at any moment. */
export const killer: Thread = {
  name: 'killer',
  start: {},
  operation(_state, memory) {
    end(memory)
    return null
  },
}
