/**
 * Checks requests against their TypeBox schemas. A body is taken as it is: nothing is coerced, dropped or filled in, so
 * a number in quotes or an array in place of a string is an error and no surprise further down. A query string has no
 * types, so the schema decides, strictly, how its text is read.
 */
import type { FastifySchemaCompiler } from 'fastify'
import type { TSchema } from 'typebox'
import { Compile } from 'typebox/compile'
import { SockpoolError } from '../../base/errors.ts'

interface FieldError {
  readonly path: string
  readonly message: string
}

/** The shape of one error as the validator reports it. */
interface SchemaError {
  readonly keyword: string
  readonly instancePath: string
  readonly message: string
  readonly params: object
}

/** Fastify's validator compiler. Errors: INVALID_REQUEST with `errors`, one for each bad field. */
export const compileValidator: FastifySchemaCompiler<TSchema> = ({ schema, httpPart }) => {
  const validator = Compile(schema)
  const isText = httpPart === 'querystring'
  return (value: unknown) => {
    const typed = isText ? typedQuery(schema, value) : value
    if (validator.Check(typed)) return { value: typed }
    const errors = fieldErrors(validator.Errors(typed), isText ? 'query' : (httpPart ?? 'body'))
    const detail = errors.map(({ path, message }) => `${path}: ${message}`).join('; ')
    return { error: new SockpoolError('INVALID_REQUEST', detail, { errors }) }
  }
}

/**
 * The query with its integers and booleans read as such, and with a single value of a list made a list.
 *
 * Text that is not exactly a decimal integer, `true` or `false` stays text and fails the check: `n=` is not 0.
 */
function typedQuery(schema: TSchema, query: unknown): unknown {
  const { properties } = schema as { properties?: Record<string, { type?: string }> }
  if (properties === undefined || typeof query !== 'object' || query === null) return query
  const typed: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(query)) {
    const type = Object.hasOwn(properties, name) ? properties[name]?.type : undefined
    typed[name] = typedText(type, value)
  }
  return typed
}

function typedText(type: string | undefined, value: unknown): unknown {
  if (typeof value !== 'string') return value
  if (type === 'integer' && /^-?\d{1,15}$/.test(value)) return Number(value)
  if (type === 'boolean' && (value === 'true' || value === 'false')) return value === 'true'
  if (type === 'array') return [value]
  return value
}

/**
 * One message for each bad field, by its dotted path. `part` is the path where the whole value is wrong.
 *
 * A union reports the errors of every branch. A branch whose errors lie deeper in the value is the one that the caller
 * meant, so the errors at the union's own place are then dropped.
 */
function fieldErrors(errors: readonly SchemaError[], part: string): FieldError[] {
  const unions = new Set(errors.filter(({ keyword }) => keyword === 'anyOf').map(e => e.instancePath))
  const leaves = errors.filter(({ keyword }) => keyword !== 'anyOf' && keyword !== 'boolean').flatMap(spelled)
  const isHollow = (path: string): boolean =>
    unions.has(path) && leaves.some(other => other.path.startsWith(`${path}/`))
  const messages = new Map<string, Set<string>>()
  for (const { path, message } of leaves) {
    if (isHollow(path)) continue
    const name = path === '' ? part : dotted(path)
    messages.set(name, (messages.get(name) ?? new Set()).add(message))
  }
  return [...messages].map(([path, all]) => ({ path, message: [...all].join(' or ') }))
}

/** An error at the path of its field: the validator reports a missing or unknown field at its parent. */
function spelled(error: SchemaError): FieldError[] {
  const { instancePath: path, message } = error
  const { requiredProperties, additionalProperties } = error.params as {
    requiredProperties?: string[]
    additionalProperties?: string[]
  }
  if (requiredProperties)
    return requiredProperties.map(name => ({ path: `${path}/${name}`, message: 'is required' }))
  if (additionalProperties)
    return additionalProperties.map(name => ({ path: `${path}/${name}`, message: 'is not a known field' }))
  const { allowedValues } = error.params as { allowedValues?: unknown[] }
  if (allowedValues) return [{ path, message: `must be one of ${allowedValues.join(', ')}` }]
  return [{ path, message }]
}

function dotted(pointer: string): string {
  return pointer.slice(1).replaceAll('/', '.').replaceAll('~1', '/').replaceAll('~0', '~')
}
