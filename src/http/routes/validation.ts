/**
 * Checks requests against their TypeBox schemas. A body is taken as it is: nothing is coerced, dropped or filled in, so
 * a number in quotes or an array in place of a string is an error and no surprise further down. A query string has no
 * types, so the schema decides, strictly, how its text is read.
 */
import type { FastifySchemaCompiler } from 'fastify'
import type { TSchema } from 'typebox'
import { Compile } from 'typebox/compile'
import { invalidFields } from '../problems.ts'
import { fieldErrors } from './field-errors.ts'

/** Fastify's validator compiler. Errors: INVALID_REQUEST with `errors`, one for each of the first bad fields. */
export const compileValidator: FastifySchemaCompiler<TSchema> = ({ schema, httpPart }) => {
  // Compiled by the first request: those of all routes at the start would keep it for longer than most are ever used.
  let validator: ReturnType<typeof Compile> | null = null
  const isText = httpPart === 'querystring'
  return (value: unknown) => {
    const typed = isText ? typedQuery(schema, value) : value
    validator ??= Compile(schema)
    if (validator.Check(typed)) return { value: typed }
    return { error: invalidFields(fieldErrors(schema, typed, isText ? 'query' : (httpPart ?? 'body'))) }
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
  if (isBare(query)) return query
  // Without a prototype: on a plain object the field `__proto__` would vanish, and not be refused as unknown.
  const typed: Record<string, unknown> = Object.create(null)
  for (const [name, value] of Object.entries(query)) {
    const type = Object.hasOwn(properties, name) ? properties[name]?.type : undefined
    typed[name] = typedText(type, value)
  }
  return typed
}

/** Nothing is asked. */
function isBare(query: object): boolean {
  for (const _ in query) return false
  return true
}

function typedText(type: string | undefined, value: unknown): unknown {
  if (typeof value !== 'string') return value
  if (type === 'integer' && /^-?\d{1,15}$/.test(value)) return Number(value)
  if (type === 'boolean' && (value === 'true' || value === 'false')) return value === 'true'
  if (type === 'array') return [value]
  return value
}
