/**
 * Finds the end of one MessagePack value byte by byte, in constant memory: it holds a count for each list and map that is
 * open, never the bytes. What a value announces counts against the bounds as soon as it does, before anything is there.
 *
 * Source: the MessagePack specification, msgpack/spec.md.
 */
import { DEFAULTS } from '../../base/defaults.ts'
import { SockpoolError } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'
import type { Cutter, CutterState } from './format.ts'

export const MSGPACK = {
  nil: 0,
  boolean: 1,
  int: 2,
  float: 3,
  str: 4,
  bin: 5,
  ext: 6,
  list: 7,
  map: 8,
} as const

export type MsgpackKind = (typeof MSGPACK)[keyof typeof MSGPACK]

/** A value, as its bytes are passed. Offsets from the start of the message, `to` behind the last byte. */
export type MsgpackToken = {
  readonly kind: MsgpackKind
  /** Of its first byte. */
  readonly at: number
  /** Its bytes without head and length: what a text holds; of an extension the type, and its data. None of lists and maps. */
  readonly from: number
  readonly to: number
  readonly isKey: boolean
  /** Lists and maps around it. */
  readonly depth: number
}

/** What the first byte of a value says. `isAnnounced`: so many bytes hold the length or count; else so many follow. */
type Head = { readonly kind: MsgpackKind; readonly bytes: number; readonly isAnnounced: boolean } | null

const { nil, boolean, int, float, str, bin, ext, list, map } = MSGPACK

const of = (kind: MsgpackKind, isAnnounced: boolean, ...sizes: readonly number[]): Head[] =>
  sizes.map(bytes => ({ kind, bytes, isAnnounced }))

/** Of the bytes 0xc0 to 0xdf. */
const HEADS: readonly Head[] = [
  ...of(nil, false, 0),
  null,
  ...of(boolean, false, 0, 0),
  ...of(bin, true, 1, 2, 4),
  ...of(ext, true, 1, 2, 4),
  ...of(float, false, 4, 8),
  ...of(int, false, 1, 2, 4, 8),
  ...of(int, false, 1, 2, 4, 8),
  ...of(ext, false, 1, 2, 4, 8, 16),
  ...of(str, true, 1, 2, 4),
  ...of(list, true, 2, 4),
  ...of(map, true, 2, 4),
]

/** Bytes of the longest message, as of one that a frame cuts. */
const MESSAGE_BYTES_MAX = DEFAULTS.frameBytesMax

export class MsgpackScanner implements Cutter {
  readonly #visit: ((token: MsgpackToken) => void) | null
  /** Values to come in each list and map that is open, keys of maps included. */
  readonly #left = new Float64Array(LIMITS.parseDepthMax)
  readonly #isMap = new Uint8Array(LIMITS.parseDepthMax)
  #depth = 0
  #elements = 0
  #seen = 0
  /** Where the value in progress begins, and what it is. */
  #at = 0
  #kind: MsgpackKind = nil
  /** Bytes to come of a length or count, and what it is so far. */
  #need = 0
  #announced = 0
  /** Bytes to come that are not looked at. */
  #skip = 0

  /** `visit` is told of each value; for one that may look at its bytes all of the message must come in one piece. */
  constructor(saved?: CutterState, visit: ((token: MsgpackToken) => void) | null = null) {
    this.#visit = visit
    if (saved) this.#restore(saved)
  }

  push(chunk: Uint8Array): number {
    const start = this.#seen
    for (let index = 0; index < chunk.length; ) {
      const passed = this.#skip > 0 ? Math.min(this.#skip, chunk.length - index) : 1
      const length = this.#skip > 0 ? this.#pass(passed) : this.#step(chunk[index] ?? 0)
      if (length > 0) return length
      index += passed
      this.#seen = start + index
    }
    return 0
  }

  finish(): 'none' | 'partial' {
    return this.#seen === 0 ? 'none' : 'partial'
  }

  save(): CutterState {
    return {
      left: new Uint8Array(this.#left.slice().buffer),
      isMap: this.#isMap,
      depth: this.#depth,
      elements: this.#elements,
      seen: this.#seen,
      at: this.#at,
      kind: this.#kind,
      need: this.#need,
      announced: this.#announced,
      skip: this.#skip,
    }
  }

  #restore(saved: CutterState): void {
    const word = (name: string): number => Number(saved[name])
    new Uint8Array(this.#left.buffer).set(saved['left'] as Uint8Array)
    this.#isMap.set(saved['isMap'] as Uint8Array)
    this.#depth = word('depth')
    this.#elements = word('elements')
    this.#seen = word('seen')
    this.#at = word('at')
    this.#kind = word('kind') as MsgpackKind
    this.#need = word('need')
    this.#announced = word('announced')
    this.#skip = word('skip')
  }

  #pass(bytes: number): number {
    this.#skip -= bytes
    return this.#skip === 0 ? this.#end(this.#seen + bytes) : 0
  }

  #step(byte: number): number {
    if (this.#need === 0) return this.#head(byte)
    this.#announced = this.#announced * 256 + byte
    this.#need -= 1
    return this.#need === 0 ? this.#announce(this.#announced) : 0
  }

  #head(byte: number): number {
    this.#at = this.#seen
    if (byte < 0x80 || byte >= 0xe0) return this.#is(int, 0)
    if (byte < 0x90) return this.#is(map, byte & 0x0f)
    if (byte < 0xa0) return this.#is(list, byte & 0x0f)
    if (byte < 0xc0) return this.#is(str, byte & 0x1f)
    const head = HEADS[byte - 0xc0]
    if (!head)
      throw new SockpoolError('PARSE_FAILED', 'no MessagePack value begins with byte 0xc1', {
        offset: this.#at,
      })
    if (!head.isAnnounced) return this.#is(head.kind, head.bytes)
    this.#kind = head.kind
    this.#need = head.bytes
    this.#announced = 0
    return 0
  }

  #is(kind: MsgpackKind, size: number): number {
    this.#kind = kind
    return this.#announce(size)
  }

  /** The head is whole: so many bytes, values or pairs follow. */
  #announce(size: number): number {
    const kind = this.#kind
    if (kind === map) return this.#open(size * 2)
    if (kind === list) return this.#open(size)
    const from = this.#seen + 1
    const bytes = kind === ext ? size + 1 : size
    this.#expect(from + bytes)
    this.#tell(from, from + bytes)
    this.#skip = bytes
    return bytes === 0 ? this.#end(from) : 0
  }

  #open(count: number): number {
    const from = this.#seen + 1
    this.#elements += count
    if (this.#elements >= LIMITS.parseElementsMax)
      throw this.#tooMuch(`more than ${LIMITS.parseElementsMax} values`)
    this.#expect(from + count)
    this.#tell(from, from)
    if (count === 0) return this.#end(from)
    if (this.#depth === LIMITS.parseDepthMax)
      throw this.#tooMuch(`nested deeper than ${LIMITS.parseDepthMax}`)
    this.#left[this.#depth] = count
    this.#isMap[this.#depth] = this.#kind === map ? 1 : 0
    this.#depth += 1
    return 0
  }

  /** A value has ended before `to`, and with it all that it is the last one of. */
  #end(to: number): number {
    while (this.#depth > 0) {
      const left = (this.#left[this.#depth - 1] ?? 0) - 1
      this.#left[this.#depth - 1] = left
      if (left > 0) return 0
      this.#depth -= 1
    }
    return to
  }

  #tell(from: number, to: number): void {
    if (this.#visit === null) return
    const depth = this.#depth
    const isKey = depth > 0 && this.#isMap[depth - 1] === 1 && (this.#left[depth - 1] ?? 0) % 2 === 0
    this.#visit({ kind: this.#kind, at: this.#at, from, to, isKey, depth })
  }

  #expect(bytes: number): void {
    if (bytes > MESSAGE_BYTES_MAX) throw this.#tooMuch(`more than ${MESSAGE_BYTES_MAX} bytes`)
  }

  #tooMuch(what: string): SockpoolError {
    return new SockpoolError('PARSE_LIMIT', `the MessagePack value has ${what}`, { offset: this.#at })
  }
}
