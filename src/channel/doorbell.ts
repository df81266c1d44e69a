/**
 * One thread's doorbell: a set of channel numbers that want attention, and a flag that says whether the thread
 * sleeps. Any number of threads may ring it.
 *
 *   line 0   sleeping        1 while the owner waits; whoever rings first makes it 0
 *   line 1   rung × 2048     one bit per channel
 *
 * A ring sets the channel's bit and notifies only if the owner sleeps, so a burst of rings costs one wake. The
 * owner sets the flag and then looks at the bits again before it waits. While it is awake it looks once per turn
 * of its event loop, and one sweep collects all that has come since the last.
 */
import { LIMITS } from '../base/limits.ts'
import { Patience } from './patience.ts'
import { LINE_SLOTS, SharedWords, type Words } from './words.ts'

const SLEEPING = 0
const FIRST_BITS = LINE_SLOTS
const BITS = 32
const BIT_WORDS = LIMITS.channelsMax / BITS

export type DoorbellMemory = SharedArrayBuffer

export function allocateDoorbell(): DoorbellMemory {
  return new SharedArrayBuffer((FIRST_BITS + BIT_WORDS) * Int32Array.BYTES_PER_ELEMENT)
}

export function doorbellWords(memory: DoorbellMemory): SharedWords {
  return new SharedWords(new Int32Array(memory), 0, 1)
}

/** The side that rings. */
export class Ringer {
  readonly #words: Words

  constructor(words: Words) {
    this.#words = words
  }

  static of(memory: DoorbellMemory): Ringer {
    return new Ringer(doorbellWords(memory))
  }

  ring(channel: number): void {
    this.#words.or(FIRST_BITS + Math.floor(channel / BITS), 1 << (channel % BITS))
    if (this.#words.exchange(SLEEPING, 0) === 1) this.#words.notify(SLEEPING)
  }
}

/**
 * The side that rings, on a thread whose event loop serves many channels in one turn. It sets the bits at once, and wakes
 * the owner once for all of them when `flush` is called, which the thread promises to do at the end of the turn; or before
 * that, as often as so many were rung that both threads are better at work at the same time.
 */
export class TurnRinger extends Ringer {
  readonly #words: Words
  readonly #promiseFlush: () => void
  #owes = false
  /** Since the owner was woken last. */
  #rings = 0

  constructor(words: Words, promiseFlush: () => void) {
    super(words)
    this.#words = words
    this.#promiseFlush = promiseFlush
  }

  override ring(channel: number): void {
    this.#words.or(FIRST_BITS + Math.floor(channel / BITS), 1 << (channel % BITS))
    if (!this.#owes) {
      this.#owes = true
      this.#promiseFlush()
    }
    if (++this.#rings >= LIMITS.ringsPerWake) this.#wake()
  }

  flush(): void {
    if (!this.#owes) return
    this.#owes = false
    this.#wake()
  }

  #wake(): void {
    this.#rings = 0
    if (this.#words.exchange(SLEEPING, 0) === 1) this.#words.notify(SLEEPING)
  }
}

/** The owner's set of rung channels, without the waiting; `Doorbell` adds the event loop. */
export class RungSet {
  readonly #words: Words
  #bitWords: number

  /** `channels`: the numbers below it are looked at; it may grow. */
  constructor(words: Words, channels: number) {
    this.#words = words
    this.#bitWords = Math.ceil(channels / BITS)
  }

  cover(channels: number): void {
    this.#bitWords = Math.max(this.#bitWords, Math.ceil(channels / BITS))
  }

  /** Empties the set into `visit`; returns how many channels were in it. */
  sweep(visit: (channel: number) => void): number {
    let count = 0
    for (let word = 0; word < this.#bitWords; word++) {
      // A bit that this look misses is seen by the next one, or before the thread sleeps.
      if (this.#words.glance(FIRST_BITS + word) === 0) continue
      let bits = this.#words.exchange(FIRST_BITS + word, 0)
      while (bits !== 0) {
        const bit = 31 - Math.clz32(bits & -bits)
        bits &= bits - 1
        count++
        visit(word * BITS + bit)
      }
    }
    return count
  }

  get isEmpty(): boolean {
    for (let word = 0; word < this.#bitWords; word++)
      if (this.#words.load(FIRST_BITS + word) !== 0) return false
    return true
  }

  /** Raises the sleeping flag; false, and the flag is down again, where something was rung meanwhile. */
  trySleep(): boolean {
    this.#words.store(SLEEPING, 1)
    if (this.isEmpty) return true
    this.#words.store(SLEEPING, 0)
    return false
  }

  wake(): void {
    this.#words.store(SLEEPING, 0)
  }
}

export type DoorbellOptions = {
  /** Turns of the event loop that an empty sweep is repeated before the thread sleeps. Each costs a poll. */
  readonly lingerTurns: number
  /** Milliseconds that it is repeated at the most beyond these, where that pays; default: 0. */
  readonly lookOnMs?: number
  /** Called in each turn before and after the sweep, to tell other threads what they are told once per turn. */
  readonly onTurn?: (() => void) | undefined
}

/** A doorbell on a thread with an event loop. It never keeps the thread alive by itself. */
export class Doorbell {
  readonly #words: SharedWords
  readonly #set: RungSet
  /** Visits one that was rung, unless a visit before it in the same sweep has stopped the doorbell. */
  readonly #visit: (channel: number) => void
  readonly #lingerTurns: number
  readonly #onTurn: () => void
  readonly #patience: Patience
  #emptyTurns = 0
  #turn: NodeJS.Immediate | null = null
  /** What looked missed is looked at again then. */
  #confirming: NodeJS.Timeout | null = null
  /** A wait stays queued in the engine until it is notified, so there is never a second one. */
  #waits = false
  #stopped = false
  /** Rings that only the sweep timer found. Anything but 0 is a fault. */
  missed = 0
  sweeps = 0

  constructor(memory: DoorbellMemory, visit: (channel: number) => void, options: DoorbellOptions) {
    this.#words = doorbellWords(memory)
    this.#set = new RungSet(this.#words, 0)
    this.#visit = channel => {
      if (!this.#stopped) visit(channel)
    }
    this.#lingerTurns = options.lingerTurns
    this.#onTurn = options.onTurn ?? (() => {})
    this.#patience = new Patience(options.lookOnMs ?? 0)
    this.#sleep()
  }

  /** Channels below this number may be rung from now on. */
  cover(channels: number): void {
    this.#set.cover(channels)
  }

  /** Says that this thread is awake anyway: it will look by itself, and nobody needs to notify it. */
  stir(): void {
    this.#patience.found()
    if (this.#turn !== null || this.#stopped) return
    this.#set.wake()
    this.#awake()
    this.#turn = setImmediate(this.#look)
  }

  /**
   * Finds rings that nobody announced; a slow timer is to call it. Whoever rings sets the bit first and lowers the flag
   * next, and may be interrupted in between: so only a bit that still stands a while later was missed.
   */
  findMissed(onMissed: () => void): void {
    if (!this.#looksMissed || this.#confirming !== null) return
    const { sweeps } = this
    const confirm = (): void => {
      this.#confirming = null
      if (!this.#looksMissed || this.sweeps !== sweeps) return
      this.missed++
      onMissed()
      this.stir()
    }
    // An announcement may be due in this very turn of a loop that was busy: it is heard before the immediates run.
    this.#confirming = setTimeout(() => setImmediate(confirm).unref(), LIMITS.missedConfirmMs).unref()
  }

  /** The flag says nothing here: a thread that ends after it has lowered it and before it notifies leaves it down. */
  get #looksMissed(): boolean {
    return this.#turn === null && !this.#stopped && !this.#set.isEmpty
  }

  /**
   * Hears nothing any more, and lets go of all that it holds. Its own wait is ended for that: the engine keeps one that
   * nobody notifies for as long as the thread lives, with its promise and whatever hangs on that.
   */
  stop(): void {
    this.#stopped = true
    if (this.#turn !== null) clearImmediate(this.#turn)
    if (this.#confirming !== null) clearTimeout(this.#confirming)
    this.#turn = null
    this.#confirming = null
    this.#set.wake()
    this.#words.notify(SLEEPING)
  }

  #look = (): void => {
    this.#turn = null
    if (this.#stopped) return
    this.sweeps++
    this.#onTurn()
    const found = this.#set.sweep(this.#visit) > 0
    this.#emptyTurns = found ? 0 : this.#emptyTurns + 1
    if (found) this.#patience.found()
    if (this.#stopped) return
    this.#onTurn()
    if (this.#stopped) return
    if (this.#emptyTurns > this.#lingerTurns && !this.#patience.isLeft) this.#sleep()
    else this.#turn ??= setImmediate(this.#look)
  }

  #sleep(): void {
    if (!this.#set.trySleep()) {
      this.#turn ??= setImmediate(this.#look)
      return
    }
    this.#patience.sleeps()
    if (this.#waits) return
    const woken = this.#words.waitAsync(SLEEPING, 1)
    if (woken === null) {
      this.#turn ??= setImmediate(this.#look)
      return
    }
    this.#waits = true
    void woken.then(() => {
      this.#waits = false
      if (this.#turn !== null || this.#stopped) return
      this.#awake()
      this.#look()
    })
  }

  #awake(): void {
    this.#emptyTurns = 0
    this.#patience.wakes()
  }
}
