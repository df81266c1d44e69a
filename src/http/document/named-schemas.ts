/** Schemas with a title stand once in the document, under that name; generated clients make types of them. */
import { isDeepStrictEqual } from 'node:util'
import { invariant } from '../../base/errors.ts'

type Json = Readonly<Record<string, unknown>>

export class NamedSchemas {
  readonly #known: Record<string, unknown> = {}

  get all(): Record<string, unknown> {
    return this.#known
  }

  /** The schema with references in place of those that have a title, itself included. */
  named(schema: unknown): unknown {
    if (Array.isArray(schema)) return schema.map(item => this.named(item))
    if (typeof schema !== 'object' || schema === null) return schema
    const parts = Object.entries(schema).map(([key, value]) => [key, this.#partOf(key, value)] as const)
    const whole: Json = Object.fromEntries(parts)
    const { title } = whole
    if (typeof title !== 'string') return whole
    const known = this.#known[title]
    invariant(known === undefined || isDeepStrictEqual(known, whole), `two schemas are called ${title}`)
    this.#known[title] = whole
    return { $ref: `#/components/schemas/${title}` }
  }

  /** Examples are values, whatever they hold. */
  #partOf(key: string, value: unknown): unknown {
    return key === 'examples' || key === 'example' || key === 'const' || key === 'enum'
      ? value
      : this.named(value)
  }
}
