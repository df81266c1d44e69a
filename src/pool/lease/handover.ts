/**
 * A lease handed over to code that wants a stream: a socket or a pair of web streams instead of reader and writer.
 * Made once, in one shape; the lease is busy until the stream is done, and ends with it.
 *
 * What the stream has read ahead, or not sent yet, counts against the connection when its holder releases it.
 */
import { SockpoolError } from '../../base/errors.ts'
import { SocketDuplex, type SocketTraits } from '../../streams/adapters/socket-duplex.ts'
import { WebPair } from '../../streams/adapters/web-pair.ts'
import type { StreamReader } from '../../streams/reading/stream-reader.ts'
import type { StreamWriter } from '../../streams/writing/stream-writer.ts'
import type { HeldBack } from './lease-ends.ts'

export type HandoverDeps = {
  readonly reader: StreamReader
  readonly writer: StreamWriter
  readonly traits: SocketTraits
  readonly keepAlive: (isOn: boolean) => void
  readonly onBegun: (shape: 'duplex' | 'web') => void
  /** The stream is done and the connection closing. */
  readonly onEnded: () => void
}

export type WebStreams = Readonly<Pick<WebPair, 'readable' | 'writable'>>

type Shape =
  | { readonly kind: 'none' }
  | { readonly kind: 'duplex'; readonly duplex: SocketDuplex }
  | { readonly kind: 'web'; readonly web: WebPair; readonly streams: WebStreams }

export class Handover {
  readonly #deps: HandoverDeps
  #shape: Shape = { kind: 'none' }

  constructor(deps: HandoverDeps) {
    this.#deps = deps
  }

  /** What the stream has taken and nobody has had of it; null where there is no stream. */
  get heldBack(): HeldBack | null {
    const shape = this.#shape
    switch (shape.kind) {
      case 'none':
        return null
      case 'duplex':
        return { unreadBytes: shape.duplex.readableLength, unsentBytes: shape.duplex.writableLength }
      case 'web':
        return { unreadBytes: 0, unsentBytes: 0 }
      default:
        return shape satisfies never
    }
  }

  toDuplex(): SocketDuplex {
    if (this.#shape.kind === 'duplex') return this.#shape.duplex
    this.#assertFree()
    const { reader, writer, traits, keepAlive, onBegun, onEnded } = this.#deps
    const duplex = new SocketDuplex({ reader, writer, traits, keepAlive, onDestroyed: onEnded })
    this.#shape = { kind: 'duplex', duplex }
    onBegun('duplex')
    return duplex
  }

  toWeb(): WebStreams {
    if (this.#shape.kind === 'web') return this.#shape.streams
    this.#assertFree()
    const { reader, writer, onBegun, onEnded } = this.#deps
    const web = new WebPair({
      ends: { reader, writer },
      allowHalfOpen: true,
      onEnded,
    })
    const streams = { readable: web.readable, writable: web.writable }
    this.#shape = { kind: 'web', web, streams }
    onBegun('web')
    return streams
  }

  /** The lease was released: the stream ends alone, and the connection goes on without it. */
  letGo(): void {
    if (this.#shape.kind === 'duplex') this.#shape.duplex.detach()
    if (this.#shape.kind === 'web') this.#shape.web.letGo(new TypeError('the lease was released'))
  }

  #assertFree(): void {
    if (this.#shape.kind === 'none') return
    throw new SockpoolError('INVALID_REQUEST', 'the lease was handed over in another shape already')
  }
}
