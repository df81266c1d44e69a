/**
 * The words that a pool's thread shares with the threads that are attached to it, beside the channels. The pool's
 * thread alone writes them, so a load and a store are enough to count.
 *
 *   pulse (one per pool)              0 beats      counts on while the pool's event loop turns
 *                                     1 closed     1 once the pool takes no more requests
 *                                     2 changes    counts the changes of what the pool's targets are
 *   reply bell (one per thread)       0 replies    counts the messages that were posted to the thread
 *
 * A thread that blocks on its reply bell reads the count, looks for its reply, and only then blocks on the count it
 * read: a reply that comes in between has changed it.
 */
import { SharedWords } from './words.ts'

const BEATS = 0
const CLOSED = 1
const CHANGES = 2
const PULSE_WORDS = 3

const REPLIES = 0
const REPLY_WORDS = 1

export type PulseMemory = SharedArrayBuffer
export type ReplyBellMemory = SharedArrayBuffer

function allocate(words: number): SharedArrayBuffer {
  return new SharedArrayBuffer(words * Int32Array.BYTES_PER_ELEMENT)
}

function wordsOf(memory: SharedArrayBuffer): SharedWords {
  return new SharedWords(new Int32Array(memory), 0, 1)
}

/** Whether a pool's thread is alive and takes requests. */
export class Pulse {
  readonly memory: PulseMemory
  readonly #words: SharedWords

  constructor(memory: PulseMemory = allocate(PULSE_WORDS)) {
    this.memory = memory
    this.#words = wordsOf(memory)
  }

  get beats(): number {
    return this.#words.load(BEATS)
  }

  get isClosed(): boolean {
    return this.#words.load(CLOSED) === 1
  }

  get changes(): number {
    return this.#words.load(CHANGES)
  }

  /** The pool's thread only. */
  beat(): void {
    this.#words.store(BEATS, (this.beats + 1) | 0)
  }

  /** The pool's thread only. */
  close(): void {
    this.#words.store(CLOSED, 1)
  }

  /** The pool's thread only, once a change holds. */
  change(): void {
    this.#words.store(CHANGES, (this.changes + 1) | 0)
  }
}

/** What an attached thread blocks on until the pool's thread has posted something to it. */
export class ReplyBell {
  readonly memory: ReplyBellMemory
  readonly #words: SharedWords

  constructor(memory: ReplyBellMemory = allocate(REPLY_WORDS)) {
    this.memory = memory
    this.#words = wordsOf(memory)
  }

  get replies(): number {
    return this.#words.load(REPLIES)
  }

  /** The pool's thread only, after it has posted. */
  ring(): void {
    this.#words.store(REPLIES, (this.replies + 1) | 0)
    this.#words.notify(REPLIES)
  }

  /** Blocks this thread while the count is `seen`, for `timeoutMs` at the most. */
  wait(seen: number, timeoutMs: number): void {
    this.#words.wait(REPLIES, seen, timeoutMs)
  }
}
