/**
 * A stream from an earlier place on: first bytes that were read before, then what the source has and gets. Whoever reads
 * it sees one stream, so that a read may begin in the old bytes and end in new ones by the very rules of any other read.
 *
 *   taken again ◄── #rest (this end's own) ◄── source
 *
 * Old bytes are this end's own, and taking them takes nothing from anybody; `fresh` counts those of the source.
 */
import type { ByteSource, StreamEnd } from '../byte-source.ts'

export class ReplaySource implements ByteSource {
  readonly #source: ByteSource
  #rest: Buffer
  #fresh = 0

  /** `old`: the bytes that come before those of the source. They are not copied. */
  constructor(old: Buffer, source: ByteSource) {
    this.#rest = old
    this.#source = source
  }

  /** Bytes of the source that were taken and not put back. */
  get fresh(): number {
    return this.#fresh
  }

  get available(): number {
    return this.#rest.length + this.#source.available
  }

  get end(): StreamEnd | null {
    return this.#source.end
  }

  views(): Iterable<Uint8Array> {
    return this.#rest.length === 0 ? this.#source.views() : [this.#rest, ...this.#source.views()]
  }

  take(count: number): Buffer {
    const bytes = Buffer.allocUnsafe(count)
    this.takeInto(bytes)
    return bytes
  }

  takeInto(target: Buffer): void {
    const old = this.#rest.copy(target)
    this.#rest = this.#rest.subarray(old)
    if (old === target.length) return
    this.#source.takeInto(target.subarray(old))
    this.#fresh += target.length - old
  }

  skip(count: number): void {
    const old = Math.min(count, this.#rest.length)
    this.#rest = this.#rest.subarray(old)
    if (old === count) return
    this.#source.skip(count - old)
    this.#fresh += count - old
  }

  putBack(bytes: Uint8Array): void {
    const old = Math.max(0, bytes.length - this.#fresh)
    if (old < bytes.length) this.#source.putBack(bytes.subarray(old))
    this.#fresh -= bytes.length - old
    if (old > 0) this.#rest = Buffer.concat([bytes.subarray(0, old), this.#rest])
  }

  request(count: number, wake: (() => void) | null): boolean {
    return this.#source.request(Math.max(0, count - this.#rest.length), wake)
  }

  onEnd(wake: (() => void) | null): void {
    this.#source.onEnd(wake)
  }
}
