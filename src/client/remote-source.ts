/**
 * What came over the stream of a lease and was not read yet. The service keeps each byte until it is told that it was
 * consumed, so that a stream that was cut goes on where it was, and what was not read is unread for the service too.
 *
 *   read ────────── told ──────── position ─────────── received
 *   (the service    (it has them   (kept here, and there)
 *   has forgotten)  still)
 *
 * A read that wants more than a window holds has bytes told that it has not had: they are set aside here, and here alone.
 */
import { ChunkList } from '../base/chunk-list.ts'
import { CLIENT_LIMITS } from '../base/client-limits.ts'
import { assertOwned, type ByteSource, isFinal, type StreamEnd } from '../streams/byte-source.ts'
import { RecentBytes } from './recent-bytes.ts'

type Deps = {
  /** A read waits for bytes. */
  readonly want: () => void
  /** Tells the service up to where the stream was consumed; false where there is no way now. */
  readonly tell: (offset: number) => boolean
}

export class RemoteSource implements ByteSource {
  readonly #deps: Deps
  readonly #chunks = new ChunkList()
  readonly #recent = new RecentBytes()
  #received = 0
  #told = 0
  /** Bytes at the front that are not those of the stream. */
  #foreign = 0
  #end: StreamEnd | null = null
  #wish: { readonly count: number; readonly wake: () => void } | null = null
  #onEnd: (() => void) | null = null

  constructor(deps: Deps) {
    this.#deps = deps
  }

  get available(): number {
    return this.#chunks.length
  }

  get end(): StreamEnd | null {
    return this.#end
  }

  get isAwaited(): boolean {
    return this.#wish !== null
  }

  /** Where a stream that is opened now goes on; what lies between here and `received` comes twice. */
  get resumeOffset(): number {
    return Math.max(this.#told, this.position)
  }

  /** The stream offset of the next byte to be read. */
  get position(): number {
    return this.#received - this.available
  }

  get received(): number {
    return this.#received
  }

  /** Bytes that came and the service was not told of: a window's at the most, if it keeps to its word. */
  get untold(): number {
    return this.#received - this.#told
  }

  /** Whether the service knows what was read. */
  get isToldOf(): boolean {
    return this.#told >= this.position
  }

  /** Whether the service has every byte that was not read, and no other is to be read first. */
  get isWhole(): boolean {
    return this.#told <= this.position && this.#foreign === 0
  }

  /** Bytes of the stream have come. */
  feed(bytes: Uint8Array): void {
    if (this.#end !== null) return
    this.#received += bytes.length
    this.#chunks.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length))
    if (this.#wish !== null && this.available < this.#wish.count) this.#setAside()
    else this.#fulfil()
  }

  /** An error stays whatever comes after it; one that comes after the end of the stream leaves that its end. */
  finish(end: StreamEnd): void {
    const before = this.#end
    if (before?.kind === 'failed' && !(end.kind === 'failed' && end.isRevoked)) return
    if (before !== null && end.kind !== 'failed') return
    this.#end = end.kind === 'failed' && !end.isRevoked && isFinal(before) ? { ...end, afterFin: true } : end
    this.#fulfil()
    this.#ended()
  }

  /** Tells all that was read. */
  tellAll(): void {
    const position = this.position
    if (position > this.#told) this.#tell(position)
  }

  /** The service has read up to here by itself: of what came, that much is gone. */
  advance(offset: number): void {
    const count = Math.max(0, offset - this.position)
    this.#chunks.drop(Math.min(count, this.available))
    this.#received = Math.max(this.#received, offset)
    this.#told = Math.max(this.#told, offset)
    this.#recent.clear()
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
    this.#taken(target.length, target)
  }

  skip(count: number): void {
    if (count < CLIENT_LIMITS.streamAckBytes) return void this.take(count)
    this.#chunks.drop(count)
    this.#taken(count, null)
  }

  putBack(bytes: Uint8Array): void {
    assertOwned(this.#end)
    const isSame = this.#foreign === 0 && this.#recent.takeBack(bytes)
    if (!isSame) this.#foreign += bytes.length
    this.#chunks.unshift(bytes)
  }

  request(count: number, wake: (() => void) | null): boolean {
    this.#wish = null
    if (wake === null || this.#end !== null || this.available >= count) return false
    this.#wish = { count, wake }
    this.#setAside()
    this.#deps.want()
    return true
  }

  onEnd(wake: (() => void) | null): void {
    this.#onEnd = wake
    if (this.#end !== null) this.#ended()
  }

  #taken(count: number, bytes: Uint8Array | null): void {
    this.#foreign = Math.max(0, this.#foreign - count)
    const position = this.position
    if (position - this.#told >= CLIENT_LIMITS.streamAckBytes && this.#tell(position)) return
    if (bytes !== null && bytes.length <= CLIENT_LIMITS.streamAckBytes) this.#recent.add(bytes)
    else this.#recent.clear()
  }

  /** A read that no window can hold makes the service send on. */
  #setAside(): void {
    if (this.#wish === null) return
    const wanted = this.position + this.#wish.count
    const isBeyond = wanted > this.#told + CLIENT_LIMITS.streamWindowBytes
    if (isBeyond && this.#received - this.#told >= CLIENT_LIMITS.streamAckBytes) this.#tell(this.#received)
  }

  #tell(offset: number): boolean {
    if (!this.#deps.tell(offset)) return false
    this.#told = offset
    this.#recent.clear()
    return true
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
