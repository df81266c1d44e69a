/**
 * Processes of their own that perform tasks on complete inputs. Whatever an input does to one of them, the service and
 * all other parses go on. They start when needed, and end after a while without work. They end with the pool's process;
 * where that is killed they see the end of their pipes, once they have done what they are at.
 */
import { invariant } from '../base/errors.ts'
import { LIMITS } from '../base/limits.ts'
import type { ChildCode } from './child-launch.ts'
import type { ParseReply, ParseTask } from './formats/parse-task.ts'
import { ParseChild } from './parse-child.ts'
import type { TaskEngine } from './task-engine.ts'
import { notStarted } from './worker-death.ts'

export class ProcessEngine implements TaskEngine {
  readonly #code: ChildCode
  readonly #children = new Set<ParseChild>()
  /** Those without work, each with the timer that ends it; the last one to rest comes last. */
  readonly #resting = new Map<ParseChild, NodeJS.Timeout>()
  readonly #killAll = (): void => {
    for (const child of this.#children) child.kill()
  }

  constructor(code: ChildCode) {
    this.#code = code
  }

  get size(): number {
    return this.#children.size
  }

  /** As TaskEngine's. It settles when an aborted task's process is gone: so there are never more than the pool allows. */
  async perform(task: ParseTask, signal: AbortSignal): Promise<ParseReply> {
    invariant(
      task.kind === 'bytes' || task.kind === 'message',
      'a process has no part in the memory of a connection',
    )
    const child = this.#rested() ?? this.#start()
    const kill = (): void => child.kill()
    signal.addEventListener('abort', kill, { once: true })
    try {
      return await child.perform(task)
    } finally {
      signal.removeEventListener('abort', kill)
      if (child.isFree) this.#rest(child)
    }
  }

  /** No reader is ever lent to a process. */
  gone(): Promise<void> {
    return Promise.resolve()
  }

  /** Rows are of threads. */
  rows(): [] {
    return []
  }

  async close(): Promise<void> {
    const children = [...this.#children]
    this.#killAll()
    await Promise.all(children.map(({ gone }) => gone))
  }

  #start(): ParseChild {
    try {
      const child = new ParseChild(this.#code)
      if (this.#children.size === 0) process.on('exit', this.#killAll)
      this.#children.add(child)
      void child.gone.then(() => {
        this.#wake(child)
        this.#children.delete(child)
        if (this.#children.size === 0) process.off('exit', this.#killAll)
      })
      return child
    } catch (error) {
      throw notStarted('process', error, true)
    }
  }

  #rested(): ParseChild | null {
    for (const child of [...this.#resting.keys()].reverse()) {
      this.#wake(child)
      if (child.isFree) return child
    }
    return null
  }

  #rest(child: ParseChild): void {
    this.#resting.set(child, setTimeout(() => child.kill(), LIMITS.parseIdleMs).unref())
  }

  #wake(child: ParseChild): void {
    clearTimeout(this.#resting.get(child))
    this.#resting.delete(child)
  }
}
