/**
 * One answer that follows the events. What its client does not take at once waits, up to a bound; beyond it events are
 * dropped and counted, and the client is told how many, at the place where they are missing.
 */
import { SockpoolError } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'
import { Queue } from '../../base/queue.ts'
import { COMMENT, eventText } from './event-text.ts'
import type { OutStream } from './out-stream.ts'

/** Where the texts go: each when there is room again. */
export type FollowerOutput = Pick<OutStream, 'write' | 'finish'> & { destroy(error?: Error): unknown }

export class EventFollower {
  readonly #out: FollowerOutput
  /** Whether its client may still see them: asked before each. */
  readonly #mayFollow: () => boolean
  readonly #texts = new Queue<string>()
  #dropped = 0
  #wake = Promise.withResolvers<void>()
  #state: 'open' | 'ending' = 'open'

  constructor(out: FollowerOutput, mayFollow: () => boolean) {
    this.#out = out
    this.#mayFollow = mayFollow
  }

  /** An event has happened. */
  readonly hear = (text: string): void => {
    if (this.#texts.size >= LIMITS.eventsWaitingMax) {
      this.#dropped++
      return
    }
    this.#tellDropped()
    this.#push(text)
  }

  /** So many are not to be had any more. */
  readonly missed = (count: number): void => {
    this.#dropped += count
    this.#wake.resolve()
  }

  /** Shows that the service is there. */
  comment(): void {
    if (this.#texts.size === 0) this.#push(COMMENT)
  }

  /** The service drains: what waits is still sent, and then that it is the end. */
  end(): void {
    this.#state = 'ending'
    this.#wake.resolve()
  }

  /** Resolves when the answer is complete, or its client has gone. It never rejects. */
  async run(): Promise<void> {
    try {
      // So that the client sees at once that it is served.
      await this.#out.write(COMMENT)
      while (this.#mayFollow()) {
        const { first } = this.#texts
        if (first !== null) {
          this.#texts.remove(first)
          await this.#out.write(first.value)
        } else if (this.#dropped > 0) this.#tellDropped()
        else if (this.#state === 'ending') break
        else await this.#more()
      }
      await this.#out.write(
        eventText({ event: 'end', data: JSON.stringify({ at: new Date().toISOString() }) }),
      )
      this.#out.finish()
    } catch (error) {
      // Its client has gone, or was cut as it read nothing; whatever else it is, the log of the app tells it.
      const isGone = error instanceof SockpoolError && error.code === 'ABORTED'
      this.#out.destroy(isGone ? undefined : (error as Error))
    }
  }

  async #more(): Promise<void> {
    await this.#wake.promise
    this.#wake = Promise.withResolvers<void>()
  }

  #tellDropped(): void {
    if (this.#dropped === 0) return
    const data = JSON.stringify({ at: new Date().toISOString(), count: this.#dropped })
    this.#dropped = 0
    this.#push(eventText({ event: 'dropped', data }))
  }

  #push(text: string): void {
    this.#texts.add(text)
    this.#wake.resolve()
  }
}
