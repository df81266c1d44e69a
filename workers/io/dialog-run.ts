/**
 * One dialog under way on a connection: bytes are sent, and the bytes that come must be the expected ones, byte
 * for byte. While it runs, the connection hands it all that arrives; what arrives beyond the last expected byte
 * is left over.
 */
import { SockpoolError } from '../../src/base/errors.ts'
import { Wait } from '../../src/base/wait.ts'
import type { Dialog } from '../../src/threads/protocol.ts'

export class DialogRun {
  readonly #steps: Dialog
  readonly #send: (bytes: Uint8Array) => void
  readonly #wait: Wait<void>
  #step = 0
  /** Bytes of the current `expect` that have come. */
  #matched = 0
  #leftover: Buffer[] = []

  constructor(steps: Dialog, send: (bytes: Uint8Array) => void, timeoutMs: number) {
    this.#steps = steps
    this.#send = send
    this.#wait = new Wait<void>('the dialog', 'DIALOG_FAILED', { timeoutMs }, error =>
      error.add({ step: this.#step, reason: 'timeout' }),
    )
    this.#advance()
  }

  /** Resolves after the last step. Errors: DIALOG_FAILED with the step. */
  get done(): Promise<void> {
    return this.#wait.promise
  }

  get isOver(): boolean {
    return this.#wait.settled
  }

  /** What came after the last expected byte, in order. */
  get leftover(): readonly Buffer[] {
    return this.#leftover
  }

  received(bytes: Buffer): void {
    let from = 0
    while (from < bytes.length) {
      const step = this.#steps[this.#step]
      if (this.isOver || step === undefined || !('expect' in step)) {
        this.#leftover.push(Buffer.from(bytes.subarray(from)))
        return
      }
      const count = Math.min(bytes.length - from, step.expect.length - this.#matched)
      const wanted = step.expect.subarray(this.#matched, this.#matched + count)
      if (bytes.compare(wanted, 0, count, from, from + count) !== 0) return this.fail('unexpected')
      from += count
      this.#matched += count
      if (this.#matched < step.expect.length) return
      this.#matched = 0
      this.#step++
      this.#advance()
    }
  }

  /** `reason`: `unexpected`, `timeout`, `closed`. The bytes themselves may be secret and are not told. */
  fail(reason: string): void {
    const step = this.#step
    this.#wait.reject(
      new SockpoolError('DIALOG_FAILED', `step ${step} of the dialog failed: ${reason}`, { step, reason }),
    )
  }

  #advance(): void {
    for (;;) {
      const step = this.#steps[this.#step]
      if (step === undefined) return this.#wait.resolve()
      if ('expect' in step) return
      this.#send(step.send)
      this.#step++
    }
  }
}
