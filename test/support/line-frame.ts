/** A frame whose messages are lines; one that begins with `>` is a push, and one that begins with `!` is broken. */
import { SockpoolError } from '../../src/base/errors.ts'
import type { AnswerCutter, Frame, PeerMessage } from '../../src/frames/frame.ts'

class LineCutter implements AnswerCutter {
  #length = 0
  #first = 0

  get isBetween(): boolean {
    return this.#length === 0
  }

  asked(): void {}

  end(): PeerMessage | null {
    return null
  }

  next(bytes: Uint8Array): PeerMessage | null {
    if (this.#length === 0) this.#first = bytes[0] ?? 0
    if (this.#first === 0x21) throw new SockpoolError('FRAME_BROKEN', 'no line begins so')
    const end = bytes.indexOf(0x0a)
    this.#length += end === -1 ? bytes.length : end + 1
    if (end === -1) return null
    const length = this.#length
    this.#length = 0
    return { taken: end + 1, length, kind: this.#first === 0x3e ? 'push' : 'answer', isLast: false }
  }
}

export const lineFrame: Frame = {
  name: 'test-line',
  max: 65_536,
  balances: false,
  answers: () => new LineCutter(),
  requests: () => null,
}
