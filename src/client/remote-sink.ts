/**
 * What was written and the service has not accepted yet. It is kept until then, so that a stream that was cut goes on with
 * the first byte that the service does not have.
 *
 *   accepted ──────── sent ──────── written
 *   (kept, sent on this socket) (kept, to be sent)
 */
import { ChunkList } from '../base/chunk-list.ts'
import { CLIENT_LIMITS } from '../base/client-limits.ts'
import type { ByteSink, SinkShut } from '../streams/byte-sink.ts'
import type { StreamEnd } from '../streams/byte-source.ts'

type Deps = {
  /** There is something to be sent, or the direction ends. */
  readonly want: () => void
  /** Everything was accepted, and the connection is to be closed. */
  readonly close: () => void
  readonly abort: () => void
}

type SendApart = (bytes: Uint8Array, offset: number, signal: AbortSignal) => Promise<unknown>

/** Bytes of one message. */
const MESSAGE_BYTES = 65_536

export class RemoteSink implements ByteSink {
  readonly #deps: Deps
  readonly #kept = new ChunkList()
  #accepted = 0
  #sent = 0
  #room: number = CLIENT_LIMITS.streamWindowBytes
  #shut: 'open' | 'finish' | 'close' = 'open'
  #end: StreamEnd | null = null
  #wish: { readonly level: number; readonly wake: () => void } | null = null
  #onEnd: (() => void) | null = null
  /** Sends bytes by a call of its own, the first of them at this offset. */
  #send: ((bytes: Uint8Array, offset: number) => Promise<unknown>) | null = null
  #sending: Promise<void> | null = null

  constructor(deps: Deps) {
    this.#deps = deps
  }

  get pending(): number {
    return this.#kept.length
  }

  get end(): StreamEnd | null {
    return this.#end
  }

  get isFinished(): boolean {
    return this.#shut === 'finish'
  }

  /** Whether a socket is needed for what was written. */
  get isAwaited(): boolean {
    return this.#end === null && (this.pending > 0 || this.#shut !== 'open')
  }

  write(bytes: Uint8Array): number {
    const taken = Math.max(0, Math.min(bytes.length, this.#room - this.pending))
    if (taken === 0) return 0
    this.#kept.append(taken === bytes.length ? bytes : bytes.subarray(0, taken))
    this.#deps.want()
    this.#sendApart()
    return taken
  }

  /** Has the writer hand over all that it keeps: it will not be asked again. */
  takeAll(): void {
    this.#room = Number.POSITIVE_INFINITY
    this.#fulfil()
  }

  shut(how: SinkShut): void {
    if (this.#end !== null) return
    // The service has no other word for a reset.
    if (how === 'abort' || how === 'reset') {
      this.#kept.drop(this.pending)
      this.#deps.abort()
      return
    }
    this.#shut = how
    if (how === 'close' && this.pending === 0) this.#deps.close()
    else this.#deps.want()
  }

  request(level: number, wake: (() => void) | null): boolean {
    this.#wish = null
    if (wake === null || this.#end !== null || this.pending <= level) return false
    this.#wish = { level, wake }
    this.#deps.want()
    return true
  }

  onEnd(wake: (() => void) | null): void {
    this.#onEnd = wake
    if (this.#end !== null) this.#ended()
  }

  /** A new socket begins, and the service says what it has. */
  resume(writeOffset: number): void {
    this.accepted(writeOffset)
    this.#sent = this.#accepted
  }

  /** The service has all bytes before this one. */
  accepted(offset: number): void {
    const count = Math.min(offset - this.#accepted, this.pending)
    if (count <= 0) return
    this.#kept.drop(count)
    this.#accepted += count
    this.#sent = Math.max(this.#sent, this.#accepted)
    if (this.#wish !== null && this.pending <= this.#wish.level) this.#fulfil()
    if (this.pending === 0 && this.#shut === 'close' && this.#end === null) this.#deps.close()
  }

  /** Sends what was not sent on this socket. */
  pump(send: (bytes: Uint8Array) => void): void {
    let skipped = this.#sent - this.#accepted
    for (const view of this.#kept.views()) {
      const from = Math.min(skipped, view.length)
      skipped -= from
      for (let at = from; at < view.length; at += MESSAGE_BYTES) {
        const message = view.subarray(at, at + MESSAGE_BYTES)
        send(message)
        this.#sent += message.length
      }
    }
  }

  /**
   * While `run` has the stream stand aside, what is written goes by calls, one after another: a peer may have to be asked
   * before it says what is awaited. What has not been sent by then, or fails to be, goes by the next socket: a peer that answers
   * and reads no further holds nobody up.
   */
  async whileApart<T>(send: SendApart, run: () => Promise<T>): Promise<T> {
    const over = new AbortController()
    this.#send = (bytes, offset) => send(bytes, offset, over.signal)
    this.#sendApart()
    try {
      return await run()
    } finally {
      this.#send = null
      over.abort()
      await this.#sending
    }
  }

  #sendApart(): void {
    const [bytes] = this.#kept.views()
    if (this.#send === null || this.#sending !== null || bytes === undefined) return
    const offset = this.#accepted
    this.#sending = this.#send(bytes, offset).then(
      () => {
        this.#sending = null
        this.accepted(offset + bytes.length)
        this.#sendApart()
      },
      () => {
        this.#sending = this.#send = null
      },
    )
  }

  finish(end: StreamEnd): void {
    const isRevoked = end.kind === 'failed' && end.isRevoked === true
    if (this.#end !== null && !isRevoked && (this.#end.kind === 'failed' || end.kind !== 'failed')) return
    this.#end = end
    this.#fulfil()
    this.#ended()
  }

  #ended(): void {
    const wake = this.#onEnd
    this.#onEnd = null
    wake?.()
  }

  #fulfil(): void {
    const wish = this.#wish
    this.#wish = null
    wish?.wake()
  }
}
