/**
 * The building blocks of the config schema: TypeBox nodes with annotations of ours. `expects` completes the
 * sentence "must be …" of an error; `kind` tells how the text becomes a value; `secret` keeps the value out of
 * errors and of `config print`. JSON Schema tools pass over all of them.
 */
import { type TSchema, Type } from 'typebox'
import { LIMITS } from '../base/limits.ts'
import type { PemContent } from './pem.ts'
import { formatDuration, formatSize } from './units.ts'

/** How a leaf's text becomes its value: a number of milliseconds or bytes, an address, PEM out of a file. */
export type LeafKind =
  | 'duration'
  | 'size'
  | 'listen'
  | 'serve'
  | 'listen-rule'
  | 'host-port'
  | 'file'
  | 'pem'
  | 'host'
  | 'template'
  | 'module'
  | 'frame'

/** A schema node as the readers of the schema see it. */
export type SchemaNode = TSchema & {
  readonly type?: string
  readonly description?: string
  readonly default?: unknown
  readonly enum?: readonly unknown[]
  readonly expects?: string
  readonly kind?: LeafKind
  readonly minimum?: number
  readonly maxLength?: number
  readonly secret?: boolean
  /** What a leaf of PEM is to hold. */
  readonly pem?: PemContent
  /** A mapping whose `key` must be that of its `cert`. */
  readonly keyPair?: boolean
  readonly properties?: Readonly<Record<string, SchemaNode>>
  readonly required?: readonly string[]
  readonly patternProperties?: Readonly<Record<string, SchemaNode>>
  readonly items?: SchemaNode
  readonly minItems?: number
  readonly maxItems?: number
  readonly minProperties?: number
  readonly maxProperties?: number
  /** What other keys are like as well: docs/config.md tells it once. */
  readonly shape?: string
  /** Keys of which a mapping has exactly one. */
  readonly exactlyOne?: readonly string[]
  readonly anyOf?: readonly SchemaNode[]
}

type Options = { readonly default?: unknown; readonly secret?: boolean }

/** A closed mapping. Fields that are no mappings and have no default are optional where they say so. */
export function mapping(
  description: string,
  properties: Record<string, TSchema>,
  options: Record<string, unknown> = {},
): SchemaNode {
  return Type.Object(properties, { description, additionalProperties: false, ...options })
}

/** A mapping whose keys are names that the operator chooses. */
export function named(
  description: string,
  pattern: string,
  value: TSchema,
  options: { readonly expects: string; readonly default?: undefined; readonly maxProperties?: number },
): SchemaNode {
  return Type.Record(Type.String({ pattern }), value, { description, default: {}, ...options })
}

/** A list, empty by default. */
export function list(description: string, items: TSchema, options: Record<string, unknown> = {}): SchemaNode {
  return Type.Array(items, { description, default: [], maxItems: 10_000, ...options })
}

/** A whole number within its bounds, ends included. */
export function count(
  description: string,
  minimum: number,
  maximum: number,
  options: Options = {},
): SchemaNode {
  const expects = `a whole number from ${minimum} to ${maximum}`
  return Type.Integer({ description, minimum, maximum, expects, ...options })
}

/** A duration, whose value becomes a number of milliseconds under the key with `Ms` at its end. */
export function duration(description: string, defaultMs?: number, minimumMs = 1): SchemaNode {
  const bounds = `from ${formatDuration(minimumMs)} to ${formatDuration(LIMITS.durationMsMax)}`
  return Type.Union([Type.Number(), Type.String()], {
    description,
    kind: 'duration',
    minimum: minimumMs,
    expects: `a duration such as 30s, 5m or 250ms (a plain number is milliseconds), ${bounds}`,
    ...(defaultMs === undefined ? {} : { default: formatDuration(defaultMs) }),
  })
}

/** A size in bytes. */
export function size(description: string, defaultBytes: number): SchemaNode {
  const bounds = `from 1B to ${formatSize(LIMITS.configBytesMax)}`
  return Type.Union([Type.Number(), Type.String()], {
    description,
    kind: 'size',
    expects: `a size such as 64KiB or 16MiB (a plain number is bytes), ${bounds}`,
    default: formatSize(defaultBytes),
  })
}

/** Text; `expects` says of what form. */
export function text(
  description: string,
  expects: string,
  options: Options & {
    readonly pattern?: string
    readonly minLength?: number
    readonly maxLength?: number
    readonly kind?: LeafKind
    readonly pem?: PemContent
  } = {},
): SchemaNode {
  return Type.String({ description, expects, ...options })
}

/** One word out of a closed list. */
export function choice(description: string, words: readonly string[], options: Options = {}): SchemaNode {
  return Type.Enum([...words], { description, expects: `one of ${words.join(', ')}`, ...options })
}

/** One of a few values that are not all words. */
export function oneOf(
  description: string,
  values: readonly (string | boolean)[],
  expects: string,
  options: Options = {},
): SchemaNode {
  return Type.Unsafe({ enum: [...values], description, expects, ...options })
}

export function flag(description: string, options: Options = {}): SchemaNode {
  return Type.Boolean({ description, expects: 'true or false', ...options })
}

/** True, and nothing else: the key says it all. */
export function just(description: string): SchemaNode {
  return Type.Literal(true, { description, expects: 'true' })
}

/** A node that may be one of several shapes; a value belongs to the branch of its own JavaScript type. */
export function either(description: string, expects: string, branches: TSchema[]): SchemaNode {
  return Type.Union(branches, { description, expects })
}

export function optional(node: SchemaNode): SchemaNode {
  return Type.Optional(node) as SchemaNode
}

/** The branch a value of a union is judged by: mappings by the mapping, lists by the list, all else by the first other one. */
export function branchFor(node: SchemaNode, value: unknown): SchemaNode {
  if (!node.anyOf || node.kind) return node
  const isNested = (branch: SchemaNode): boolean => branch.type === 'object' || branch.type === 'array'
  const type = isRecord(value) ? 'object' : Array.isArray(value) ? 'array' : null
  const own = node.anyOf.find(branch => branch.type === type)
  return own ?? node.anyOf.find(branch => !isNested(branch)) ?? node.anyOf[0] ?? node
}

/** What a named mapping's values are, or null where the node is none. */
export function namedValue(node: SchemaNode): SchemaNode | null {
  return Object.values(node.patternProperties ?? {})[0] ?? null
}

/** A mapping: no list, no null, no scalar. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** What a mapping says of a key by itself, not by inheritance; undefined where it is no mapping. */
export function field(value: unknown, key: string): unknown {
  return isRecord(value) && Object.hasOwn(value, key) ? value[key] : undefined
}
