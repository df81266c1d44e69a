/**
 * The last lines of a lease that were sent as events: a client that comes again and names the last one that it has gets
 * those that were lost on the way. What was read since in another way is nobody's to send again.
 */
import { SockpoolError } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'
import type { CallerLease } from '../leases/caller-lease.ts'

export type SentLine = { readonly offset: number; readonly bytes: Buffer }

export class SentLines {
  static readonly #leases = new WeakMap<CallerLease, SentLines>()

  #lines: SentLine[] = []
  #bytes = 0

  static of(held: CallerLease): SentLines {
    const sent = SentLines.#leases.get(held) ?? new SentLines()
    SentLines.#leases.set(held, sent)
    return sent
  }

  /** Keeps a line; the oldest ones make room. */
  add(line: SentLine): void {
    if (this.#end !== line.offset) this.#forget()
    this.#lines.push(line)
    this.#bytes += line.bytes.length
    let dropped = 0
    for (const { bytes } of this.#lines) {
      if (this.#bytes <= LIMITS.sentLinesBytes && this.#lines.length - dropped <= LIMITS.sentLinesMax) break
      this.#bytes -= bytes.length
      dropped++
    }
    if (dropped > 0) this.#lines = this.#lines.slice(dropped)
  }

  /**
   * The lines behind the one at `offset`, up to `readOffset`.
   *
   * Errors: OFFSET_GONE where they are not all kept, OFFSET_MISMATCH beyond the read offset.
   */
  after(offset: number, readOffset: number): readonly SentLine[] {
    if (offset === readOffset) return []
    if (offset > readOffset) {
      const message = `the next byte to read has the offset ${readOffset}; no line at ${offset} was sent`
      throw new SockpoolError('OFFSET_MISMATCH', message, { offset: readOffset })
    }
    const at = this.#lines.findIndex(line => line.offset === offset)
    if (at !== -1 && this.#end === readOffset) return this.#lines.slice(at + 1)
    const message = `the lines between the one at ${offset} and the offset ${readOffset} are not kept`
    throw new SockpoolError('OFFSET_GONE', message, { offset: readOffset })
  }

  get #end(): number {
    const last = this.#lines.at(-1)
    return last === undefined ? 0 : last.offset + last.bytes.length
  }

  #forget(): void {
    this.#lines = []
    this.#bytes = 0
  }
}
