/**
 * The one read that may wait on a stream.
 *
 * A read is an attempt that either takes bytes from the source or says how many must be there before it is worth
 * trying again. The waiting one is tried again in the very call that brought the bytes: what arrived for it
 * cannot be taken from under it. A read that ends by time or signal takes nothing; every byte stays readable.
 * The guard covers waiting alone: a second read that the buffer can serve at once is served, after the waiting one
 * had what has come for it (the bytes of another thread may be there before its doorbell is heard). A greedy read,
 * one that wants all there is, leaves nothing to serve a second one from.
 */
import { SockpoolError } from '../../base/errors.ts'
import { aborted, Wait, type WaitOptions } from '../../base/wait.ts'
import { type ByteSource, isRevoked } from '../byte-source.ts'
import type { CallWatch } from '../call-watch.ts'

/** What became of a lent source. */
export type LendResult = {
  /** Bytes that were taken from it. */
  readonly count: number
  /** A wait on it ended by time or signal. */
  readonly interrupted: boolean
  readonly outcome:
    | { readonly ok: true; readonly value: unknown }
    | { readonly ok: false; readonly error: Error }
}

/** Either the bytes of the read or the count that must be available before it is worth trying again. */
export type Attempt = () => Buffer | number

/** How a read waits. */
export type WaitingTraits = {
  /** Positions have moved: forget what was scanned. */
  readonly restart?: () => void
  /** All bytes that come are for this read. */
  readonly isGreedy?: boolean
  /** It takes nothing, and its end is nobody's unanswered question: it does not count as a read that waits. */
  readonly isAhead?: boolean
  /** The call as it was made, where errors name it by what it comes down to. */
  readonly call?: string
}

type Waiting = {
  readonly name: string
  readonly attempt: Attempt
  readonly wait: Wait<Buffer>
  readonly traits: WaitingTraits
  /** Its number with whoever watches. */
  readonly number: number
}

export const PLAIN: WaitingTraits = {}
export const GREEDY: WaitingTraits = { isGreedy: true }
const NAMES: Readonly<Record<string, string>> = {
  'read()': 'read',
  'readinto()': 'readinto',
  'readexactly()': 'readexactly',
  'readuntil()': 'readuntil',
  'readframe()': 'readframe',
  'peek()': 'peek',
}

export class PendingRead {
  readonly #source: ByteSource
  readonly #watch: CallWatch | null
  #waiting: Waiting | null = null
  #excluded = false
  #interrupted = false

  constructor(source: ByteSource, watch: CallWatch | null = null) {
    this.#source = source
    this.#watch = watch
  }

  get isWaiting(): boolean {
    return (this.#waiting !== null && this.#waiting.traits.isAhead !== true) || this.#excluded
  }

  /** No read waits, and none is kept out: one that its bytes are there for may have them. */
  get isClear(): boolean {
    return this.#waiting === null && !this.#excluded
  }

  /** The call that waits, as errors name it; null when none does. */
  get waiter(): string | null {
    return this.#waiting?.name ?? null
  }

  /** Whether a read ever ended by time or signal: from then on nobody knows which answer belongs to which question. */
  get interrupted(): boolean {
    return this.#interrupted
  }

  /** Bytes were taken from the front. */
  bytesTaken(): void {
    if (this.#waiting === null) return
    this.#waiting.traits.restart?.()
    // The count it asked for was counted from the old front; by that one it could sleep through its separator.
    this.#woken()
  }

  /** A call had its bytes, while `isClear`. */
  served(call: string): void {
    this.#watch?.served(call)
  }

  /** A read ended by time or signal that waited elsewhere. */
  interrupt(): void {
    this.#interrupted = true
  }

  /** Tries, waits where it must, and settles. Errors: READ_BUSY, READ_TIMEOUT, ABORTED, and the attempt's own. */
  run(name: string, attempt: Attempt, options: WaitOptions, traits: WaitingTraits = PLAIN): Promise<Buffer> {
    const watch = this.#watchOf(traits)
    try {
      if (this.#excluded) throw this.#busy(name)
      if (this.#waiting) this.#serveFirst()
      if (this.#waiting?.traits.isGreedy) throw this.#busy(name)
      const outcome = attempt()
      if (typeof outcome !== 'number') {
        watch?.served(callOf(name, traits))
        return Promise.resolve(outcome)
      }
      if (this.#waiting) throw this.#busy(name)
      if (options.signal?.aborted) {
        this.#interruptBy(traits)
        throw aborted(name, options.signal)
      }
      return this.#waitFor(outcome, name, attempt, options, traits)
    } catch (error) {
      watch?.failed(callOf(name, traits), error)
      return Promise.reject(error)
    }
  }

  /** Errors: READ_BUSY while a read waits, or one is kept out. */
  assertIdle(name: string): void {
    if (this.#waiting !== null || this.#excluded) throw this.#busy(name)
  }

  /** Keeps every read out while `run` has the source to itself. */
  async exclude<T>(name: string, run: () => Promise<T>): Promise<T> {
    this.assertIdle(name)
    this.#excluded = true
    try {
      return await run()
    } finally {
      this.#excluded = false
    }
  }

  /** Keeps every read out until `run` settles, whose result says what became of the source; `count` hears what it took. */
  async lend(name: string, run: () => Promise<LendResult>, count: (bytes: number) => void): Promise<unknown> {
    return await this.exclude(name, async () => {
      const result = await run()
      count(result.count)
      if (result.interrupted) this.#interrupted = true
      if (!result.outcome.ok) throw result.outcome.error
      return result.outcome.value
    })
  }

  #waitFor(
    count: number,
    name: string,
    attempt: Attempt,
    options: WaitOptions,
    traits: WaitingTraits,
  ): Promise<Buffer> {
    const watch = this.#watchOf(traits)
    let number = -1
    const wait = new Wait<Buffer>(name, 'READ_TIMEOUT', options, error => {
      this.#waiting = null
      this.#source.request(0, null)
      this.#interruptBy(traits)
      watch?.ended(number, error)
    })
    number = watch?.waits(callOf(name, traits)) ?? -1
    this.#waiting = { name, attempt, wait, traits, number }
    this.#arm(count)
    return wait.promise
  }

  /** Asks the source for `count` bytes and tries again for as long as it has them already. */
  #arm(count: number): void {
    let needed: number | null = count
    while (needed !== null && !this.#source.request(needed, this.#woken)) needed = this.#retry()
  }

  /** The waiting read has what came for it, heard or unheard. */
  #serveFirst(): void {
    if (this.#retry() === null) this.#source.request(0, null)
  }

  #woken = (): void => {
    const needed = this.#retry()
    if (needed !== null) this.#arm(needed)
  }

  /** Tries the waiting read again: settles it and returns null, or returns what it still needs. */
  #retry(): number | null {
    const waiting = this.#waiting
    if (waiting === null) return null
    // While it is tried it must not restart itself by its own taking.
    this.#waiting = null
    try {
      const outcome = waiting.attempt()
      if (typeof outcome === 'number') {
        this.#waiting = waiting
        return outcome
      }
      this.#watchOf(waiting.traits)?.ended(waiting.number, null)
      waiting.wait.resolve(outcome)
    } catch (error) {
      this.#watchOf(waiting.traits)?.ended(waiting.number, error)
      waiting.wait.reject(error as Error)
    }
    return null
  }

  /** A look ahead is no call of the holder's. */
  #watchOf({ isAhead }: WaitingTraits): CallWatch | null {
    return isAhead === true ? null : this.#watch
  }

  #interruptBy({ isAhead }: WaitingTraits): void {
    if (isAhead !== true) this.#interrupted = true
  }

  /** Why a read cannot be had now. Who reads for a stream that is somebody else's by now is no reason to try again. */
  #busy(name: string): Error {
    const { end } = this.#source
    if (isRevoked(end)) return end.error
    return new SockpoolError(
      'READ_BUSY',
      `${name} called while another coroutine is already waiting for incoming data`,
    )
  }
}

/** The name of a call without what errors write behind it. */
function callOf(name: string, { call }: WaitingTraits): string {
  return call ?? NAMES[name] ?? name
}
