/**
 * A value on its way to another thread. Cloning a large one holds up the thread that gets it for as long as its parts are
 * many, so a large one is cut in pieces, and unpacked a piece in each turn of the event loop.
 *
 *   packValue   lists and records that are too large become empty ones, and their parts follow in pieces of their own
 *   unpackValue makes the lists and records again, in the order in which they were opened, and fills them
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { deserialize, serialize } from 'node:v8'
import { LIMITS } from './limits.ts'

/** Plain data. Each piece has memory of its own, which may be transferred. */
export type Parcel =
  | { readonly kind: 'whole'; readonly value: unknown }
  | { readonly kind: 'pieces'; readonly pieces: readonly Uint8Array[] }

type Container = unknown[] | Record<string, unknown>

/** Parts of one container. */
type Piece = {
  /** The number of the container; 0 is the one that holds the value alone. */
  readonly into: number
  /** The names of the parts, in a record. */
  readonly names: string[] | null
  readonly parts: unknown[]
  /** Which of the parts are containers that are filled later. */
  readonly opened: Opening[]
}

type Opening = { readonly at: number; readonly shape: 'list' | 'record' }

const PLAIN = { writable: true, enumerable: true, configurable: true }

export function packValue(value: unknown): Parcel {
  if (weightOf(value, LIMITS.cloneValuesMax) <= LIMITS.cloneValuesMax) return { kind: 'whole', value }
  return { kind: 'pieces', pieces: new Packing().all(value) }
}

/** The value. The caller's thread runs other work between two pieces. */
export async function unpackValue(parcel: Parcel): Promise<unknown> {
  if (parcel.kind === 'whole') return parcel.value
  const root: unknown[] = []
  const containers: Container[] = [root]
  for (const bytes of parcel.pieces) {
    const { into, names, parts, opened } = deserialize(bytes) as Piece
    for (const { at, shape } of opened) {
      const container: Container = shape === 'list' ? [] : {}
      containers.push(container)
      parts[at] = container
    }
    fill(containers[into] ?? root, names, parts)
    await nextTurn()
  }
  return root[0]
}

function fill(container: Container, names: readonly string[] | null, parts: readonly unknown[]): void {
  if (Array.isArray(container)) for (const part of parts) container.push(part)
  // By definition: an assignment to some names means something else.
  else
    for (const [index, name] of (names ?? []).entries())
      Object.defineProperty(container, name, { value: parts[index], ...PLAIN })
}

class Packing {
  readonly #pieces: Uint8Array[] = []
  /** Containers that were opened, in order, and are still to be filled. */
  readonly #open: { readonly number: number; readonly container: Container }[] = []
  #opened = 0
  #piece: Piece = { into: 0, names: null, parts: [], opened: [] }
  #weight = 0

  all(value: unknown): readonly Uint8Array[] {
    this.#begin(0, false)
    this.#add(null, value)
    this.#flush()
    for (let next = this.#open.shift(); next !== undefined; next = this.#open.shift()) {
      const { number, container } = next
      const isRecord = !Array.isArray(container)
      this.#begin(number, isRecord)
      for (const [name, part] of isRecord ? Object.entries(container) : container.entries())
        this.#add(isRecord ? String(name) : null, part)
      this.#flush()
    }
    return this.#pieces
  }

  #begin(into: number, isRecord: boolean): void {
    this.#piece = { into, names: isRecord ? [] : null, parts: [], opened: [] }
    this.#weight = 0
  }

  #add(name: string | null, part: unknown): void {
    const { into, names } = this.#piece
    const weight = weightOf(part, LIMITS.cloneValuesMax)
    const container = weight > LIMITS.cloneValuesMax ? containerOf(part) : null
    const added = container === null ? weight : 1
    if (this.#weight + added > LIMITS.cloneValuesMax && this.#weight > 0) {
      this.#flush()
      this.#begin(into, names !== null)
    }
    this.#weight += added
    const { parts, opened, names: own } = this.#piece
    if (name !== null) own?.push(name)
    if (container === null) {
      parts.push(part)
      return
    }
    this.#opened += 1
    this.#open.push({ number: this.#opened, container })
    opened.push({ at: parts.length, shape: Array.isArray(container) ? 'list' : 'record' })
    parts.push(null)
  }

  #flush(): void {
    this.#pieces.push(new Uint8Array(serialize(this.#piece)))
  }
}

/** What can be filled part by part. */
function containerOf(value: unknown): Container | null {
  if (Array.isArray(value)) return value
  if (typeof value !== 'object' || value === null) return null
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null ? (value as Record<string, unknown>) : null
}

/** How many parts the value has at all depths, long strings counted as several; once above `most` nobody counts on. */
export function weightOf(value: unknown, most: number): number {
  if (typeof value === 'string') return 1 + (value.length >> 10)
  const container = containerOf(value)
  if (container === null) return 1
  let weight = 1
  if (Array.isArray(container))
    for (let index = 0; index < container.length && weight <= most; index++)
      weight += weightOf(container[index], most - weight)
  else
    for (const name in container) {
      weight += weightOf(container[name], most - weight)
      if (weight > most) break
    }
  return weight
}
