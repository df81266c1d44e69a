/** The stream of a lease: one at a time, and the newest is the one. */
import { SockpoolError } from '../../base/errors.ts'
import type { CallerLease } from '../leases/caller-lease.ts'
import type { LeaseStream } from './lease-stream.ts'

type Open = { readonly stream: LeaseStream; readonly done: Promise<void> }

export class StreamSlot {
  static readonly #slots = new WeakMap<CallerLease, StreamSlot>()

  readonly #held: CallerLease
  #open: Open | null = null
  /** The one that replaces it now. */
  #turn: Promise<void> = Promise.resolve()
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
   * free, and null is none. Those that come meanwhile wait for their turn.
   *
   * Errors: READ_BUSY where a read runs that is no stream, and those of `make`.
   */
  async replace(make: () => Promise<LeaseStream | null>): Promise<void> {
    const before = this.#turn
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#turn = promise
    try {
      await before
      this.#open?.stream.takeOver()
      await this.#open?.done
      this.#held.assertNotReading()
      const stream = await make()
      if (stream !== null) this.#begin(stream)
    } finally {
      resolve()
    }
  }

  /**
   * A stream begins at this offset: what lies before it its client has, whether it could say so or not. The bytes that were
   * consumed behind it, where the lease keeps them, are to be sent again.
   *
   * Errors: OFFSET_GONE for bytes that are not kept, OFFSET_MISMATCH beyond what a client was sent.
   */
  async startAt(offset: number): Promise<Buffer> {
    const { lease } = this.#held
    const { offset: from } = lease.reader
    if (offset < from) return await lease.readAt(offset, reader => reader.readExactly(from - offset))
    const known = Math.max(from, this.#sentOffset)
    if (offset > known)
      throw new SockpoolError(
        'OFFSET_MISMATCH',
        `the next byte to read has the offset ${from}, and no client was sent those from ${known} on`,
        { offset: from },
      )
    lease.reader.ahead().drop(offset - from)
    return Buffer.alloc(0)
  }

  #begin(stream: LeaseStream): void {
    const done = stream.run().then(() => {
      if (this.#open?.stream === stream) this.#open = null
    })
    this.#open = { stream, done }
  }

  sent(offset: number): void {
    this.#sentOffset = Math.max(this.#sentOffset, offset)
  }
}
