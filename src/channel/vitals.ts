/**
 * What an I/O worker tells of itself in shared memory. Nobody needs a message to read it, so it can be read even while the
 * thread is stuck, and after it has died. The worker alone writes. 64-bit counters never wrap, and Atomics keep them whole.
 *
 *   0 beats   1 dialled   2 bytesIn   3 bytesOut   4 missedWakes   5 stallsIn   6 stallsOut
 *   7 how long its event loop was held up of late, in microseconds
 *   8 1 where somebody wants to know that: written before the worker starts
 */
export type VitalsMemory = SharedArrayBuffer

const NAMES = ['beats', 'dialled', 'bytesIn', 'bytesOut', 'missedWakes', 'stallsIn', 'stallsOut'] as const
type VitalName = (typeof NAMES)[number]
const SLOT: Readonly<Record<VitalName, number>> = {
  beats: 0,
  dialled: 1,
  bytesIn: 2,
  bytesOut: 3,
  missedWakes: 4,
  stallsIn: 5,
  stallsOut: 6,
}

export type VitalsSnapshot = Readonly<Record<VitalName, number>>

/** Of a worker that has done nothing yet. */
export const NO_VITALS: VitalsSnapshot = {
  beats: 0,
  dialled: 0,
  bytesIn: 0,
  bytesOut: 0,
  missedWakes: 0,
  stallsIn: 0,
  stallsOut: 0,
}

const LOOP_DELAY = NAMES.length
const WATCHED = NAMES.length + 1
const WORDS = NAMES.length + 2
const US_PER_MS = 1_000

/** What a worker is to find out about itself that costs it something; default: nothing. */
export type WatchedVital = 'loop delay' | 'nothing'

export function allocateVitals(watched: WatchedVital = 'nothing'): VitalsMemory {
  const memory = new SharedArrayBuffer(WORDS * BigInt64Array.BYTES_PER_ELEMENT)
  if (watched === 'loop delay') Atomics.store(new BigInt64Array(memory), WATCHED, 1n)
  return memory
}

export class Vitals {
  readonly #slots: BigInt64Array<SharedArrayBuffer>
  readonly #totals: Record<VitalName, number> = { ...NO_VITALS }

  #isCounted = false

  constructor(memory: VitalsMemory) {
    this.#slots = new BigInt64Array(memory)
  }

  /** The worker's own thread only: counts now, and tells with the next `publish`. */
  count(name: 'bytesIn' | 'bytesOut', count: number): void {
    this.#totals[name] += count
    this.#isCounted = true
  }

  publish(): void {
    if (!this.#isCounted) return
    this.#isCounted = false
    this.add('bytesIn', 0)
    this.add('bytesOut', 0)
  }

  /** The worker's own thread only. */
  add(name: VitalName, count: number): void {
    this.#totals[name] += count
    Atomics.store(this.#slots, SLOT[name], BigInt(this.#totals[name]))
  }

  /** Beats come from a timer of the worker's event loop: a thread that spins or blocks falls silent. */
  get beats(): number {
    return this.#load('beats')
  }

  /** Whether the worker is to tell its loop's delay. */
  get watchesLoop(): boolean {
    return Atomics.load(this.#slots, WATCHED) === 1n
  }

  /** The worker's own thread only. */
  tellLoopDelay(ms: number): void {
    Atomics.store(this.#slots, LOOP_DELAY, BigInt(Math.round(ms * US_PER_MS)))
  }

  /** Milliseconds, as told last. */
  get loopDelayMs(): number {
    return Number(Atomics.load(this.#slots, LOOP_DELAY)) / US_PER_MS
  }

  snapshot(): VitalsSnapshot {
    return {
      beats: this.#load('beats'),
      dialled: this.#load('dialled'),
      bytesIn: this.#load('bytesIn'),
      bytesOut: this.#load('bytesOut'),
      missedWakes: this.#load('missedWakes'),
      stallsIn: this.#load('stallsIn'),
      stallsOut: this.#load('stallsOut'),
    }
  }

  #load(name: VitalName): number {
    return Number(Atomics.load(this.#slots, SLOT[name]))
  }
}
