/**
 * An asynchronous lease of an attached pool. Reader and writer are of the thread that leased, and so much of what they
 * answer is answered at once that the cases themselves run in that thread; the pool is of this one.
 */
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { Pool } from '../../../src/pool/pool.ts'
import type { PoolHandle } from '../../../src/threads/attach-protocol.ts'
import type { TransportName } from '../exemptions.ts'
import type { Surface } from '../surface.ts'
import { poolTo, untilEmpty } from './pool-to.ts'

export type AttachedSetUp = { readonly isTls: boolean }
/** What goes to the thread, in this order: the pool, the titles of cases one by one, the end. */
export type ToAttached =
  | { readonly kind: 'pool'; readonly handle: PoolHandle }
  | { readonly kind: 'run'; readonly title: string }
  | { readonly kind: 'end' }
/** What comes back for each, and first of all. */
export type FromAttached =
  | { readonly kind: 'listening'; readonly port: number; readonly ca: string }
  | { readonly kind: 'done' }
  | { readonly kind: 'failed'; readonly message: string; readonly stack: string }

export const attached: Surface = attachedSurface('attached', false)
export const attachedTls: Surface = attachedSurface('attached tls', true)

function attachedSurface(name: TransportName, isTls: boolean): Surface {
  let thread: CaseThread | null = null
  return {
    name,
    start: async () => {
      thread = await CaseThread.start({ isTls })
    },
    run: async entry => await thread?.run(entry.title),
    stop: async () => await thread?.stop(),
  }
}

class CaseThread {
  readonly #worker: Worker
  readonly #pool: Pool

  private constructor(worker: Worker, pool: Pool) {
    this.#worker = worker
    this.#pool = pool
  }

  static async start(setUp: AttachedSetUp): Promise<CaseThread> {
    const file = new URL('attached-thread.ts', import.meta.url)
    const worker = new Worker(file, { workerData: setUp, execArgv: [] })
    const [listening] = (await once(worker, 'message')) as [FromAttached]
    if (listening.kind !== 'listening') throw new Error('the thread did not start')
    const pool = await poolTo(listening)
    const thread = new CaseThread(worker, pool)
    await thread.#ask({ kind: 'pool', handle: pool.handle })
    return thread
  }

  async run(title: string): Promise<void> {
    await this.#ask({ kind: 'run', title })
    await untilEmpty(this.#pool)
  }

  /** The thread ends by itself: nothing may keep it. */
  async stop(): Promise<void> {
    const exited = once(this.#worker, 'exit')
    await this.#ask({ kind: 'end' })
    await exited
    await this.#pool.close()
  }

  /** Rejects with what the case has thrown. */
  async #ask(message: ToAttached): Promise<void> {
    // A thread that has died says nothing more.
    if (this.#worker.threadId === -1) throw new Error('the thread is gone')
    const answered = once(this.#worker, 'message')
    this.#worker.postMessage(message)
    const [answer] = (await answered) as [FromAttached]
    if (answer.kind !== 'failed') return
    const failure = new Error(answer.message)
    failure.stack = answer.stack
    throw failure
  }
}
