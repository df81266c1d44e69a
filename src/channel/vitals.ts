/**
 * What an I/O worker tells of itself in shared memory. Nobody needs a message to read it, so it can be read even while the
 * thread is stuck, and after it has died. The worker alone writes. 64-bit counters never wrap, and Atomics keep them whole.
 *
 *   0 beats   1 dialled   2 bytesIn   3 bytesOut   4 missedWakes
 */
export type VitalsMemory = SharedArrayBuffer

const NAMES = ['beats', 'dialled', 'bytesIn', 'bytesOut', 'missedWakes'] as const
type VitalName = (typeof NAMES)[number]
const SLOT: Readonly<Record<VitalName, number>> = {
  beats: 0,
  dialled: 1,
  bytesIn: 2,
  bytesOut: 3,
  missedWakes: 4,
}

export type VitalsSnapshot = Readonly<Record<VitalName, number>>

export function allocateVitals(): VitalsMemory {
  return new SharedArrayBuffer(NAMES.length * BigInt64Array.BYTES_PER_ELEMENT)
}

export class Vitals {
  readonly #slots: BigInt64Array<SharedArrayBuffer>
  readonly #totals: Record<VitalName, number> = {
    beats: 0,
    dialled: 0,
    bytesIn: 0,
    bytesOut: 0,
    missedWakes: 0,
  }

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

  snapshot(): VitalsSnapshot {
    return {
      beats: this.#load('beats'),
      dialled: this.#load('dialled'),
      bytesIn: this.#load('bytesIn'),
      bytesOut: this.#load('bytesOut'),
      missedWakes: this.#load('missedWakes'),
    }
  }

  #load(name: VitalName): number {
    return Number(Atomics.load(this.#slots, SLOT[name]))
  }
}
