/** What a dialog has captured so far, and the bytes that it makes of it. */
import type { DialogBytes, DialogStep } from '../../../src/base/dialog-data.ts'
import { LIMITS } from '../../../src/base/limits.ts'
import { StepFault } from './step-matcher.ts'

export class Captures {
  readonly #byName = new Map<string, Buffer>()

  set(name: string, bytes: Buffer): void {
    this.#byName.set(name, bytes)
  }

  /** The pieces in one, captures in their places. Errors: StepFault. */
  fill(pieces: DialogBytes): Buffer {
    const filled = pieces.map(piece => (typeof piece === 'string' ? this.#get(piece) : piece))
    const length = filled.reduce((sum, piece) => sum + piece.length, 0)
    if (length > LIMITS.dialogSendBytesMax) throw new StepFault('too_long')
    return Buffer.concat(filled, length)
  }

  /** Whether a step with this condition is to be taken. */
  meets(when: DialogStep['when']): boolean {
    return Object.entries(when ?? {}).every(([name, text]) => this.#byName.get(name)?.toString() === text)
  }

  #get(name: string): Buffer {
    const bytes = this.#byName.get(name)
    if (bytes === undefined) throw new StepFault('uncaptured')
    return bytes
  }
}
