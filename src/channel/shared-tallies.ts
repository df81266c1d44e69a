/** The tallies of all tenants, by name: made on the thread that knows the tenants first, and handed on to the others. */
import { SharedTally, type TallyMemory } from './shared-tally.ts'

export type TallyMemories = Readonly<Record<string, TallyMemory>>

/** What all tenants have in use together; no tenant has an empty name. */
const ALL = ''

export class SharedTallies {
  readonly #threads: number
  readonly #slot: number
  readonly #tallies = new Map<string, SharedTally>()

  constructor(threads: number, slot: number, memories: TallyMemories = {}) {
    this.#threads = threads
    this.#slot = slot
    this.adopt(memories)
  }

  get all(): SharedTally {
    return this.of(ALL)
  }

  /** One that nobody has handed over is made. */
  of(name: string): SharedTally {
    const tally = this.#tallies.get(name) ?? new SharedTally(this.#threads, this.#slot)
    this.#tallies.set(name, tally)
    return tally
  }

  /** Takes those over that this thread does not have yet. */
  adopt(memories: TallyMemories): void {
    for (const [name, memory] of Object.entries(memories))
      if (!this.#tallies.has(name))
        this.#tallies.set(name, new SharedTally(this.#threads, this.#slot, memory))
  }

  memories(): TallyMemories {
    return Object.fromEntries([...this.#tallies].map(([name, { memory }]) => [name, memory]))
  }

  /** A thread is dead: nothing of its is in use any more. */
  forgetPart(slot: number): void {
    for (const tally of this.#tallies.values()) tally.forgetPart(slot)
  }
}
