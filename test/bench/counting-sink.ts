/** Where rows pipe to: a Writable that counts and drops. */
import { Writable } from 'node:stream'
import { ByteTally } from './byte-tally.ts'
import type { Outcome } from './hosting/runner.ts'

export class CountingSink extends Writable {
  #tally = new ByteTally(0)
  #resolve: (outcome: Outcome) => void = () => {}

  /** Resolves when so many bytes have come; `ask` has them sent. */
  take(bytes: number, ask: (bytes: number) => void): Promise<Outcome> {
    this.#tally = new ByteTally(bytes)
    return new Promise(resolve => {
      this.#resolve = resolve
      ask(bytes)
    })
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#tally.add(chunk)
    if (this.#tally.isComplete) this.#resolve(this.#tally.outcome())
    done()
  }
}
