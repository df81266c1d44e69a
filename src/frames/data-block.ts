/** So many bytes of any kind, which are not looked at, and \r\n behind them. */
import { frameBroken } from './frame-errors.ts'

const CRLF = Buffer.from('\r\n')

export class DataBlock {
  readonly #frame: string
  /** Bytes to come, \r\n included. */
  #left = 0

  constructor(frame: string) {
    this.#frame = frame
  }

  begin(length: number): void {
    this.#left = length + CRLF.length
  }

  /** How many of the next bytes are its data. */
  dataWithin(size: number): number {
    return Math.min(size, Math.max(0, this.#left - CRLF.length))
  }

  /** Index behind its \r\n, or -1 where that has not come. Errors: FRAME_BROKEN. */
  find(bytes: Uint8Array, from: number, to: number): number {
    const skipped = this.dataWithin(to - from)
    this.#left -= skipped
    let index = from + skipped
    for (; this.#left > 0 && index < to; index++, this.#left--)
      if (bytes[index] !== CRLF[CRLF.length - this.#left])
        throw frameBroken(this.#frame, 'no \\r\\n stands where the data ends by its length')
    return this.#left === 0 ? index : -1
  }
}
