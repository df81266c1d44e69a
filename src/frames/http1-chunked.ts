/**
 * A body in chunks, by RFC 9112 §7.1.
 *
 *   size ──┬──► data ──► data CR ──► data LF ──► size …
 *          └──► trailers                          behind the size 0
 */
import { frameBroken } from './frame-errors.ts'
import { Http1Fields } from './http1-fields.ts'
import { Http1SizeLine } from './http1-size-line.ts'
import type { MessageSize } from './message-size.ts'

type State = 'size' | 'data' | 'data CR' | 'data LF' | 'trailers'

const [LF, CR] = [0x0a, 0x0d]

export class Http1Chunked {
  readonly #message: MessageSize
  readonly #line = new Http1SizeLine()
  readonly #trailers = new Http1Fields()
  #state: State = 'size'
  /** Bytes of the chunk that are to come. */
  #left = 0

  constructor(message: MessageSize) {
    this.#message = message
  }

  begin(): void {
    this.#state = 'size'
    this.#line.begin()
    this.#trailers.begin()
  }

  /** The index behind the body, or -1 while it goes on. Errors: FRAME_BROKEN, LIMIT_OVERRUN. */
  endOf(bytes: Uint8Array, from: number): number {
    let at = from
    while (at !== -1 && at < bytes.length) {
      if (this.#state === 'trailers') return this.#endOfTrailers(bytes, at)
      at = this.#step(this.#state, bytes, at)
    }
    return -1
  }

  /** The index of what the next state looks at, or -1. */
  #step(state: Exclude<State, 'trailers'>, bytes: Uint8Array, at: number): number {
    switch (state) {
      case 'size':
        return this.#inSize(bytes, at)
      case 'data':
        return this.#inData(bytes, at)
      case 'data CR':
        if (bytes[at] !== CR) throw frameBroken('http1', 'a chunk is longer than its size')
        this.#state = 'data LF'
        return at + 1
      case 'data LF':
        if (bytes[at] !== LF) throw frameBroken('http1', 'a chunk does not end with CRLF')
        this.#state = 'size'
        this.#line.begin()
        return at + 1
      default:
        return state satisfies never
    }
  }

  #inSize(bytes: Uint8Array, from: number): number {
    const end = this.#line.endOf(bytes, from)
    if (end === -1) return -1
    this.#left = this.#line.size
    this.#message.announce(end, this.#left)
    this.#state = this.#left === 0 ? 'trailers' : 'data'
    return end
  }

  #inData(bytes: Uint8Array, from: number): number {
    const skipped = Math.min(bytes.length - from, this.#left)
    this.#left -= skipped
    if (this.#left === 0) this.#state = 'data CR'
    return from + skipped
  }

  #endOfTrailers(bytes: Uint8Array, from: number): number {
    const end = this.#trailers.endOf(bytes, from)
    if (end !== -1 && this.#trailers.framing(1).kind !== 'untold')
      throw frameBroken('http1', 'trailers tell where the body ends')
    return end
  }
}
