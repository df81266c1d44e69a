/**
 * A channel whose words are explored: the code that runs is `Channel` itself, over words that stop a thread before each
 * step. Its rings have no bytes here; a scene with bytes makes the ends of its rings over the bytes of the scene.
 *
 * Words from 16 on belong to the scene: bells, and what threads tell of what they saw.
 */
import { Channel, type ChannelMemory, CONTROL_BYTES } from '../../src/channel/channel.ts'
import { LoanWords } from '../../src/channel/loan-words.ts'
import type { Words } from '../../src/channel/words.ts'
import type { Scene, Thread } from './interleavings.ts'

export const IN_END = 4
export const OUT_END = 9
export const CLOSED = 10
export const EPOCH = 11
export const CHECKED = 12
export const GENERATION = 13
const SCENE_WORDS = 16
const ALL_WORDS = 28

/** Of the holder, of the I/O worker, and of whoever waits for an end to be detached. */
export const HOLDER_BELL: number = SCENE_WORDS
export const IO_BELL: number = SCENE_WORDS + 1
export const DETACHED_BELL: number = SCENE_WORDS + 2
/** One word for each thread that tells. */
export const TOLD: number = SCENE_WORDS + 3
const LOAN = SCENE_WORDS + 8

export const RING_BYTES = 4
export const EMPTY_RING: readonly number[] = new Array<number>(RING_BYTES).fill(0)

const MEMORY: ChannelMemory = {
  slab: new SharedArrayBuffer(CONTROL_BYTES + 2 * RING_BYTES),
  control: 0,
  inbound: CONTROL_BYTES,
  outbound: CONTROL_BYTES + RING_BYTES,
  inboundBytes: RING_BYTES,
  outboundBytes: RING_BYTES,
  wide: null,
  number: 0,
}

export function channelOn(words: Words): Channel {
  return new Channel(MEMORY, words)
}

/** The words of a loan, which lie in a memory of their own, in that of the scene. */
export function loanOn(words: Words): LoanWords {
  return new LoanWords(new WordsFrom(words, LOAN))
}

export type ChannelScene = {
  readonly threads: readonly Thread[]
  /** Words that are not 0 at the start. */
  readonly words?: Readonly<Record<number, number>>
  readonly bytes?: readonly number[]
  readonly atEnd?: (words: readonly number[]) => void
}

export function channelScene({ threads, words = {}, bytes = [], atEnd = () => {} }: ChannelScene): Scene {
  const start = Array.from({ length: ALL_WORDS }, (_, word) => words[word] ?? 0)
  return { words: start, bytes: Uint8Array.from(bytes), threads, atEnd }
}

/** Words that do as others do, to be made worse in one point. */
export class WordsThrough implements Words {
  protected readonly inner: Words

  constructor(inner: Words) {
    this.inner = inner
  }

  load(word: number): number {
    return this.inner.load(word)
  }

  glance(word: number): number {
    return this.load(word)
  }

  store(word: number, value: number): void {
    this.inner.store(word, value)
  }

  exchange(word: number, value: number): number {
    return this.inner.exchange(word, value)
  }

  or(word: number, bits: number): number {
    return this.inner.or(word, bits)
  }

  compareExchange(word: number, expected: number, value: number): number {
    return this.inner.compareExchange(word, expected, value)
  }

  notify(word: number): void {
    this.inner.notify(word)
  }

  wait(word: number, value: number, timeoutMs: number): void {
    this.inner.wait(word, value, timeoutMs)
  }

  waitAsync(word: number, value: number): Promise<unknown> | null {
    return this.inner.waitAsync(word, value)
  }
}

/** Words that are counted from another one on. */
class WordsFrom extends WordsThrough {
  readonly #base: number

  constructor(inner: Words, base: number) {
    super(inner)
    this.#base = base
  }

  override load(word: number): number {
    return super.load(this.#base + word)
  }

  override store(word: number, value: number): void {
    super.store(this.#base + word, value)
  }

  override or(word: number, bits: number): number {
    return super.or(this.#base + word, bits)
  }
}

/** Compares, and exchanges a step later. */
export class LoadThenStore extends WordsThrough {
  override compareExchange(word: number, expected: number, value: number): number {
    const before = this.inner.load(word)
    if (before === expected) this.inner.store(word, value)
    return before
  }
}

/** Stores the flags beside those it saw a step before. */
export class StoreForOr extends WordsThrough {
  override or(word: number, bits: number): number {
    const before = this.inner.load(word)
    this.inner.store(word, before | bits)
    return before
  }
}

/** Stores the flags in place of what was there. */
export class Overwriting extends WordsThrough {
  override or(word: number, bits: number): number {
    return this.inner.exchange(word, bits)
  }
}
