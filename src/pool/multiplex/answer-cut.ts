/** Cuts what a shared connection reads into messages, however the bytes come. */
import type { AnswerCutter, CallerMessage, Frame, PeerMessage } from '../../frames/frame.ts'

/** Told of each message, whose bytes are the listener's. It may throw, and then nothing more is cut. */
export type MessageListener = (message: Buffer, isPush: boolean) => void

export class AnswerCut {
  readonly #cutter: AnswerCutter
  readonly #listener: MessageListener
  /** Of the message that has not come whole. */
  #parts: Buffer[] = []
  #isLast = false

  constructor(frame: Frame, listener: MessageListener) {
    this.#cutter = frame.answers()
    this.#listener = listener
  }

  /** Nothing can follow what was cut. */
  get isLast(): boolean {
    return this.#isLast
  }

  asked(request: CallerMessage): void {
    this.#cutter.asked(request)
  }

  /**
   * Cuts up to `most` messages off the bytes from `from` on; the index behind them, the end where there are not as many.
   *
   * Errors: FRAME_BROKEN, LIMIT_OVERRUN, and those of the listener.
   */
  add(bytes: Buffer, from: number, most: number): number {
    let at = from
    for (let left = most; left > 0 && at < bytes.length && !this.#isLast; left--) {
      const rest = at === 0 ? bytes : bytes.subarray(at)
      const message = this.#cutter.next(rest)
      if (message === null) {
        this.#parts.push(rest)
        return bytes.length
      }
      at += message.taken
      this.#tell(message, rest, message.taken)
    }
    return this.#isLast ? bytes.length : at
  }

  /** The stream has ended, and with it a message that ends so. Errors: FRAME_BROKEN; those of the listener. */
  end(): void {
    const message = this.#cutter.isBetween ? null : this.#cutter.end()
    if (message !== null) this.#tell(message, Buffer.alloc(0), 0)
  }

  #tell({ kind, isLast }: PeerMessage, rest: Buffer, taken: number): void {
    this.#isLast = isLast
    this.#listener(this.#whole(rest, taken), kind === 'push')
  }

  /** A copy: what was read together belongs to several callers. */
  #whole(rest: Buffer, taken: number): Buffer {
    if (this.#parts.length > 0) {
      const whole = Buffer.concat([...this.#parts, rest.subarray(0, taken)])
      this.#parts = []
      return whole
    }
    const message = Buffer.allocUnsafe(taken)
    rest.copy(message, 0, 0, taken)
    return message
  }
}
