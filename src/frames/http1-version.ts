import { frameBroken } from './frame-errors.ts'
import type { Http1Minor } from './http1-fields.ts'

const TEXT = Buffer.from('HTTP/1.')
const [ZERO, ONE] = [0x30, 0x31]

/** `HTTP/1.1` or `HTTP/1.0`, wherever a first line has it. */
export class Http1Version {
  #at = 0
  #minor: Http1Minor = 1

  begin(): void {
    this.#at = 0
  }

  get minor(): Http1Minor {
    return this.#minor
  }

  /** Whether the version is whole with this byte. Errors: FRAME_BROKEN. */
  add(byte: number): boolean {
    if (this.#at === TEXT.length && (byte === ZERO || byte === ONE)) {
      this.#minor = byte === ONE ? 1 : 0
      return true
    }
    if (byte !== TEXT[this.#at++]) throw frameBroken('http1', 'it is not of HTTP/1.1 or HTTP/1.0')
    return false
  }
}
