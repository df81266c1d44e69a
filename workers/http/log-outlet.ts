/**
 * The way of a thread's log lines to the process's one log: batches of whole lines, the next when the main thread has
 * taken the last. What comes meanwhile waits in the sink, up to its bound.
 */
import type { LogOutlet } from '../../src/base/log-sink.ts'

export class MessageOutlet implements LogOutlet {
  readonly #post: (text: string) => void
  #taken: (() => void) | null = null

  constructor(post: (text: string) => void) {
    this.#post = post
  }

  write(bytes: Uint8Array, done: (written: number, error: Error | null) => void): void {
    this.#taken = () => done(bytes.length, null)
    this.#post(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8'))
  }

  /** The main thread has taken the last batch. */
  taken(): void {
    const taken = this.#taken
    this.#taken = null
    taken?.()
  }
}
