import { LIMITS } from '../base/limits.ts'
import { TOKEN, VISIBLE } from './byte-sets.ts'
import { frameBroken } from './frame-errors.ts'
import type { Http1Minor } from './http1-fields.ts'
import { Http1Version } from './http1-version.ts'
import { ShortWord } from './short-word.ts'

type State = 'method' | 'target start' | 'target' | 'version' | 'behind version' | 'line end'

const [LF, CR, SPACE] = [0x0a, 0x0d, 0x20]

/** `GET /path HTTP/1.1`, with single spaces and CRLF at the end. */
export class Http1RequestLine {
  #state: State = 'method'
  #bytes = 0
  readonly #word = new ShortWord()
  /** Null for one that is longer than any that is known. */
  #method: string | null = null
  readonly #version = new Http1Version()

  begin(): void {
    this.#state = 'method'
    this.#bytes = 0
    this.#version.begin()
  }

  get minor(): Http1Minor {
    return this.#version.minor
  }

  /** Null for one that is longer than any that is known. */
  get method(): string | null {
    return this.#method
  }

  /** The index behind the line, or -1 while it goes on. Errors: FRAME_BROKEN. */
  endOf(bytes: Uint8Array, from: number): number {
    for (let at = from; at < bytes.length; at++) {
      const byte = bytes[at] ?? 0
      if (++this.#bytes > LIMITS.frameHttpLineBytesMax) throw broken('is too long')
      if (this.#state === 'line end' && byte === LF) return at + 1
      this.#state = this.#next(this.#state, byte)
    }
    return -1
  }

  #next(state: State, byte: number): State {
    switch (state) {
      case 'method':
        return this.#inMethod(byte)
      case 'target start':
        if (VISIBLE[byte] === 1) return 'target'
        throw broken('has no target behind its method')
      case 'target':
        if (VISIBLE[byte] === 1) return 'target'
        if (byte === SPACE) return 'version'
        throw broken('has a target with a character that none may have')
      case 'version':
        return this.#version.add(byte) ? 'behind version' : 'version'
      case 'behind version':
        if (byte === CR) return 'line end'
        throw broken('has more than a version behind its target')
      case 'line end':
        throw broken('does not end with CRLF')
      default:
        return state satisfies never
    }
  }

  #inMethod(byte: number): State {
    if (TOKEN[byte] === 1) {
      this.#word.add(byte)
      return 'method'
    }
    if (byte !== SPACE || this.#bytes === 1) throw broken('has no method')
    this.#method = this.#word.take()
    return 'target start'
  }
}

function broken(what: string): Error {
  return frameBroken('http1', `the request line ${what}`)
}
