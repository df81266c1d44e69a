/** The stream of a lease: one at a time, and the newest is the one. */
import { SockpoolError } from '../../base/errors.ts'
import type { CallerLease } from '../leases/caller-lease.ts'
import type { LeaseStream } from './lease-stream.ts'

type Open = { readonly stream: LeaseStream; readonly done: Promise<void> }

export class StreamSlot {
  static readonly #slots = new WeakMap<CallerLease, StreamSlot>()

  readonly #held: CallerLease
  #open: Open | null = null
  /** Clients of this lease were sent all bytes before this stream offset. */
  #sentOffset = 0

  constructor(held: CallerLease) {
    this.#held = held
  }

  static of(held: CallerLease): StreamSlot {
    const slot = StreamSlot.#slots.get(held) ?? new StreamSlot(held)
    StreamSlot.#slots.set(held, slot)
    return slot
  }

  /**
   * Has the stream that is open end, and begins the one that `make` makes in its place; `make` runs when the lease is
   * free, and null is none.
   *
   * Errors: READ_BUSY where a read runs that is no stream, and those of `make`.
   */
  async replace(make: () => LeaseStream | null): Promise<void> {
    while (this.#open !== null) {
      this.#open.stream.takeOver()
      await this.#open.done
    }
    this.#held.assertNotReading()
    const stream = make()
    if (stream === null) return
    const done = stream.run().then(() => {
      if (this.#open?.stream === stream) this.#open = null
    })
    this.#open = { stream, done }
  }

  /**
   * A stream begins at this offset: what lies before it its client has, whether it could say so or not.
   *
   * Errors: OFFSET_GONE for bytes that were consumed, OFFSET_MISMATCH beyond what a client was sent.
   */
  startAt(offset: number): void {
    const { reader } = this.#held.lease
    const from = reader.offset
    if (offset < from)
      throw new SockpoolError(
        'OFFSET_GONE',
        `the bytes before the offset ${from} were consumed and are not kept`,
        {
          offset: from,
        },
      )
    const known = Math.max(from, this.#sentOffset)
    if (offset > known)
      throw new SockpoolError(
        'OFFSET_MISMATCH',
        `the next byte to read has the offset ${from}, and no client was sent those from ${known} on`,
        { offset: from },
      )
    reader.ahead().drop(offset - from)
  }

  sent(offset: number): void {
    this.#sentOffset = Math.max(this.#sentOffset, offset)
  }
}
