/**
 * Words that more than one thread writes. They only ever rise, whichever thread is first, so that no thread can take
 * back what another has said:
 *
 *   a settled word   0 until somebody settles it; the first value stays
 *   a word of flags  gains bits and loses none
 *
 * A load that is followed by a store would let two threads both see the old value, and the later one would win.
 */
import type { Words } from './words.ts'

/** Settles a word on a value other than 0, unless it is settled; the value that it is settled on. */
export function settle(words: Words, word: number, value: number): number {
  const before = words.compareExchange(word, 0, value)
  return before === 0 ? value : before
}

/** Adds flags to a word; the flags that it had before. */
export function raise(words: Words, word: number, flags: number): number {
  return words.or(word, flags)
}
