/** A script of this folder in a process of its own, spoken to by messages. It ends with its parent. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'

export class Child {
  readonly #process: ChildProcess

  constructor(script: string) {
    this.#process = fork(new URL(script, import.meta.url), { stdio: 'inherit' })
  }

  /** The next message of the child. Rejects when it ends instead. */
  async next(): Promise<unknown> {
    const over = new AbortController()
    const ended = once(this.#process, 'exit', { signal: over.signal }).then(([code]) => {
      throw new Error(`a process of the bench exited with code ${code}`)
    })
    ended.catch(() => {})
    try {
      const [message] = await Promise.race([once(this.#process, 'message', { signal: over.signal }), ended])
      return message
    } finally {
      over.abort()
    }
  }

  async ask(message: object): Promise<unknown> {
    const answer = this.next()
    this.#process.send(message)
    return await answer
  }

  async close(): Promise<void> {
    if (!this.#process.connected) return
    const exited = once(this.#process, 'exit')
    this.#process.disconnect()
    await exited
  }
}
