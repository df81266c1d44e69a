/**
 * What a step of a dialog awaits, as it comes. A matcher is fed the bytes in pieces of any size, looks at each once (but for
 * patterns, whose looks are bounded together), and keeps no more of them than a step may take in.
 */
import { ChunkList } from '../../../src/base/chunk-list.ts'
import { LIMITS } from '../../../src/base/limits.ts'

export interface StepMatcher {
  /**
   * Looks at the next bytes: null where all of them belong to what is awaited, and more has to come; else those behind it.
   * Errors: StepFault, and the matcher is of no use any more.
   */
  take(bytes: Buffer): Buffer | null
  /** What it captures, once it has come whole. */
  readonly captured: Buffer
}

/** Why a step failed; what came, and what was awaited, may be secret and is not told. */
export type StepReason =
  /** Other bytes came. */
  | 'unexpected'
  /** More bytes came than a step may take in, or more were to be sent. */
  | 'too_long'
  /** They are no message of the target's frame. */
  | 'broken'
  /** It names a capture of a step that was left out. */
  | 'uncaptured'

export class StepFault extends Error {
  readonly reason: StepReason

  constructor(reason: StepReason) {
    super(reason)
    this.name = 'StepFault'
    this.reason = reason
  }
}

/** The bytes that a step has taken in, up to its bound. */
export class TakenBytes {
  readonly #chunks = new ChunkList()

  get length(): number {
    return this.#chunks.length
  }

  /** Keeps a copy. Errors: StepFault. */
  add(bytes: Uint8Array): void {
    if (this.length + bytes.length > LIMITS.dialogStepBytesMax) throw new StepFault('too_long')
    this.#chunks.append(bytes)
  }

  clear(): void {
    this.#chunks.drop(this.#chunks.length)
  }

  takeAll(): Buffer {
    return this.#chunks.takeAll()
  }
}
