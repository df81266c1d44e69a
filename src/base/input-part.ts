/**
 * An input that comes in parts, and is parsed a part at a time: each step is given what has come, and gives back the text of
 * the values in it and the rest, which is no value yet. What lies between two steps is plain data, so that any thread may
 * take the next one, and none is held while nothing comes.
 */
import type { ErrorFields } from './errors.ts'

/** What has been looked at of the value that is not whole. */
export type SeenOfValue = {
  readonly count: number
  /** As the format's cutter has it; null where it begins again. */
  readonly cutter: Readonly<Record<string, number | boolean | Uint8Array>> | null
}

/** What is no value yet. Each piece has memory of its own, which goes along. */
export type InputRest = {
  readonly pieces: readonly Uint8Array[]
  /** Where the first of its bytes stands in the input. */
  readonly offset: number
  readonly seen: SeenOfValue | null
}

/** `isLast`: the input ends with it. */
export type InputPart = InputRest & { readonly isLast: boolean }

export type PartResult =
  | {
      readonly kind: 'values'
      /** JSON text, each value with a line end behind it. Each piece has memory of its own. */
      readonly texts: readonly Uint8Array[]
      readonly count: number
      readonly rest: InputRest
      /** There was more text to come than one step gives: the rest alone is worth a further step. */
      readonly hasMore: boolean
      /** What is wrong with the bytes after these values, and ends the parse; `offset` counts from the input's start. */
      readonly failure: ErrorFields | null
    }
  /** The format has to see all of the input at once. Nothing was looked at. */
  | { readonly kind: 'whole'; readonly rest: InputRest }

/** Where every input begins. */
export const INPUT_START: InputRest = { pieces: [], offset: 0, seen: null }
