/**
 * What the walk over a message of Protocol Buffers needs to know of its type, made of the library's descriptors as fields
 * are met: types may hold each other.
 */
import type { DescField, DescMessage } from '@bufbuild/protobuf'

/** What the bytes of a field are that say their length. */
export type FieldBody =
  | { readonly kind: 'message'; readonly shape: MessageShape }
  /** Of each value; 0: they end by themselves. */
  | { readonly kind: 'packed'; readonly bytes: 0 | 4 | 8 }
  | { readonly kind: 'text'; readonly isKey: boolean }
  | { readonly kind: 'bytes' }

export interface MessageShape {
  readonly isAny: boolean
  /** Of a field by its number. */
  body(number: number): FieldBody
  /** Of the message in a field that is a group. */
  group(number: number): MessageShape
}

const OPAQUE: FieldBody = { kind: 'bytes' }
const UNKNOWN: MessageShape = { isAny: false, body: () => OPAQUE, group: () => UNKNOWN }

const SHAPES = new WeakMap<DescMessage, MessageShape>()

/** How messages of the type are walked. */
export function shapeOf(type: DescMessage): MessageShape {
  const known = SHAPES.get(type)
  if (known) return known
  const fields = new Map(type.fields.map(field => [field.number, field]))
  const bodies = new Map<number, FieldBody>()
  const shape: MessageShape = {
    isAny: type.typeName === 'google.protobuf.Any',
    body(number) {
      const field = fields.get(number)
      if (field === undefined) return OPAQUE
      const body = bodies.get(number) ?? bodyOf(field)
      bodies.set(number, body)
      return body
    },
    group(number) {
      const body = shape.body(number)
      return body.kind === 'message' ? body.shape : UNKNOWN
    },
  }
  SHAPES.set(type, shape)
  return shape
}

function bodyOf(field: DescField): FieldBody {
  switch (field.fieldKind) {
    case 'message':
      return { kind: 'message', shape: shapeOf(field.message) }
    case 'map':
      return { kind: 'message', shape: entryShape(field) }
    case 'list':
      if (field.listKind === 'message') return { kind: 'message', shape: shapeOf(field.message) }
      return field.listKind === 'scalar' ? scalarBody(field.scalar, true) : { kind: 'packed', bytes: 0 }
    case 'scalar':
      return scalarBody(field.scalar, false)
    case 'enum':
      return OPAQUE
    default:
      return field satisfies never
  }
}

/** The message that each entry of a map is: 1 is its key, 2 its value. */
function entryShape(field: MapField): MessageShape {
  const key: FieldBody = { kind: 'text', isKey: true }
  const value = entryValue(field)
  return {
    isAny: false,
    body: number => (number === 1 ? key : number === 2 ? value : OPAQUE),
    group: () => UNKNOWN,
  }
}

function entryValue(field: MapField): FieldBody {
  switch (field.mapKind) {
    case 'message':
      return { kind: 'message', shape: shapeOf(field.message) }
    case 'scalar':
      return scalarBody(field.scalar, false)
    case 'enum':
      return OPAQUE
    default:
      return field satisfies never
  }
}

type MapField = Extract<DescField, { readonly fieldKind: 'map' }>

/** The library's numbers for scalar types, which are those of descriptor.proto. */
const STRING = 9
const BYTES = 12
const BYTES_OF_FIXED: ReadonlyMap<number, 4 | 8> = new Map([
  // double, fixed64, sfixed64
  ...([1, 6, 16] as const).map(type => [type, 8] as const),
  // float, fixed32, sfixed32
  ...([2, 7, 15] as const).map(type => [type, 4] as const),
])

function scalarBody(scalar: number, isRepeated: boolean): FieldBody {
  if (scalar === STRING) return { kind: 'text', isKey: false }
  if (scalar === BYTES || !isRepeated) return OPAQUE
  return { kind: 'packed', bytes: BYTES_OF_FIXED.get(scalar) ?? 0 }
}
