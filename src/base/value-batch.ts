/**
 * The values of many messages on their way to another thread, in parts that become values one at a time: so the thread that
 * wants them never has more to do at once than one part takes, and what nobody comes to want is never made.
 *
 *   json    JSON text as it lay in the messages. To parse it costs less than to clone what it stands for.
 *   list    a list of values, serialized
 *   parcel  one value that is too large for a part
 */
import { deserialize, serialize } from 'node:v8'
import { LIMITS } from './limits.ts'
import { type Parcel, packValue, unpackValue, weightOf } from './value-parcel.ts'

/** Plain data: so many values. Bytes have memory of their own, which may be transferred. */
export type BatchPart =
  | { readonly kind: 'json'; readonly count: number; readonly bytes: Uint8Array }
  | { readonly kind: 'list'; readonly count: number; readonly bytes: Uint8Array }
  | { readonly kind: 'parcel'; readonly count: 1; readonly parcel: Parcel }

/** Plain data. */
export type MessageBatch = {
  /** Bytes of each message, in order. */
  readonly lengths: Uint32Array
  /** Their values, in the same order. */
  readonly parts: readonly BatchPart[]
}

export class BatchPacking {
  readonly #parts: BatchPart[] = []
  #texts: Uint8Array[] = []
  #textBytes = 0
  #values: unknown[] = []
  #weight = 0

  /** A value as JSON text, on its own; the bytes are copied later. Text that is longer than a part is a part of its own. */
  addText(text: Uint8Array): void {
    this.#flushValues()
    if (this.#textBytes + text.length > LIMITS.batchTextBytes) this.#flushTexts()
    this.#texts.push(text)
    this.#textBytes += text.length
  }

  addValue(value: unknown): void {
    this.#flushTexts()
    const weight = weightOf(value, LIMITS.cloneValuesMax)
    if (this.#weight + weight > LIMITS.cloneValuesMax) this.#flushValues()
    if (weight > LIMITS.cloneValuesMax) {
      this.#parts.push({ kind: 'parcel', count: 1, parcel: packValue(value) })
      return
    }
    this.#values.push(value)
    this.#weight += weight
  }

  finish(): readonly BatchPart[] {
    this.#flushTexts()
    this.#flushValues()
    return this.#parts
  }

  #flushTexts(): void {
    const texts = this.#texts
    if (texts.length === 0) return
    const bytes = new Uint8Array(this.#textBytes + texts.length + 1)
    let at = 0
    for (const text of texts) {
      bytes[at] = at === 0 ? OPEN : COMMA
      bytes.set(text, at + 1)
      at += 1 + text.length
    }
    bytes[at] = CLOSE
    this.#parts.push({ kind: 'json', count: texts.length, bytes })
    this.#texts = []
    this.#textBytes = 0
  }

  #flushValues(): void {
    const { length: count } = this.#values
    if (count === 0) return
    this.#parts.push({ kind: 'list', count, bytes: new Uint8Array(serialize(this.#values)) })
    this.#values = []
    this.#weight = 0
  }
}

const OPEN = 0x5b
const COMMA = 0x2c
const CLOSE = 0x5d

/** The values of a part. The caller's thread runs other work while a large one is put together. */
export async function valuesOf(part: BatchPart): Promise<readonly unknown[]> {
  switch (part.kind) {
    case 'json': {
      const { buffer, byteOffset, length } = part.bytes
      return JSON.parse(Buffer.from(buffer, byteOffset, length).toString('utf8')) as unknown[]
    }
    case 'list':
      return deserialize(part.bytes) as unknown[]
    case 'parcel':
      return [await unpackValue(part.parcel)]
    default:
      return part satisfies never
  }
}

/** The memory in a batch, for whoever posts it. */
export function memoryIn({ lengths, parts }: MessageBatch): readonly Uint8Array[] {
  const pieces = parts.flatMap(part => {
    if (part.kind !== 'parcel') return [part.bytes]
    return part.parcel.kind === 'pieces' ? part.parcel.pieces : []
  })
  return [new Uint8Array(lengths.buffer), ...pieces]
}
