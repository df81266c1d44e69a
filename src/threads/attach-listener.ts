/**
 * The pool thread's side of attached threads: hears their hello, keeps a line to each, and knows when one is gone. A
 * line closes by itself when its thread ends, by whatever way: the port is all that is needed to tell.
 */
import { randomUUID } from 'node:crypto'
import { SockpoolError } from '../base/errors.ts'
import { FaultGuard } from '../base/fault-guard.ts'
import { LIMITS } from '../base/limits.ts'
import { Pulse, ReplyBell } from '../channel/attach-words.ts'
import type { DoorbellMemory } from '../channel/doorbell.ts'
import type { FromPool, FromThread, HelloMessage, PoolHandle } from './attach-protocol.ts'
import { currentThreadId } from './current-thread.ts'

/** Serves one attached thread. */
export interface ThreadServer {
  received(message: FromThread): void
  /** The thread has ended or let go of the pool: it touches no channel any more. */
  gone(): void
}

/** The pool's end of a line. */
export type ThreadLine = {
  /** The number of the thread, never used twice; what the channels' holder word says. */
  readonly number: number
  readonly doorbell: DoorbellMemory
  readonly post: (message: FromPool) => void
}

type Line = { readonly post: ThreadLine['post']; readonly close: () => void }

/** One listener for all pools of this thread. */
const listening = new Map<string, (hello: HelloMessage) => void>()

function heard(value: unknown): void {
  if (typeof value !== 'object' || value === null || !('kind' in value)) return
  const hello = value as HelloMessage
  if (hello.kind === 'sockpool.hello') listening.get(hello.pool)?.(hello)
}

export class AttachListener {
  readonly handle: PoolHandle
  readonly #serve: (line: ThreadLine) => ThreadServer
  readonly #guard: FaultGuard
  readonly #pulse = new Pulse()
  readonly #beat: NodeJS.Timeout
  readonly #lines = new Map<number, Line>()
  #next = 1

  /**
   * `serve` is called for each thread that attaches; `onFault` is told what serving one message of one of them threw. The
   * others, and the program that the pool is in, go on.
   */
  constructor(serve: (line: ThreadLine) => ThreadServer, onFault: (error: unknown) => void) {
    this.#serve = serve
    this.#guard = new FaultGuard(onFault)
    this.handle = { pool: randomUUID(), threadId: currentThreadId(), pulse: this.#pulse.memory }
    this.#beat = setInterval(() => this.#pulse.beat(), LIMITS.sweepIntervalMs).unref()
    if (listening.size === 0) process.on('workerMessage', heard)
    listening.set(
      this.handle.pool,
      this.#guard.action(hello => this.#accept(hello)),
    )
  }

  /** Threads that are attached. */
  get threads(): number {
    return this.#lines.size
  }

  /** What a thread has learned of targets holds no longer. */
  targetsChanged(): void {
    this.#pulse.change()
  }

  /** Tells all threads that nothing is answered any more, and lets go of them. */
  close(): void {
    if (!listening.delete(this.handle.pool)) return
    if (listening.size === 0) process.off('workerMessage', heard)
    clearInterval(this.#beat)
    // First the word: who blocks looks at it before its port, and so never misses what was posted last.
    this.#pulse.close()
    for (const { post, close } of this.#lines.values()) {
      post({ kind: 'closed' })
      close()
    }
  }

  #accept({ port, doorbell, bell: memory }: HelloMessage): void {
    const bell = new ReplyBell(memory)
    const post = (message: FromPool): void => {
      port.postMessage(message)
      bell.ring()
    }
    if (this.#lines.size >= LIMITS.attachedThreadsMax) {
      const text = `${LIMITS.attachedThreadsMax} threads are attached already`
      post({ kind: 'refused', error: new SockpoolError('QUEUE_FULL', text).toJSON() })
      port.close()
      return
    }
    const number = this.#next++
    const server = this.#serve({ number, doorbell, post })
    this.#lines.set(number, { post, close: () => port.close() })
    port.on(
      'message',
      this.#guard.action((message: FromThread) => server.received(message)),
    )
    port.on(
      'close',
      this.#guard.action(() => {
        this.#lines.delete(number)
        server.gone()
      }),
    )
    // An attached thread does not keep the pool's thread alive; what it holds does.
    port.unref()
    post({ kind: 'welcome' })
  }
}
