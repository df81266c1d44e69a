/**
 * The reading end of a channel on its way to another thread and back. The descriptor names the shared memory and
 * where the reader stood in it; the borrower reads on from there, blocking, and gives back where it came to.
 *
 *   lender    suspend ─ LentSource ─►  borrower   borrowSource, reads, giveBack
 *             resume  ◄─ ReturnedSource ─
 *
 * On its way it may be parked: then nobody reads, and a thread with an event loop waits for more bytes.
 */
import { SockpoolError } from '../../base/errors.ts'
import { Wait, type WaitOptions } from '../../base/wait.ts'
import { Channel, type ChannelMemory } from '../../channel/channel.ts'
import { type DoorbellMemory, Ringer } from '../../channel/doorbell.ts'
import type { LoanWords } from '../../channel/loan-words.ts'
import { assertOwned, type BlockingSource } from '../byte-source.ts'
import type { OnReset } from '../reading/read-options.ts'
import { ChannelSource } from './channel-source.ts'
import type { SourcePosition } from './source-position.ts'

/** A reading end as plain data. */
export type LentSource = {
  readonly memory: ChannelMemory
  /** The value of the channel's epoch word for the lease that this end was made for. */
  readonly epoch: number
  /** The doorbell of the I/O worker, which waits for room in the ring. */
  readonly doorbell: DoorbellMemory
  readonly position: SourcePosition
  /** What a read there does after the connection broke while bytes are still there. */
  readonly onReset: OnReset
}

/** Where the borrower left the reading end. Plain data. */
export type ReturnedSource = {
  readonly position: SourcePosition
  /** Bytes that the borrower took and did not put back. */
  readonly count: number
  /** Whether any wait of the borrower ended by time or recall, also one whose error the borrower dropped. */
  readonly interrupted: boolean
}

/** How work on a lent reading end came out, and where the reading end is now. */
export type LoanResult = {
  readonly outcome:
    | { readonly ok: true; readonly value: unknown }
    | { readonly ok: false; readonly error: SockpoolError }
  readonly reader:
    | { readonly kind: 'returned'; readonly returned: ReturnedSource }
    /** The work was never begun: the reading end is as it was lent. */
    | { readonly kind: 'untouched' }
    /**
     * The borrower died or was ended while it had the reading end, and nobody knows what it read. `threadGone` resolves
     * (it never rejects) once no code of the borrower can touch the channel any more.
     */
    | { readonly kind: 'lost'; readonly threadGone: Promise<void> }
}

/** Says that a loan was recalled before its borrower blocked. It never leaves this file. */
class Recalled extends Error {}

/** A channel on which a borrower blocks until its loan is recalled. */
class LentChannel extends Channel {
  readonly #loan: LoanWords

  constructor(memory: ChannelMemory, loan: LoanWords) {
    super(memory)
    this.#loan = loan
  }

  /** A source calls this when its wish is stored, and calls it again after each wake-up: so no recall is missed. */
  override waitInbound(timeoutMs: number): void {
    if (this.#loan.isRecalled) throw new Recalled()
    super.waitInbound(timeoutMs)
  }
}

/** A reading end that is not at home. */
class AwaySource extends ChannelSource {
  /**
   * Lets go of the channel for ever. Whoever kept a reader of this source reads no more: LEASE_GONE.
   *
   * Errors: CHANNEL_CORRUPT; it has let go of the channel all the same.
   */
  protected leave(): SourcePosition {
    const kept = this.window?.last(this.window.length)
    try {
      const position = this.suspend()
      return kept === undefined ? position : { ...position, kept }
    } finally {
      const error = new SockpoolError('LEASE_GONE', 'the reader was given back when its task ended')
      this.drop({ kind: 'failed', error, isRevoked: true })
    }
  }
}

/** A borrowed reading end. It counts what is taken, and stands alone once it is given back. */
export class BorrowedSource extends AwaySource implements BlockingSource {
  #count = 0
  #isInterrupted = false

  constructor({ memory, epoch, doorbell, position }: LentSource, loan: LoanWords) {
    super(new LentChannel(memory, loan), Ringer.of(doorbell), epoch, position)
  }

  // `take` takes by this too.
  override takeInto(target: Buffer): void {
    this.#count += target.length
    super.takeInto(target)
  }

  override takeThrough(byte: number, most: number): Buffer | null {
    const taken = super.takeThrough(byte, most)
    this.#count += taken?.length ?? 0
    return taken
  }

  override takeEachThrough(byte: number, most: number, count: number): Buffer[] {
    const taken = super.takeEachThrough(byte, most, count)
    for (const { length } of taken) this.#count += length
    return taken
  }

  override skip(count: number): void {
    this.#count += count
    super.skip(count)
  }

  override putBack(bytes: Uint8Array): void {
    super.putBack(bytes)
    this.#count -= bytes.length
  }

  /** As the source's own; a recall ends the wait as `timeoutMs` does. */
  override waitFor(count: number, timeoutMs: number): boolean {
    const isServed = this.#waitUnlessRecalled(count, timeoutMs)
    if (!isServed) this.#isInterrupted = true
    return isServed
  }

  /** As `leave`. */
  giveBack(): ReturnedSource {
    return { position: this.leave(), count: this.#count, interrupted: this.#isInterrupted }
  }

  #waitUnlessRecalled(count: number, timeoutMs: number): boolean {
    try {
      return super.waitFor(count, timeoutMs)
    } catch (error) {
      if (!(error instanceof Recalled)) throw error
      this.request(0, null)
      return this.end !== null || this.available >= count
    }
  }
}

/**
 * A lent reading end whose borrower has given it back for the time in which its peer sends nothing. It waits on a thread
 * that must not block, and takes nothing.
 */
export class ParkedSource extends AwaySource {
  readonly #channel: Channel
  #wait: Wait<void> | null = null

  constructor({ memory, epoch, doorbell, position }: LentSource) {
    const channel = new Channel(memory)
    super(channel, Ringer.of(doorbell), epoch, position)
    this.#channel = channel
  }

  /** Once: resolves when `count` bytes are available or the end has come. Errors: READ_TIMEOUT, ABORTED, that of `stop`. */
  async wait(count: number, what: string, options: WaitOptions): Promise<void> {
    // What nobody waits for any more is notified as well, or it would be kept for ever.
    const undo = (): void => this.#channel.wakeBlocked()
    const wait = new Wait<void>(what, 'READ_TIMEOUT', options, undo)
    const look = (): void => {
      if (wait.settled) return
      try {
        const served = this.servedLater(count)
        if (served === null) wait.resolve()
        else void served.then(look)
      } catch (error) {
        wait.reject(error as Error)
      }
    }
    this.#wait = wait
    look()
    await wait.promise
  }

  /** Ends the wait with the error. */
  stop(error: Error): void {
    this.#channel.wakeBlocked()
    this.#wait?.reject(error)
  }

  /** As `leave`. */
  giveBack(): SourcePosition {
    return this.leave()
  }
}

/** Takes so many bytes off a lent reading end that is with nobody. Errors: the end's, where the lease is over. */
export function skipLent(lent: LentSource, count: number): ReturnedSource {
  const source = new ParkedSource(lent)
  let position = lent.position
  try {
    assertOwned(source.end)
    source.skip(count)
  } finally {
    position = source.giveBack()
  }
  return { position, count, interrupted: false }
}

/** Attaches a lent reading end to this thread, which may block on it until the loan is recalled. */
export function borrowSource(lent: LentSource, loan: LoanWords): BorrowedSource {
  return new BorrowedSource(lent, loan)
}
