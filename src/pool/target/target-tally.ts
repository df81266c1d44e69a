/**
 * What happens at one target, counted for whoever asks: a service that is looked at. Where nobody ever will, there is none,
 * and each place pays for one question.
 */
import { DurationTally } from '../../base/duration-tally.ts'
import type { GoneReason } from '../../base/errors.ts'
import { ResultTally } from '../../base/result-tally.ts'

/** How leases end otherwise than by their holder's word. */
const LOST_REASONS = [
  'expired',
  'killed',
  'revoked',
  'worker_lost',
  'reset',
] as const satisfies readonly GoneReason[]

export class TargetTally {
  /** From the question for a connection to the lease, or to the error. */
  readonly acquired: ResultTally = new ResultTally()
  /** For how long leases were held, those of exchanges too. */
  readonly leased: DurationTally = new DurationTally()
  /** Dials: name, TCP, TLS and the dialog of the new connection. */
  readonly connected: ResultTally = new ResultTally()
  /** Whole round trips, on a connection of their own and on a shared one. */
  readonly exchanged: ResultTally = new ResultTally()
  readonly #closed = new Map<string, number>()
  // Each is there from the beginning: a series whose first value is 1 has not increased, to whoever watches it.
  readonly #lost = new Map<GoneReason, number>(LOST_REASONS.map(reason => [reason, 0]))
  #opened = 0

  /** Connections opened so far. */
  get opened(): number {
    return this.#opened
  }

  /** Connections closed so far, by reason. */
  get closed(): ReadonlyMap<string, number> {
    return this.#closed
  }

  /** Leases so far that ended otherwise than by their holder's word, by reason. */
  get lost(): ReadonlyMap<GoneReason, number> {
    return this.#lost
  }

  countOpened(): void {
    this.#opened++
  }

  countClosed(reason: string): void {
    this.#closed.set(reason, (this.#closed.get(reason) ?? 0) + 1)
  }

  /** A lease has ended that was held for so long. */
  countLease(ms: number, reason: GoneReason): void {
    this.leased.observe(ms)
    if (reason !== 'released') this.#lost.set(reason, (this.#lost.get(reason) ?? 0) + 1)
  }
}

/** The tallies of a pool. What callers describe has no name that may be shown: it is counted together. */
export class TargetTallies {
  readonly described: TargetTally = new TargetTally()
  readonly #named = new Map<string, TargetTally>()
  #aheadOf: (name: string) => number = () => 0

  /** Of the targets that the configuration has, by name. */
  get named(): ReadonlyMap<string, TargetTally> {
    return this.#named
  }

  /**
   * Callers that wait for a named target before its own queue, less those in the queue that stand for them: together with the
   * queue, which they may not have entered yet, it is everybody who waits, and nobody twice.
   */
  aheadOf(name: string): number {
    return this.#aheadOf(name)
  }

  /** The pool says who knows of callers ahead of queues. */
  askAhead(aheadOf: (name: string) => number): void {
    this.#aheadOf = aheadOf
  }

  /** For a target that begins. */
  begin(name: string, origin: 'named' | 'described'): TargetTally {
    if (origin === 'described') return this.described
    const tally = new TargetTally()
    this.#named.set(name, tally)
    return tally
  }

  /** A named target is no more; where it comes again, it counts anew. */
  forget(name: string): void {
    this.#named.delete(name)
  }
}
