/**
 * Finds where the message at the front of a stream ends. As SeparatorSearch it only looks, and at no byte twice; what a
 * message is the frame's cutter knows. One search serves message after message, and goes on behind the last.
 */
import type { AnswerCutter, CallerMessage, Frame, PeerMessage } from '../../frames/frame.ts'

export class MessageSearch {
  readonly #frame: Frame
  #cutter: AnswerCutter
  #looked = 0
  #found: PeerMessage | null = null

  constructor(frame: Frame) {
    this.#frame = frame
    this.#cutter = frame.answers()
  }

  /** The message that was found last; null before one is. */
  get found(): PeerMessage | null {
    return this.#found
  }

  /** A request has gone out, whose answer may have a form of its own. */
  asked(request: CallerMessage): void {
    this.#cutter.asked(request)
  }

  /**
   * The bytes up to and with the message's last one, or null where more are needed. `views` show all available bytes of the
   * read from its start on. Errors: FRAME_BROKEN, LIMIT_OVERRUN.
   */
  find(views: Iterable<Uint8Array>, available: number): number | null {
    let viewStart = 0
    for (const view of views) {
      const viewEnd = Math.min(viewStart + view.length, available)
      if (viewEnd > this.#looked) {
        const message = this.#cutter.next(view.subarray(this.#looked - viewStart, viewEnd - viewStart))
        if (message !== null) return this.#ended(message, this.#looked + message.taken)
        this.#looked = viewEnd
      }
      viewStart = viewEnd
    }
    return null
  }

  /** The stream has ended behind the available bytes: whether they are a message that ends so. */
  endsHere(): boolean {
    if (this.#cutter.isBetween) return false
    let message: PeerMessage | null
    try {
      message = this.#cutter.end()
    } catch {
      // What is missing, and not how the frame puts it, is what the reader hears of.
      return false
    }
    if (message === null) return false
    this.#ended(message, this.#looked)
    return true
  }

  /** Starts over: somebody else took bytes from the front. */
  restart(): void {
    this.#looked = 0
    this.#cutter = this.#frame.answers()
  }

  /** What was found is taken, so that the next message begins at the front. */
  #ended(message: PeerMessage, length: number): number {
    this.#looked = 0
    this.#found = message
    return length
  }
}
