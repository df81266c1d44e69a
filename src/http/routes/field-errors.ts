/**
 * Says what is wrong with a refused value, field by field. A schema library lists every error before it shows the first
 * few, which takes seconds and gigabytes for a list of a million wrong items; this walk ends at the first few, so what a
 * refusal costs is bounded whatever was sent.
 */
import type { TSchema } from 'typebox'
import { Compile } from 'typebox/compile'
import { Errors } from 'typebox/value'
import { LIMITS } from '../../base/limits.ts'
import type { FieldError } from '../problems.ts'

/** The keywords of the schemas in use. Every other keyword is judged where the value has no fields to walk into. */
interface Keywords {
  readonly anyOf?: readonly TSchema[]
  readonly type?: string
  readonly properties?: Readonly<Record<string, TSchema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: boolean
  readonly items?: TSchema
}

/** The first errors of a value, at the most one more than a problem shows: the last tells that there are more. */
class Faults {
  readonly #messages = new Map<string, Set<string>>()

  get isFull(): boolean {
    return this.#messages.size > LIMITS.fieldErrorsMax
  }

  get entries(): Iterable<[string, Set<string>]> {
    return this.#messages
  }

  add(path: string, message: string): void {
    if (this.isFull) return
    this.#messages.set(path, (this.#messages.get(path) ?? new Set()).add(message))
  }
}

/** One message for each bad field, by its dotted path. `part` is the path where the whole value is wrong. */
export function fieldErrors(schema: TSchema, value: unknown, part: string): FieldError[] {
  const faults = new Faults()
  walk(schema, value, '', faults)
  return Array.from(faults.entries, ([path, messages]) => ({
    path: path === '' ? part : path,
    message: [...messages].join(' or '),
  }))
}

function walk(schema: TSchema, value: unknown, path: string, faults: Faults): void {
  if (faults.isFull || fits(schema, value)) return
  const { anyOf, type } = schema as Keywords
  if (anyOf !== undefined) return walkUnion(anyOf, value, path, faults)
  if (type === 'object' && isRecord(value)) return walkObject(schema, value, path, faults)
  if (type === 'array' && Array.isArray(value)) return walkList(schema, value, path, faults)
  noteOwn(schema, value, path, faults)
}

/**
 * A branch whose errors lie deeper in the value is the one that the caller meant, so the errors at the union's own place
 * are then dropped.
 */
function walkUnion(branches: readonly TSchema[], value: unknown, path: string, faults: Faults): void {
  const found = branches.flatMap(branch => {
    const own = new Faults()
    walk(branch, value, path, own)
    return [...own.entries]
  })
  const isDeeper = found.some(([place]) => place !== path)
  for (const [place, messages] of found)
    if (place !== path || !isDeeper) for (const message of messages) faults.add(place, message)
}

function walkObject(
  schema: TSchema,
  value: Readonly<Record<string, unknown>>,
  path: string,
  faults: Faults,
): void {
  const { properties = {}, required = [], additionalProperties, ...rest } = schema as Keywords
  for (const name of required) if (!Object.hasOwn(value, name)) faults.add(joined(path, name), 'is required')
  for (const name of Object.keys(value)) {
    if (faults.isFull) return
    const field = Object.hasOwn(properties, name) ? properties[name] : undefined
    if (field !== undefined) walk(field, value[name], joined(path, name), faults)
    else if (additionalProperties === false) faults.add(joined(path, name), 'is not a known field')
  }
  noteOwn(rest as TSchema, value, path, faults)
}

function walkList(schema: TSchema, list: readonly unknown[], path: string, faults: Faults): void {
  const { items, ...rest } = schema as Keywords
  if (items !== undefined)
    for (const [index, item] of list.entries()) {
      if (faults.isFull) return
      walk(items, item, joined(path, String(index)), faults)
    }
  noteOwn(rest as TSchema, list, path, faults)
}

/** What the schema says of the value itself, whose fields were looked at or are of no account. */
function noteOwn(schema: TSchema, value: unknown, path: string, faults: Faults): void {
  for (const { message, params } of Errors(schema, value)) {
    const { allowedValues } = params as { allowedValues?: unknown[] }
    faults.add(path, allowedValues ? `must be one of ${allowedValues.join(', ')}` : message)
  }
}

const checks = new WeakMap<TSchema, (value: unknown) => boolean>()

/** Compiled once for each part of a schema: a list may have a million items before the one that is wrong. */
function fits(schema: TSchema, value: unknown): boolean {
  let check = checks.get(schema)
  if (check === undefined) {
    const validator = Compile(schema)
    check = candidate => validator.Check(candidate)
    checks.set(schema, check)
  }
  return check(value)
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function joined(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`
}
