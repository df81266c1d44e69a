/**
 * The doorbells that this worker rings: the pool's, and one for each attached thread. Bytes and room are the
 * holder's to hear of. A thread that this worker does not know yet is rung through the pool, which passes it on;
 * numbers of threads are never used twice, so an old doorbell is never taken for a new one.
 */
import type { Channel } from '../../src/channel/channel.ts'
import { type DoorbellMemory, doorbellWords, TurnRinger } from '../../src/channel/doorbell.ts'

export class HolderBells {
  readonly #pool: TurnRinger
  readonly #threads = new Map<number, TurnRinger>()
  readonly #promiseFlush: () => void

  constructor(pool: TurnRinger, holders: ReadonlyMap<number, DoorbellMemory>, promiseFlush: () => void) {
    this.#pool = pool
    this.#promiseFlush = promiseFlush
    for (const [holder, doorbell] of holders) this.set(holder, doorbell)
  }

  set(holder: number, doorbell: DoorbellMemory | null): void {
    this.#threads.get(holder)?.flush()
    if (doorbell === null) this.#threads.delete(holder)
    else this.#threads.set(holder, new TurnRinger(doorbellWords(doorbell), this.#promiseFlush))
  }

  /** Rings whoever holds the channel; between leases that is the last holder, or the pool. */
  ring(channel: Channel): void {
    this.of(channel).ring(channel.number)
  }

  /** The doorbell of whoever holds the channel now: for who must not look at the channel when it is time to ring. */
  of(channel: Channel): TurnRinger {
    const thread = this.#threads.size === 0 ? undefined : this.#threads.get(channel.holder)
    return thread ?? this.#pool
  }

  /** Wakes the threads that were rung since. */
  flush(): void {
    this.#pool.flush()
    for (const thread of this.#threads.values()) thread.flush()
  }
}
