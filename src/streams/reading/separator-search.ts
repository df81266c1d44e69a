import { END_LIMITS } from '../../base/end-limits.ts'
import { LimitOverrunError, SockpoolError } from '../../base/errors.ts'
import { typeFault } from '../../base/options.ts'

/**
 * Finds where a read ends: the search that the asynchronous and the blocking reader share. It only looks; the
 * bytes belong to the source, may lie in shared memory and may be cut anywhere, even inside a separator.
 *
 * A single byte is found by the native search. Anything else runs through an automaton (Aho and Corasick) whose
 * state outlives the view, so that no byte is looked at twice and a separator that straddles views needs no
 * care. Its cost does not depend on how many separators there are, which a search per separator cannot say.
 */

/** Where a separator was found, in bytes from the start of the read; the separator is the tail of `[0, end)`. */
export type SeparatorMatch = { readonly start: number; readonly end: number }

/**
 * The search of one read.
 *
 * `separators` come from `parseSeparators`; `limit` bounds, in bytes, the part before the separator.
 * Source: asyncio.StreamReader.readuntil, 3.13.
 */
export class SeparatorSearch {
  readonly #separators: readonly Uint8Array[]
  readonly #limit: number
  readonly #longest: number
  readonly #single: number | null
  readonly #automaton: Automaton | null
  #scanned = 0
  #state = 0

  constructor(separators: readonly Uint8Array[], limit: number) {
    this.#separators = separators
    this.#limit = limit
    this.#longest = Math.max(...separators.map(separator => separator.length))
    const [first] = separators
    this.#single = separators.length === 1 && first?.length === 1 ? (first[0] ?? null) : null
    this.#automaton = this.#single === null ? automatonOf(separators) : null
  }

  /**
   * Looks at what came since the last call, however far that is.
   *
   * `views` show all `available` bytes of the read from its start on, old ones too. Null: more bytes are needed.
   * The match with the smallest end wins; among equal ends the shortest separator counts.
   */
  find(views: Iterable<Uint8Array>, available: number): SeparatorMatch | null {
    let viewStart = 0
    for (const view of views) {
      const viewEnd = Math.min(viewStart + view.length, available)
      if (viewEnd > this.#scanned) {
        const match = this.#scanView(view, viewStart, viewEnd)
        if (match) return match
        this.#scanned = viewEnd
      }
      viewStart = viewEnd
    }
    return null
  }

  /** Bytes at the front in which no separator begins, after a `find` that found none. */
  get cleared(): number {
    return Math.max(0, this.#scanned + 1 - this.#longest)
  }

  /** The error of a read that got as far as the last `find` says, or null where that is within the limit. */
  overrunOf(match: SeparatorMatch | null): LimitOverrunError | null {
    if (match === null) {
      const { cleared } = this
      if (cleared <= this.#limit) return null
      return new LimitOverrunError('Separator is not found, and chunk exceed the limit', cleared)
    }
    if (match.start <= this.#limit) return null
    return new LimitOverrunError('Separator is found, but chunk is longer than limit', match.start)
  }

  /** A search of its own for the same separators, however far they are. */
  unbounded(): SeparatorSearch {
    return new SeparatorSearch(this.#separators, Number.POSITIVE_INFINITY)
  }

  /** Starts over: somebody else took bytes from the front, so that all positions have moved. */
  restart(): void {
    this.#scanned = 0
    this.#state = 0
  }

  #scanView(view: Uint8Array, viewStart: number, viewEnd: number): SeparatorMatch | null {
    const from = this.#scanned - viewStart
    const to = viewEnd - viewStart
    if (this.#automaton) return this.#scanByAutomaton(this.#automaton, view, viewStart, from, to)
    const index = findByte(view, this.#single ?? 0, from)
    if (index === -1 || index >= to) return null
    return { start: viewStart + index, end: viewStart + index + 1 }
  }

  #scanByAutomaton(
    automaton: Automaton,
    view: Uint8Array,
    viewStart: number,
    from: number,
    to: number,
  ): SeparatorMatch | null {
    const { classes, classCount, next, matched, onlyFirstByte } = automaton
    let state = this.#state
    let index = from
    while (index < to) {
      if (state === 0 && onlyFirstByte !== null) {
        index = findByte(view, onlyFirstByte, index)
        if (index === -1 || index >= to) break
      }
      state = next[state * classCount + (classes[view[index] ?? 0] ?? 0)] ?? 0
      index += 1
      const length = matched[state] ?? 0
      if (length > 0) return { start: viewStart + index - length, end: viewStart + index }
    }
    this.#state = state
    return null
  }
}

/** Buffer's search is memchr, some twenty times as fast as that of Uint8Array, and takes any view. */
function findByte(view: Uint8Array, byte: number, from: number): number {
  return Buffer.prototype.indexOf.call(view, byte, from)
}

/**
 * State 0 is the root; a state stands for the longest prefix of a separator that the bytes so far end with.
 *
 *   classes[byte]                        column of a byte; all bytes in no separator share column 0
 *   next[state × classCount + column]    the following state
 *   matched[state]                       length of the shortest separator that ends here, 0 for none
 */
type Automaton = {
  readonly classes: Uint16Array
  readonly classCount: number
  readonly next: Uint16Array
  readonly matched: Uint8Array
  /** The byte all separators begin with: from the root one may leap to it. */
  readonly onlyFirstByte: number | null
}

/** The automaton built last: a protocol ends read after read alike, and building costs ten times such a search. */
let latest: { readonly separators: readonly Uint8Array[]; readonly automaton: Automaton } | null = null

function automatonOf(separators: readonly Uint8Array[]): Automaton {
  if (latest === null || !areSame(latest.separators, separators))
    latest = { separators, automaton: compile(separators) }
  return latest.automaton
}

function areSame(some: readonly Uint8Array[], others: readonly Uint8Array[]): boolean {
  if (some.length !== others.length) return false
  return some.every((bytes, index) => {
    const other = others[index]
    return other?.length === bytes.length && bytes.every((byte, at) => byte === other[at])
  })
}

function compile(separators: readonly Uint8Array[]): Automaton {
  const classes = new Uint16Array(256)
  let classCount = 1
  for (const separator of separators)
    for (const byte of separator) if (classes[byte] === 0) classes[byte] = classCount++
  const states = 1 + separators.reduce((sum, separator) => sum + separator.length, 0)
  const next = new Uint16Array(states * classCount)
  const matched = new Uint8Array(states)
  let stateCount = 1
  for (const separator of separators) {
    let state = 0
    for (const byte of separator) {
      const edge = state * classCount + (classes[byte] ?? 0)
      if (next[edge] === 0) next[edge] = stateCount++
      state = next[edge] ?? 0
    }
    matched[state] = separator.length
  }
  fillFallbacks(next, matched, classCount)
  const firsts = new Set(separators.map(separator => separator[0] ?? 0))
  const onlyFirstByte = firsts.size === 1 ? (separators[0]?.[0] ?? null) : null
  return { classes, classCount, next, matched, onlyFirstByte }
}

/**
 * Turns the trie in `next` into the automaton, breadth first: where a state has no edge it takes that of its
 * longest proper suffix, and it matches what that suffix matches, which is never longer than itself.
 */
function fillFallbacks(next: Uint16Array, matched: Uint8Array, classCount: number): void {
  const suffixOf = new Uint16Array(matched.length)
  const queue = [0]
  for (const state of queue) {
    const suffix = suffixOf[state] ?? 0
    const shorter = matched[suffix] ?? 0
    if (shorter > 0) matched[state] = shorter
    for (let column = 0; column < classCount; column++) {
      const edge = state * classCount + column
      const child = next[edge] ?? 0
      const detour = state === 0 ? 0 : (next[suffix * classCount + column] ?? 0)
      if (child === 0) next[edge] = detour
      else {
        suffixOf[child] = detour
        queue.push(child)
      }
    }
  }
}

/**
 * Reads a caller's separators: a string (as UTF-8) or bytes, or an Array of them. Returns copies.
 *
 * Shape: 1..END_LIMITS.separatorsMax of 1..END_LIMITS.separatorBytesMax bytes each.
 * Errors: INVALID_SEPARATOR; TypeError for anything that is neither, other iterables included.
 * Source: asyncio.StreamReader.readuntil, 3.13, where our Array is its tuple.
 */
export function parseSeparators(input: unknown): Uint8Array[] {
  if (!Array.isArray(input)) return [parseSeparator(input)]
  if (input.length === 0) throw invalid('Separator should contain at least one element')
  if (input.length > END_LIMITS.separatorsMax)
    throw invalid(`Separator should contain at most ${END_LIMITS.separatorsMax} elements`)
  return Array.from(input, parseSeparator)
}

function parseSeparator(input: unknown): Uint8Array {
  if (typeof input !== 'string' && !(input instanceof Uint8Array))
    throw typeFault('Separator should be a string or a Uint8Array, or an Array of them')
  if (typeof input === 'string' && !input.isWellFormed())
    throw invalid('Separator should be a well-formed string')
  // The caller may change its bytes while the read waits.
  const bytes = typeof input === 'string' ? Buffer.from(input, 'utf8') : new Uint8Array(input)
  if (bytes.length === 0) throw invalid('Separator should be at least one-byte string')
  if (bytes.length > END_LIMITS.separatorBytesMax)
    throw invalid(`Separator should be at most ${END_LIMITS.separatorBytesMax} bytes`)
  return bytes
}

function invalid(message: string): SockpoolError {
  return new SockpoolError('INVALID_SEPARATOR', message)
}
