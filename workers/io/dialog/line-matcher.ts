/** Steps that await a line, up to and with its line feed, which begins with certain bytes or with any. */
import { StepFault, type StepMatcher, TakenBytes } from './step-matcher.ts'

const LINE_FEED = 0x0a
const CARRIAGE_RETURN = 0x0d

export class LineMatcher implements StepMatcher {
  /** May hold line feeds: the line ends at the first one that is not before its last byte. */
  readonly #prefix: Buffer
  readonly #taken = new TakenBytes()
  #captured: Buffer = Buffer.alloc(0)

  constructor(prefix: Buffer) {
    this.#prefix = prefix
  }

  /** The line without its end. */
  get captured(): Buffer {
    return this.#captured
  }

  take(bytes: Buffer): Buffer | null {
    const { length } = this.#taken
    const begins = this.#prefix.subarray(length, length + bytes.length)
    if (bytes.compare(begins, 0, begins.length, 0, begins.length) !== 0) throw new StepFault('unexpected')
    const feed = bytes.indexOf(LINE_FEED, Math.max(0, this.#prefix.length - 1 - length))
    if (feed === -1) {
      this.#taken.add(bytes)
      return null
    }
    this.#taken.add(bytes.subarray(0, feed + 1))
    this.#captured = withoutEnd(this.#taken.takeAll())
    return bytes.subarray(feed + 1)
  }
}

function withoutEnd(line: Buffer): Buffer {
  return line.subarray(0, line.at(-2) === CARRIAGE_RETURN ? -2 : -1)
}
