/**
 * Notices that another protocol has taken a stream for its transport: TLS (`tls.connect({ socket })`, `new TLSSocket`)
 * or HTTP/2. Node reaches a real net.Socket through its handle then. Any other stream it wraps, and the wrapper
 * destroys the layer above at the stream's 'close', whether the program has read what the layer holds or not. So the
 * stream must know of it.
 *
 * The sign is what the wrapper does within one call, in all lines of Node from 22 to 26:
 *
 *   pause() ─► one listener each: 'error', 'data', once 'end', once 'close' ─► resume()
 *
 * A program has no reason to pause a stream and to resume it in the same breath. Others come near: `pipeline()` after
 * `pause()` resumes too, but listens for 'end' and 'close' more than once; `pipe()` does not listen for 'close'. Where
 * a Node of the future does otherwise, the stream is an ordinary one again, and a test fails.
 */
import type { Readable } from 'node:stream'

const EVENTS = ['error', 'data', 'end', 'close'] as const
const HEARD_ONCE: ReadonlySet<string> = new Set(['end', 'close'])

type Counts = readonly number[]

type State =
  | { readonly kind: 'alone' }
  /** Paused within the call that still runs; how many listeners each event had. */
  | { readonly kind: 'paused'; readonly counts: Counts }
  | { readonly kind: 'layered' }

const ALONE: State = { kind: 'alone' }

export class LayerWatch {
  #state: State = ALONE

  /** Whether a layer stands on the stream. It stays there. */
  get isLayered(): boolean {
    return this.#state.kind === 'layered'
  }

  paused(stream: Readable): void {
    if (this.isLayered) return
    const paused: State = { kind: 'paused', counts: EVENTS.map(event => stream.listenerCount(event)) }
    this.#state = paused
    // The call that runs is over by then.
    queueMicrotask(() => {
      if (this.#state === paused) this.#state = ALONE
    })
  }

  resumed(stream: Readable): void {
    if (this.#state.kind !== 'paused') return
    this.#state = isWrapped(stream, this.#state.counts) ? { kind: 'layered' } : ALONE
  }
}

function isWrapped(stream: Readable, counts: Counts): boolean {
  return EVENTS.every((event, index) => {
    const added = stream.rawListeners(event).slice(counts[index])
    return added.length === 1 && added.every(listener => 'listener' in listener === HEARD_ONCE.has(event))
  })
}
