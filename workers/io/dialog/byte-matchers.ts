/** Steps that await certain bytes, or so many of them. */
import { StepFault, type StepMatcher, TakenBytes } from './step-matcher.ts'

/** These very bytes; the first that is another fails. */
export class ExactMatcher implements StepMatcher {
  readonly captured: Buffer
  #matched = 0

  constructor(wanted: Buffer) {
    this.captured = wanted
  }

  take(bytes: Buffer): Buffer | null {
    const wanted = this.captured.subarray(this.#matched, this.#matched + bytes.length)
    if (bytes.compare(wanted, 0, wanted.length, 0, wanted.length) !== 0) throw new StepFault('unexpected')
    this.#matched += wanted.length
    return this.#matched < this.captured.length ? null : bytes.subarray(wanted.length)
  }
}

/** So many bytes, whichever they are. */
export class CountMatcher implements StepMatcher {
  readonly #count: number
  readonly #taken = new TakenBytes()
  #captured: Buffer = Buffer.alloc(0)

  constructor(count: number) {
    this.#count = count
  }

  get captured(): Buffer {
    return this.#captured
  }

  take(bytes: Buffer): Buffer | null {
    const missing = this.#count - this.#taken.length
    this.#taken.add(bytes.subarray(0, missing))
    if (this.#taken.length < this.#count) return null
    this.#captured = this.#taken.takeAll()
    return bytes.subarray(missing)
  }
}
