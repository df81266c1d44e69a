/** Where the writer of a dialog's module puts its bytes: with the socket, as far as that has room. */
import { LIMITS } from '../../../src/base/limits.ts'
import type { ByteSink } from '../../../src/streams/byte-sink.ts'
import type { StreamEnd } from '../../../src/streams/byte-source.ts'
import type { DialogLine } from './dialog-run.ts'

export class LineSink implements ByteSink {
  readonly #line: DialogLine
  readonly #onShut: () => void
  #pending = 0
  #end: StreamEnd | null = null
  #wish: { readonly level: number; readonly wake: () => void } | null = null
  #onEnd: (() => void) | null = null

  /** `onShut`: the module has closed the connection, or its direction. */
  constructor(line: DialogLine, onShut: () => void) {
    this.#line = line
    this.#onShut = onShut
  }

  get pending(): number {
    return this.#pending
  }

  get end(): StreamEnd | null {
    return this.#end
  }

  write(bytes: Uint8Array): number {
    if (this.#end !== null) return 0
    const count = Math.min(bytes.length, LIMITS.outboundRingBytes - this.#pending)
    if (count === 0) return 0
    this.#pending += count
    this.#line.send(Buffer.from(bytes.subarray(0, count)), () => this.#sent(count))
    return count
  }

  shut(): void {
    this.#onShut()
  }

  request(level: number, wake: (() => void) | null): boolean {
    this.#wish = null
    if (wake === null || this.#end !== null || this.#pending <= level) return false
    this.#wish = { level, wake }
    return true
  }

  onEnd(wake: (() => void) | null): void {
    this.#onEnd = wake
    if (this.#end !== null) this.#told()
  }

  /** Takes nothing more. */
  finish(end: StreamEnd): void {
    if (this.#end !== null) return
    this.#end = end
    this.#wake()
    this.#told()
  }

  #sent(count: number): void {
    this.#pending -= count
    if (this.#wish !== null && this.#pending <= this.#wish.level) this.#wake()
  }

  #wake(): void {
    const wish = this.#wish
    this.#wish = null
    wish?.wake()
  }

  #told(): void {
    const wake = this.#onEnd
    this.#onEnd = null
    wake?.()
  }
}
