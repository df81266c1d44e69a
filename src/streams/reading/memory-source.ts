import { ChunkList } from '../../base/chunk-list.ts'
import { type ByteSource, isFinal, type StreamEnd } from '../byte-source.ts'

/** What feeds a reader over memory and can be told to stop for a while. Source: asyncio.ReadTransport. */
export interface ReadTransport {
  /** More than twice the reader's limit is buffered: feed no more. */
  pauseReading(): void
  /** At most the limit is buffered, or a read waits for more than there is: feed again. */
  resumeReading(): void
}

/**
 * A byte source in this thread's memory, fed by hand. It is the ground of `new StreamReader()`.
 *
 * Flow control is asyncio's: the transport pauses when more than 2 × limit bytes are buffered and resumes at the
 * limit, or when a read begins to wait, which therefore cannot deadlock however many bytes it wants.
 */
export class MemorySource implements ByteSource {
  readonly #chunks = new ChunkList()
  #end: StreamEnd | null = null
  #wish: { readonly count: number; readonly wake: () => void } | null = null
  #onEnd: (() => void) | null = null
  #flow: { readonly transport: ReadTransport; readonly limit: number } | null = null
  #isPaused = false

  get available(): number {
    return this.#chunks.length
  }

  get end(): StreamEnd | null {
    return this.#end
  }

  /** Whether no byte can come any more, whatever else ended. */
  get isFinished(): boolean {
    return isFinal(this.#end)
  }

  get transport(): ReadTransport | null {
    return this.#flow?.transport ?? null
  }

  /** Whether the transport was told to pause and not yet to resume. */
  get isPaused(): boolean {
    return this.#isPaused
  }

  /** From now on this transport is paused and resumed, by this limit in bytes. */
  control(transport: ReadTransport, limit: number): void {
    this.#flow = { transport, limit }
  }

  /** Keeps a copy of the bytes. */
  feed(bytes: Uint8Array): void {
    this.#chunks.append(bytes)
    const wish = this.#wish
    const isShort = wish !== null && this.available < wish.count
    if (!isShort) this.#pauseAboveMark()
    if (wish !== null && !isShort) this.#fulfil()
  }

  /** An error stays whatever comes after it, as asyncio's stored exception; a later error replaces it. */
  finish(end: StreamEnd): void {
    if (end.kind === 'failed') this.#end = this.isFinished ? { ...end, afterFin: true } : end
    else if (this.#end?.kind === 'failed') this.#end = { ...this.#end, afterFin: true }
    else this.#end = end
    this.#fulfil()
    this.#ended()
  }

  views(): Iterable<Uint8Array> {
    return this.#chunks.views()
  }

  take(count: number): Buffer {
    const bytes = Buffer.allocUnsafe(count)
    this.takeInto(bytes)
    return bytes
  }

  takeInto(target: Buffer): void {
    this.#chunks.takeInto(target)
    this.#resumeAtLimit()
  }

  skip(count: number): void {
    this.#chunks.drop(count)
    this.#resumeAtLimit()
  }

  putBack(bytes: Uint8Array): void {
    this.#chunks.unshift(bytes)
    this.#pauseAboveMark()
  }

  onEnd(wake: (() => void) | null): void {
    this.#onEnd = wake
    if (this.#end !== null) this.#ended()
  }

  request(count: number, wake: (() => void) | null): boolean {
    this.#wish = null
    if (wake === null || this.#end !== null || this.available >= count) return false
    this.#wish = { count, wake }
    // To wait while the transport is paused would be to wait for ever.
    if (this.#isPaused) this.#resume()
    return true
  }

  #pauseAboveMark(): void {
    if (this.#flow === null || this.#isPaused || this.available <= 2 * this.#flow.limit) return
    this.#isPaused = true
    this.#flow.transport.pauseReading()
  }

  #resumeAtLimit(): void {
    if (this.#isPaused && this.#flow !== null && this.available <= this.#flow.limit) this.#resume()
  }

  #resume(): void {
    this.#isPaused = false
    this.#flow?.transport.resumeReading()
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
