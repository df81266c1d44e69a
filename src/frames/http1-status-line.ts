import { LIMITS } from '../base/limits.ts'
import { TEXT } from './byte-sets.ts'
import { frameBroken } from './frame-errors.ts'
import type { Http1Minor } from './http1-fields.ts'
import { Http1Version } from './http1-version.ts'

type State = 'version' | 'status start' | 'status' | 'reason' | 'line end'

const [LF, CR, SPACE, ZERO, NINE] = [0x0a, 0x0d, 0x20, 0x30, 0x39]

/**
 * `HTTP/1.1 200 OK`, with single spaces and CRLF at the end. The space in front of an empty reason may be missing: some
 * servers leave it out, and nobody can take that for another line.
 */
export class Http1StatusLine {
  #state: State = 'version'
  #bytes = 0
  readonly #version = new Http1Version()
  #status = 0

  begin(): void {
    this.#state = 'version'
    this.#bytes = 0
    this.#version.begin()
    this.#status = 0
  }

  get minor(): Http1Minor {
    return this.#version.minor
  }

  /** 100 to 999. */
  get status(): number {
    return this.#status
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
      case 'version':
        return this.#version.add(byte) ? 'status start' : 'version'
      case 'status start':
        if (byte === SPACE) return 'status'
        throw broken('has no space behind its version')
      case 'status':
        return this.#inStatus(byte)
      case 'reason':
        if (TEXT[byte] === 1) return 'reason'
        if (byte === CR) return 'line end'
        throw broken('has a control character')
      case 'line end':
        throw broken('does not end with CRLF')
      default:
        return state satisfies never
    }
  }

  /** A status of three digits is at least 100. */
  #inStatus(byte: number): State {
    if (this.#status < 100) {
      const digit = byte - ZERO
      if (byte < ZERO || byte > NINE || (digit === 0 && this.#status === 0)) throw broken('has no status')
      this.#status = this.#status * 10 + digit
      return 'status'
    }
    if (byte === SPACE) return 'reason'
    if (byte === CR) return 'line end'
    throw broken('has more than a status behind its version')
  }
}

function broken(what: string): Error {
  return frameBroken('http1', `the status line ${what}`)
}
