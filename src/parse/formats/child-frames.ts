/**
 * What crosses between the pool's process and a parse process, over one pipe that goes both ways. All of it is frames:
 *
 *   0      1                        7
 *   | kind | length of the body, LE | body
 *
 *   kind     direction          body
 *   ready    pool ◄ process     nothing: it has started
 *   ask      pool ► process     an ApartTask without its bytes, serialised
 *   input    pool ► process     the bytes to parse, as they are; with them the work begins
 *   part     pool ◄ process     the text that was asked for, or one piece of a Parcel, as it is
 *   outcome  pool ◄ process     a TaskOutcome, serialised; its value is null for a text, and where it is a Parcel in
 *                               pieces it has none of them: they came before, as parts
 *
 * One ask is under way at a time. The end of the pipe is the end of the process. So no value is cloned on its way, and
 * whoever reads a frame does no more in one turn than to set aside what has come.
 */
import { largeMemory } from '../../base/large-memory.ts'
import { LIMITS } from '../../base/limits.ts'

const KINDS = { ready: 1, ask: 2, input: 3, part: 4, outcome: 5 } as const

export type FrameKind = keyof typeof KINDS

export const FRAME_HEAD_BYTES = 7
const LENGTH_AT = 1
const LENGTH_BYTES = 6

/** The argument by which the parse worker's file knows that it is a process. */
export const CHILD_MARK = 'sockpool-parse-process'
/** The descriptor of the pipe in the parse process. */
export const CHILD_PIPE = 3

export type FrameHead = { readonly kind: FrameKind; readonly length: number }

export function frameHead(kind: FrameKind, length: number): Buffer {
  const head = Buffer.alloc(FRAME_HEAD_BYTES)
  head[0] = KINDS[kind]
  head.writeUIntLE(length, LENGTH_AT, LENGTH_BYTES)
  return head
}

/** Errors: an Error, where the bytes are no head, or one of a frame that is longer than any. */
export function readFrameHead(head: Buffer): FrameHead {
  const [kind] = Object.entries(KINDS).find(([, number]) => number === head[0]) ?? []
  const length = head.readUIntLE(LENGTH_AT, LENGTH_BYTES)
  if (kind === undefined || length > LIMITS.parseFrameBytesMax)
    throw new Error(`a parse process and its pool do not understand each other: ${head.toString('hex')}`)
  return { kind: kind as FrameKind, length }
}

/** Memory for the body of an answer, which goes back to the system with it where it is large. */
function bodyMemory(length: number): Buffer {
  if (length < LIMITS.heldBytesMin) return Buffer.allocUnsafeSlow(length)
  return Buffer.from(largeMemory(length))
}

/** Puts frames together of bytes as they come. */
export class FrameReader {
  readonly #use: (kind: FrameKind, body: Buffer) => void
  readonly #head = Buffer.alloc(FRAME_HEAD_BYTES)
  #headCount = 0
  #body: { readonly kind: FrameKind; readonly bytes: Buffer; count: number } | null = null

  /** `use` is given each frame once it is whole; its body is nobody else's. */
  constructor(use: (kind: FrameKind, body: Buffer) => void) {
    this.#use = use
  }

  /** Errors: as readFrameHead; those of `use`. */
  push(chunk: Buffer): void {
    let rest = chunk
    while (rest.length > 0 || this.#body?.bytes.length === 0)
      rest = this.#body ? this.#fill(rest) : this.#open(rest)
  }

  #open(chunk: Buffer): Buffer {
    const copied = chunk.copy(this.#head, this.#headCount)
    this.#headCount += copied
    if (this.#headCount === FRAME_HEAD_BYTES) {
      const { kind, length } = readFrameHead(this.#head)
      this.#headCount = 0
      this.#body = { kind, bytes: bodyMemory(length), count: 0 }
    }
    return chunk.subarray(copied)
  }

  #fill(chunk: Buffer): Buffer {
    const body = this.#body
    if (body === null) return chunk
    const copied = chunk.copy(body.bytes, body.count)
    body.count += copied
    if (body.count === body.bytes.length) {
      this.#body = null
      this.#use(body.kind, body.bytes)
    }
    return chunk.subarray(copied)
  }
}
