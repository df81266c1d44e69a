/** The test's line to a thread of test/fixtures/threads/fence-thread.ts. */
import { Worker } from 'node:worker_threads'
import type { PoolHandle } from '../../src/library/index.ts'
import type { ThreadAnswer, ThreadAsk, ThreadQuestion } from '../fixtures/threads/fence-thread.ts'
import type { Deed, Ends, OwnEnding, Used } from './fence-ends.ts'
import type { Outcome } from './fence-outcome.ts'
import { PATIENCE_MS } from './fence-peers.ts'
import { within } from './service-process.ts'

const FILE = new URL('../fixtures/threads/fence-thread.ts', import.meta.url)

type Settle = { readonly resolve: (value: unknown) => void; readonly reject: (error: Error) => void }

export class FenceThread {
  readonly #worker = new Worker(FILE, { execArgv: [] })
  readonly #asked = new Map<number, Settle>()
  readonly #exited: Promise<unknown>
  #next = 0
  isGone = false

  constructor() {
    this.#worker.on('message', (answer: ThreadAnswer) => {
      const settle = this.#asked.get(answer.id)
      this.#asked.delete(answer.id)
      if ('error' in answer) settle?.reject(new Error(`on the attached thread: ${answer.error}`))
      else settle?.resolve(answer.value)
    })
    this.#exited = new Promise(resolve => this.#worker.once('exit', resolve))
    this.#worker.once('exit', () => {
      this.isGone = true
      for (const { reject } of this.#asked.values()) reject(new Error('the attached thread is gone'))
    })
  }

  async ask<T>(ask: ThreadAsk): Promise<T> {
    const id = this.#next++
    const answer = new Promise<unknown>((resolve, reject) => this.#asked.set(id, { resolve, reject }))
    this.#worker.postMessage({ ...ask, id } satisfies ThreadQuestion)
    return (await within(PATIENCE_MS, answer, `the attached thread did not answer ${ask.ask}`)) as T
  }

  attach(handle: PoolHandle): Promise<void> {
    return this.ask({ ask: 'attach', handle })
  }

  /** Ends by itself, where it still hears; a thread that blocks is ended. */
  async exit(how: 'exit' | 'terminate'): Promise<void> {
    if (how === 'exit') void this.ask({ ask: 'exit' }).catch(() => {})
    else await this.#worker.terminate()
    await this.#exited
  }

  async close(): Promise<void> {
    await this.#worker.terminate()
  }
}

/** The ends of a lease on an attached thread. */
export class AttachedEnds implements Ends {
  readonly #thread: FenceThread

  constructor(thread: FenceThread) {
    this.#thread = thread
  }

  greet(line: string): Promise<string> {
    return this.#thread.ask({ ask: 'greet', line })
  }

  begin(deed: Deed): Promise<void> {
    return this.#thread.ask({ ask: 'begin', deed })
  }

  end(how: OwnEnding): Promise<string> {
    return this.#thread.ask({ ask: 'end', how, gate: null })
  }

  /** As `end`, but the thread is deaf from then on until the gate is open. */
  endDeaf(how: OwnEnding, gate: SharedArrayBuffer): Promise<string> {
    return this.#thread.ask({ ask: 'end', how, gate })
  }

  /** The lease expires while its thread is deaf, until the gate is open; what the ends are good for then. */
  expireDeaf(gate: SharedArrayBuffer): Promise<readonly Outcome[]> {
    return this.#thread.ask({ ask: 'expire', gate })
  }

  waited(): Promise<readonly Outcome[]> {
    return this.#thread.ask({ ask: 'waited' })
  }

  use(turn: number, what: Used): Promise<readonly Outcome[]> {
    return this.#thread.ask({ ask: 'use', turn, what })
  }
}
