/** Starts a thread that attaches to a pool and plays a part of test/fixtures/threads/attached-plays.ts. */
import { Worker } from 'node:worker_threads'
import { onTestFinished } from 'vitest'
import type { Pool } from '../../src/pool/pool.ts'
import { watchLeaks } from './leak-watch.ts'

const PLAYS = new URL('../fixtures/threads/attached-plays.ts', import.meta.url)

export class AttachedPlayer {
  readonly worker: Worker
  /** Resolves with the exit code; `error` is what the thread threw. */
  readonly exited: Promise<number>
  error: unknown = null
  readonly #said: unknown[] = []
  #wanted: (() => void) | null = null

  constructor(worker: Worker) {
    this.worker = worker
    worker.on('message', value => {
      this.#said.push(value)
      this.#wanted?.()
    })
    worker.on('error', error => {
      this.error = error
    })
    this.exited = new Promise(resolve => {
      worker.on('exit', code => {
        resolve(code)
        this.#wanted?.()
      })
    })
  }

  /** The next thing it says; rejects where it ends without saying more. */
  async next(): Promise<unknown> {
    while (this.#said.length === 0) {
      const more = new Promise<void>(resolve => (this.#wanted = resolve))
      const ended = await Promise.race([more, this.exited])
      if (ended !== undefined && this.#said.length === 0)
        throw new Error(`the thread ended with ${ended} and said no more`, { cause: this.error })
    }
    return this.#said.shift()
  }
}

export function attach(pool: Pool, part: string, argument?: unknown): AttachedPlayer {
  watchLeaks()
  const worker = new Worker(PLAYS, { workerData: { handle: pool.handle, part, argument }, execArgv: [] })
  const player = new AttachedPlayer(worker)
  onTestFinished(async () => {
    await worker.terminate()
  })
  return player
}
