/**
 * The config schema in the words that every tool for JSON Schema (draft 7) knows. What the service itself fills in is not
 * required, and `env:NAME` is a value everywhere.
 */
import { field, isRecord, type SchemaNode } from '../../src/config/schema-node.ts'

export type PlainSchema = {
  readonly [keyword: string]: unknown
  readonly properties?: Readonly<Record<string, PlainSchema>>
}

const VARIABLE = '^env:[A-Za-z_][A-Za-z0-9_]*$'

const SHORTEST_VARIABLE = 'env:A'.length

/** Keywords that mean the same everywhere, and hold no schema. */
const KEPT = [
  'description',
  'minimum',
  'maximum',
  'minLength',
  'maxLength',
  'minItems',
  'maxItems',
  'minProperties',
  'maxProperties',
  'const',
] as const

/** `other`: the same node on another machine; a default that differs is none. */
export function describedValue(node: SchemaNode, other: SchemaNode): PlainSchema {
  const said = KEPT.map(key => [key, field(node, key)] as const)
  const kept = said.filter(([key, value]) => value !== undefined && !isForValuesAlone(node, key))
  const isFixed = node.default !== undefined && JSON.stringify(node.default) === JSON.stringify(other.default)
  return {
    ...Object.fromEntries(kept),
    ...(isFixed && { default: node.default }),
    ...shapeOf(node, other),
  }
}

/** The variable of a long text is short. */
function isForValuesAlone(node: SchemaNode, key: (typeof KEPT)[number]): boolean {
  return key === 'minLength' && node.type === 'string' && Number(field(node, key) ?? 0) > SHORTEST_VARIABLE
}

function shapeOf(node: SchemaNode, other: SchemaNode): PlainSchema {
  if (node.enum !== undefined) return { anyOf: [{ enum: node.enum }, { type: 'string', pattern: VARIABLE }] }
  if (node.anyOf !== undefined)
    return {
      anyOf: node.anyOf.map((branch, index) => describedValue(branch, other.anyOf?.[index] ?? branch)),
    }
  switch (node.type) {
    case 'object':
      return mappingOf(node, other)
    case 'array': {
      const { items = {} as SchemaNode } = node
      return { ...orVariable('array'), items: describedValue(items, other.items ?? items) }
    }
    case 'string': {
      const pattern = field(node, 'pattern')
      return {
        type: 'string',
        ...(typeof pattern === 'string' && { pattern: either(pattern) }),
        ...(isForValuesAlone(node, 'minLength') && {
          anyOf: [{ minLength: field(node, 'minLength') }, { pattern: VARIABLE }],
        }),
      }
    }
    case undefined:
      // Anything: the service judges it.
      return {}
    default:
      return orVariable(node.type)
  }
}

function mappingOf(node: SchemaNode, other: SchemaNode): PlainSchema {
  const children = (
    own: Readonly<Record<string, SchemaNode>>,
    same: Readonly<Record<string, SchemaNode>> = {},
  ): Readonly<Record<string, PlainSchema>> =>
    Object.fromEntries(
      Object.entries(own).map(([key, child]) => [key, describedValue(child, same[key] ?? child)]),
    )
  const { properties, patternProperties, exactlyOne } = node
  const required = (node.required ?? []).filter(key => {
    const child = properties?.[key]
    return child !== undefined && child.default === undefined && child.type !== 'object'
  })
  return {
    ...orVariable('object'),
    additionalProperties: false,
    ...(properties && { properties: children(properties, other.properties) }),
    ...(patternProperties && { patternProperties: children(patternProperties, other.patternProperties) }),
    ...(required.length > 0 && { required }),
    ...(exactlyOne && { oneOf: [...exactlyOne.map(key => ({ required: [key] })), { type: 'string' }] }),
  }
}

/** A pattern says nothing of what is no text, and the keywords of other types say nothing of a text. */
function orVariable(type: string): PlainSchema {
  return { type: [type, 'string'], pattern: VARIABLE }
}

function either(pattern: string): string {
  return `${pattern}|${VARIABLE}`
}

/** Each pattern of a schema, for those who read them by other rules. */
export function patternsOf(schema: unknown): readonly string[] {
  if (Array.isArray(schema)) return schema.flatMap(patternsOf)
  if (!isRecord(schema)) return []
  const own = typeof schema['pattern'] === 'string' ? [schema['pattern']] : []
  const names = isRecord(schema['patternProperties']) ? Object.keys(schema['patternProperties']) : []
  return [...own, ...names, ...Object.values(schema).flatMap(patternsOf)]
}
