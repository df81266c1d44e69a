/**
 * A client of a front door at the desk of its I/O worker.
 *
 *   resting ──whole plain requests──► waiting ──a connection──► asking ──all answered──► resting
 *
 * What comes beside a batch that is under way is kept, and it is read no further.
 */
import { SockpoolError } from '../../../src/base/errors.ts'
import { LIMITS } from '../../../src/base/limits.ts'
import type { CallerMessage, MessageCutter } from '../../../src/frames/frame.ts'
import type { OfChannel } from '../../../src/threads/protocol.ts'
import type { Asked } from './desk-carrier.ts'
import type { Seat } from './seat.ts'
import type { Seated } from './seated.ts'

type State =
  | { readonly at: 'resting' }
  | { readonly at: 'waiting'; readonly asked: Asked; sinceMs: number }
  | { readonly at: 'asking'; readonly asked: Asked }

export type DeskClientDeps = {
  readonly requests: () => MessageCutter<CallerMessage>
  /** It waits for a connection. */
  readonly onAsked: () => void
  /** It is to leave in this very call, and what it said is to be served elsewhere. */
  readonly onStray: () => void
  /** Its connection is ending. */
  readonly onParted: () => void
}

export class DeskClient implements Seated {
  state: State = { at: 'resting' }
  /** It leaves once it has its answers. */
  isLeaving = false
  /** Bytes of answers that it was given, and of requests that were carried for it. */
  bytesIn = 0
  bytesOut = 0
  readonly #deps: DeskClientDeps
  readonly #cutter: MessageCutter<CallerMessage>
  #sitting: { readonly seat: Seat; readonly own: OfChannel } | null = null
  /** What came while a batch is under way, or is to be served elsewhere. */
  #ahead: Buffer | null = null
  #isGone = false

  constructor(deps: DeskClientDeps) {
    this.#deps = deps
    this.#cutter = deps.requests()
  }

  sit(seat: Seat, own: OfChannel): void {
    this.#sitting = { seat, own }
  }

  get seat(): Seat {
    return this.#seated.seat
  }

  get own(): OfChannel {
    return this.#seated.own
  }

  /** Nobody hears its answers. */
  get isGone(): boolean {
    return this.#isGone
  }

  received(bytes: Buffer): boolean {
    if (this.state.at === 'resting') this.#take(bytes)
    else this.#ahead = bytes
    return this.#ahead === null
  }

  /** Has what it said meanwhile served, and is read again. */
  goOn(): void {
    const ahead = this.#ahead
    if (ahead === null) return
    this.#ahead = null
    this.seat.socket.resume()
    this.#take(ahead)
  }

  stray(): void {
    this.#deps.onStray()
  }

  parted(): void {
    this.#isGone = true
    this.#deps.onParted()
  }

  /** It has not taken what it was answered, and is waited for elsewhere. */
  get isFull(): boolean {
    return !this.#isGone && this.seat.socket.writableLength > LIMITS.forwardUntakenBytes
  }

  /** Whole answers; they are its own. */
  heard(bytes: Buffer): void {
    this.bytesIn += bytes.length
    if (!this.#isGone) this.seat.write(bytes)
  }

  /** Gives up its place: what it asked and nobody carries lies in its ring. */
  leave(): void {
    if (this.#isGone) return
    const unseen = this.state.at === 'waiting' ? [this.state.asked.bytes] : []
    if (this.#ahead !== null) unseen.push(this.#ahead)
    this.#ahead = null
    this.seat.leave(null, unseen)
  }

  get #seated(): { readonly seat: Seat; readonly own: OfChannel } {
    if (this.#sitting === null) throw new SockpoolError('INTERNAL', 'a client of a desk has a place')
    return this.#sitting
  }

  #take(bytes: Buffer): void {
    const messages = this.#plain(bytes)
    if (messages === null) {
      this.#ahead = bytes
      return this.#deps.onStray()
    }
    this.state = { at: 'waiting', asked: { bytes, messages }, sinceMs: 0 }
    this.#deps.onAsked()
  }

  /** Null where these are anything but whole requests that any connection can answer. */
  #plain(bytes: Buffer): readonly CallerMessage[] | null {
    const messages: CallerMessage[] = []
    try {
      for (let at = 0; at < bytes.length; ) {
        const message = this.#cutter.next(at === 0 ? bytes : bytes.subarray(at))
        if (message === null || message.isExclusive || message.answers !== 1) return null
        if (messages.push(message) > LIMITS.forwardBatchRequests) return null
        at += message.taken
      }
    } catch (error) {
      // Whoever serves it finds the same, and says so.
      if (error instanceof SockpoolError) return null
      throw error
    }
    return messages
  }
}
