/**
 * SMTP replies, by RFC 5321 §4.2: lines of one code, of which all but the last have a `-` behind it.
 *
 *   code ──► behind code ──► text ──► line end ──► code …       `250-TEXT`
 *                 │                      └────────────────►      `250 TEXT`: the reply ends
 *                 └────────────────────► line end                `250`: so does this one
 *
 * Requests are not cut: a message that is sent behind DATA has no frame of its own. A connection is the last of its kind
 * behind 221 and 421, with which a server says that it closes.
 */
import { LIMITS } from '../base/limits.ts'
import { TEXT } from './byte-sets.ts'
import type { AnswerCutter, Frame, PeerMessage } from './frame.ts'
import { frameBroken } from './frame-errors.ts'
import { MessageSize } from './message-size.ts'

type State = 'code' | 'behind code' | 'text' | 'line end'

const [LF, CR, SPACE, DASH, ZERO, TWO, FIVE, NINE] = [0x0a, 0x0d, 0x20, 0x2d, 0x30, 0x32, 0x35, 0x39]

export function smtpFrame(max: number): Frame {
  return { name: 'smtp', max, balances: false, answers: () => new SmtpReplies(max), requests: () => null }
}

class SmtpReplies implements AnswerCutter {
  readonly #size: MessageSize
  #state: State = 'code'
  #lineBytes = 0
  /** The code of the line as far as it has come, and that of the reply's first line. */
  #code = 0
  #replyCode: number | null = null
  /** Whether the line is the reply's last. */
  #isEnding = true
  readonly #endIn = (bytes: Uint8Array): number => this.#endOf(bytes)

  constructor(max: number) {
    this.#size = new MessageSize('smtp', max)
  }

  get isBetween(): boolean {
    return this.#size.isEmpty
  }

  asked(): void {}

  next(bytes: Uint8Array): PeerMessage | null {
    const message = this.#size.cut(bytes, this.#endIn)
    if (!message) return null
    const isLast = this.#replyCode === 221 || this.#replyCode === 421
    this.#replyCode = null
    return { ...message, kind: 'answer', isLast }
  }

  end(): null {
    if (this.isBetween) return null
    throw broken('the stream ended within a reply')
  }

  #endOf(bytes: Uint8Array): number {
    for (let at = 0; at < bytes.length; at++) {
      const byte = bytes[at] ?? 0
      if (++this.#lineBytes > LIMITS.frameSmtpLineBytesMax) throw broken('a line is too long')
      const isLineEnd = this.#state === 'line end'
      this.#state = this.#next(this.#state, byte)
      if (isLineEnd && this.#isEnding) return at + 1
    }
    return -1
  }

  #next(state: State, byte: number): State {
    switch (state) {
      case 'code':
        return this.#inCode(byte)
      case 'behind code':
        if (byte !== DASH && byte !== SPACE && byte !== CR) throw broken('a code is followed by no text')
        this.#isEnding = byte !== DASH
        return byte === CR ? 'line end' : 'text'
      case 'text':
        if (TEXT[byte] === 1) return 'text'
        if (byte === CR) return 'line end'
        throw broken('a line has a control character')
      case 'line end':
        if (byte !== LF) throw broken('a line does not end with CRLF')
        this.#lineBytes = 0
        this.#code = 0
        return 'code'
      default:
        return state satisfies never
    }
  }

  #inCode(byte: number): State {
    const [from, to] = this.#code === 0 ? [TWO, FIVE] : [ZERO, NINE]
    if (byte < from || byte > to) throw broken('a line begins with no code')
    this.#code = this.#code * 10 + byte - ZERO
    if (this.#code < 100) return 'code'
    this.#replyCode ??= this.#code
    if (this.#code !== this.#replyCode) throw broken('the lines of a reply differ in their codes')
    return 'behind code'
  }
}

function broken(what: string): Error {
  return frameBroken('smtp', what)
}
