/**
 * The line in front of a chunk, by RFC 9112 §7.1 and without the blanks that it lets a recipient overlook:
 * `SIZE[;NAME[=TOKEN|="TEXT"]]… CRLF`.
 *
 *   size ──► name start ──► name ──► value start ──┬──► value
 *                                                  └──► quoted ⇄ escaped, ──► quoted end
 *
 * A `;` leads on to the next extension, a CR to the line's end, from wherever either may stand.
 */
import { LIMITS } from '../base/limits.ts'
import { TEXT, TOKEN } from './byte-sets.ts'
import { frameBroken } from './frame-errors.ts'

type State =
  | 'size'
  | 'name start'
  | 'name'
  | 'value start'
  | 'value'
  | 'quoted'
  | 'escaped'
  | 'quoted end'
  | 'line end'

const [LF, CR, QUOTE, SEMICOLON, EQUALS, BACKSLASH] = [0x0a, 0x0d, 0x22, 0x3b, 0x3d, 0x5c]

export class Http1SizeLine {
  #state: State = 'size'
  #bytes = 0
  #digits = 0
  #size = 0

  begin(): void {
    this.#state = 'size'
    this.#bytes = 0
    this.#digits = 0
    this.#size = 0
  }

  /** Bytes of the chunk; exact where they are no more than a bound can be. */
  get size(): number {
    return this.#size
  }

  /** The index behind the line, or -1 while it goes on. Errors: FRAME_BROKEN. */
  endOf(bytes: Uint8Array, from: number): number {
    for (let at = from; at < bytes.length; at++) {
      const byte = bytes[at] ?? 0
      if (++this.#bytes > LIMITS.frameHttpLineBytesMax) throw broken('is too long')
      if (this.#state === 'line end' && byte === LF) return at + 1
      this.#state = this.#state === 'size' ? this.#inSize(byte) : this.#inExtension(this.#state, byte)
    }
    return -1
  }

  #inSize(byte: number): State {
    const digit = digitOf(byte)
    if (digit === -1 && this.#digits > 0) return behindWhole(byte)
    if (digit === -1) throw broken('has no size')
    if (++this.#digits > LIMITS.frameHttpDigitsMax) throw broken('has a size with too many digits')
    this.#size = this.#size * 16 + digit
    return 'size'
  }

  #inExtension(state: Exclude<State, 'size'>, byte: number): State {
    switch (state) {
      case 'name start':
        if (TOKEN[byte] === 1) return 'name'
        throw broken('has an extension without a name')
      case 'name':
        if (TOKEN[byte] === 1) return 'name'
        return byte === EQUALS ? 'value start' : behindWhole(byte)
      case 'value start':
        if (TOKEN[byte] === 1) return 'value'
        if (byte === QUOTE) return 'quoted'
        throw broken('has an extension without a value')
      case 'value':
        return TOKEN[byte] === 1 ? 'value' : behindWhole(byte)
      case 'quoted':
        if (byte === QUOTE) return 'quoted end'
        if (byte === BACKSLASH) return 'escaped'
        if (TEXT[byte] === 1) return 'quoted'
        throw broken('has a control character')
      case 'escaped':
        if (TEXT[byte] === 1) return 'quoted'
        throw broken('has a control character')
      case 'quoted end':
        return behindWhole(byte)
      case 'line end':
        throw broken('does not end with CRLF')
      default:
        return state satisfies never
    }
  }
}

/** What follows a whole size, name or value. */
function behindWhole(byte: number): State {
  if (byte === SEMICOLON) return 'name start'
  if (byte === CR) return 'line end'
  throw broken('has what is no size and no extension')
}

/** -1 for what is no hexadecimal digit. */
function digitOf(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
  const letter = byte | 0x20
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1
}

function broken(what: string): Error {
  return frameBroken('http1', `the line of a chunk ${what}`)
}
