/**
 * Walks a message of Protocol Buffers by its descriptor before the library makes values of it: whether its lengths are true,
 * how deep it goes and how many parts it has, all with a place. Nothing is taken for what a length says.
 *
 * A message that stands within an Any is walked as the type that the Any names. An Any that comes in two halves, which the
 * library puts together, is not found here; the size of the whole bounds it.
 *
 * Source: Protocol Buffers, Encoding.
 */
import { isUtf8 } from 'node:buffer'
import type { DescMessage, Registry } from '@bufbuild/protobuf'
import { SockpoolError } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'
import { ElementCount } from './element-count.ts'
import { type FieldBody, type MessageShape, shapeOf } from './protobuf-shapes.ts'
import { forbiddenKey } from './records.ts'

const [VARINT, FIXED64, SIZED, GROUP, GROUP_END, FIXED32] = [0, 1, 2, 3, 4, 5]
const VARINT_BYTES_MAX = 10

/** Errors: PARSE_FAILED, PARSE_LIMIT, with `offset` from the start of the message. */
export function checkWire(type: DescMessage, message: Buffer, registry: Registry): void {
  new WireWalk(message, registry).message(shapeOf(type), 0, message.length, 1)
}

class WireWalk {
  readonly #bytes: Buffer
  readonly #registry: Registry
  readonly #elements = new ElementCount()
  #at = 0

  constructor(bytes: Buffer, registry: Registry) {
    this.#bytes = bytes
    this.#registry = registry
  }

  /** The fields from `from` up to `to`, or of a group up to its end. */
  message(shape: MessageShape, from: number, to: number, depth: number, group: number | null = null): void {
    if (depth > LIMITS.parseDepthMax)
      throw new SockpoolError('PARSE_LIMIT', `the message is nested deeper than ${LIMITS.parseDepthMax}`, {
        offset: from,
      })
    this.#at = from
    let name = ''
    let value: readonly [from: number, to: number] | null = null
    while (this.#at < to) {
      const at = this.#at
      this.#elements.add(1, at)
      const tag = this.#varint(to)
      const [number, wire] = [Math.floor(tag / 8), tag % 8]
      if (number === 0 || tag > 0xffff_ffff) throw this.#wrong(at, 'a field has no number')
      if (wire === GROUP_END) {
        if (number === group) return
        throw this.#wrong(at, 'a group ends that has not begun')
      }
      const body = this.#field(shape, number, wire, to, depth)
      if (shape.isAny && wire === SIZED && number === 1) name = this.#bytes.toString('utf8', ...body)
      if (shape.isAny && wire === SIZED && number === 2) value = body
    }
    if (group !== null) throw this.#wrong(to, 'the message ends within a group')
    if (value !== null) this.#any(name, value, depth)
  }

  /** Where the bytes are of a field that says their length. */
  #field(
    shape: MessageShape,
    number: number,
    wire: number,
    to: number,
    depth: number,
  ): readonly [number, number] {
    const at = this.#at
    switch (wire) {
      case VARINT:
        this.#varint(to)
        break
      case FIXED64:
      case FIXED32:
        this.#pass(wire === FIXED64 ? 8 : 4, to)
        break
      case SIZED: {
        const length = this.#varint(to)
        const from = this.#at
        this.#pass(length, to)
        this.#sized(shape.body(number), from, this.#at, depth)
        return [from, this.#at]
      }
      case GROUP:
        this.message(shape.group(number), at, to, depth + 1, number)
        break
      default:
        throw this.#wrong(at, 'a field has no type')
    }
    return [at, this.#at]
  }

  #sized(body: FieldBody, from: number, to: number, depth: number): void {
    switch (body.kind) {
      case 'message':
        this.message(body.shape, from, to, depth + 1)
        return
      case 'packed':
        this.#elements.add(this.#packed(from, to, body.bytes), from)
        return
      case 'text':
        if (!isUtf8(this.#bytes.subarray(from, to))) throw this.#wrong(from, 'a text is not UTF-8')
        if (body.isKey && this.#bytes.toString('latin1', from, to) === '__proto__') throw forbiddenKey(from)
        return
      case 'bytes':
        return
      default:
        body satisfies never
    }
  }

  #packed(from: number, to: number, bytes: 0 | 4 | 8): number {
    if (bytes > 0) return Math.ceil((to - from) / bytes)
    let ends = 0
    for (let at = from; at < to; at++) if ((this.#bytes[at] ?? 0) < 0x80) ends += 1
    return ends
  }

  #any(name: string, [from, to]: readonly [number, number], depth: number): void {
    const end = this.#at
    const type = this.#registry.getMessage(name.slice(name.lastIndexOf('/') + 1))
    if (type) this.message(shapeOf(type), from, to, depth + 1)
    this.#at = end
  }

  #pass(bytes: number, to: number): void {
    if (this.#at + bytes > to) throw this.#wrong(this.#at, 'a field is longer than what holds it')
    this.#at += bytes
  }

  /** Not exact beyond 2^53, where it is no length and no tag. */
  #varint(to: number): number {
    const from = this.#at
    let value = 0
    for (let index = 0; index < VARINT_BYTES_MAX && this.#at < to; index++) {
      const byte = this.#bytes[this.#at] ?? 0
      this.#at += 1
      value += (byte & 0x7f) * 2 ** (7 * index)
      if (byte < 0x80) return value
    }
    throw this.#wrong(from, 'a varint has no end')
  }

  #wrong(offset: number, what: string): SockpoolError {
    return new SockpoolError('PARSE_FAILED', `protobuf: ${what}`, { offset })
  }
}
