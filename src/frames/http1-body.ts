import { Http1Chunked } from './http1-chunked.ts'
import type { Http1Framing } from './http1-fields.ts'
import type { MessageSize } from './message-size.ts'

type State =
  | { readonly kind: 'counted'; left: number }
  | { readonly kind: 'chunked' }
  /** All that comes until the stream ends. */
  | { readonly kind: 'rest' }

/** The body of an HTTP/1.1 message, once its head is known. */
export class Http1Body {
  readonly #message: MessageSize
  readonly #chunked: Http1Chunked
  #state: State = { kind: 'counted', left: 0 }

  constructor(message: MessageSize) {
    this.#message = message
    this.#chunked = new Http1Chunked(message)
  }

  /**
   * `at`: the index behind the head; `untold`: what a head says that tells of no end.
   *
   * Errors: LIMIT_OVERRUN, where the head tells of more than a message may have.
   */
  begin(framing: Http1Framing, at: number, untold: 'none' | 'rest'): void {
    switch (framing.kind) {
      case 'untold':
        this.#state = untold === 'none' ? { kind: 'counted', left: 0 } : { kind: 'rest' }
        return
      case 'length':
        this.#message.announce(at, framing.bytes)
        this.#state = { kind: 'counted', left: framing.bytes }
        return
      case 'chunked':
        this.#chunked.begin()
        this.#state = { kind: 'chunked' }
        return
      default:
        return framing satisfies never
    }
  }

  get endsWithStream(): boolean {
    return this.#state.kind === 'rest'
  }

  /** The index behind the body, or -1 while it goes on. Errors: FRAME_BROKEN, LIMIT_OVERRUN. */
  endOf(bytes: Uint8Array, from: number): number {
    const state = this.#state
    switch (state.kind) {
      case 'counted': {
        const taken = Math.min(bytes.length - from, state.left)
        state.left -= taken
        return state.left === 0 ? from + taken : -1
      }
      case 'chunked':
        return this.#chunked.endOf(bytes, from)
      case 'rest':
        return -1
      default:
        return state satisfies never
    }
  }
}
