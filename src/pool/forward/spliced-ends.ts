/**
 * The ends of a lease whose bytes never leave its I/O worker: a client of a forward has them there. All that is known of
 * them here is how many have passed, and when the two have parted.
 */
import { type EndName, isPeerEnd } from '../../channel/values.ts'
import type { SpliceListener } from '../../threads/thread-splices.ts'
import type { LeaseActivity } from '../lease/lease-clock.ts'
import type { LeaseHolder } from '../lease/lease-keeper.ts'

export class SplicedEnds implements LeaseHolder, SpliceListener {
  bytesIn = 0
  bytesOut = 0
  readonly replayBytes = 0
  /** How the connection's socket has ended; null while it is there. */
  end: EndName | null = null
  /** Resolves when the client and the connection are joined no more; never rejects. */
  readonly done: Promise<'freed' | 'lost'>
  readonly #resolve: (how: 'freed' | 'lost') => void

  constructor() {
    const { promise, resolve } = Promise.withResolvers<'freed' | 'lost'>()
    this.done = promise
    this.#resolve = resolve
  }

  get activity(): LeaseActivity {
    return { waits: true, bytes: this.bytesIn + this.bytesOut }
  }

  moved(bytesIn: number, bytesOut: number): void {
    this.bytesIn = bytesIn
    this.bytesOut = bytesOut
  }

  parted(how: 'freed' | 'lost'): void {
    this.#resolve(how)
  }

  isSpent(how: EndName | null): boolean {
    return how !== null
  }

  /** The session has ended where one side has left, and the worker has closed the other: its lease was not lost. */
  endsInOrder(how: EndName): boolean {
    return how === 'closed' || isPeerEnd(how)
  }

  lost(how: EndName): void {
    this.end = how
  }

  // The I/O worker says itself when the two have parted, whatever parted them.
  rung(): void {}
  broke(): void {}
  ended(): void {}
}
