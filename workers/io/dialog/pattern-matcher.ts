/**
 * Steps that await a pattern. It is searched anew in all that has come whenever more comes: whether it is there can change
 * with any byte, and the peer may wait for what follows. So that a peer which sends byte by byte costs no more than one
 * that sends at once, the bytes that are looked at are counted over all searches, and bounded.
 */
import { LIMITS } from '../../../src/base/limits.ts'
import { findPattern } from '../../../src/base/pattern.ts'
import { StepFault, type StepMatcher } from './step-matcher.ts'

export class PatternMatcher implements StepMatcher {
  readonly #pattern: string
  #bytes: Buffer = Buffer.alloc(0)
  #searched = 0
  #captured: Buffer = Buffer.alloc(0)

  constructor(pattern: string) {
    this.#pattern = pattern
  }

  /** The first group, or the whole match where the pattern has none. */
  get captured(): Buffer {
    return this.#captured
  }

  take(bytes: Buffer): Buffer | null {
    const length = this.#bytes.length + bytes.length
    this.#searched += length
    if (length > LIMITS.dialogStepBytesMax || this.#searched > LIMITS.dialogSearchBytesMax)
      throw new StepFault('too_long')
    this.#bytes = Buffer.concat([this.#bytes, bytes], length)
    const found = findPattern(this.#pattern, this.#bytes)
    if (found === null) return null
    this.#captured = Buffer.from(found.captured)
    return this.#bytes.subarray(found.end)
  }
}
