/** JSON Schema in words, as far as the routes of the API use it. */

export type Schema = {
  readonly type?: string
  readonly enum?: readonly unknown[]
  readonly anyOf?: readonly Schema[]
  readonly items?: Schema
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly minimum?: number
  readonly maximum?: number
  readonly maxItems?: number
  readonly format?: string
  readonly description?: string
}

export type Field = { readonly path: string; readonly schema: Schema; readonly required: boolean }

/** The fields of an object and of the objects in it, each by its path; what is no object is one field. */
export function flatten(schema: Schema, path = '', required = true): readonly Field[] {
  const inner = objectIn(schema)
  const own: readonly Field[] = path === '' && inner === schema ? [] : [{ path, schema, required }]
  if (inner === null) return own
  const below = Object.entries(inner.properties ?? {}).flatMap(([name, child]) =>
    flatten(child, path === '' ? name : `${path}.${name}`, inner.required?.includes(name) ?? false),
  )
  return [...own, ...below]
}

/** What a field takes, in a few words. */
export function takenBy(schema: Schema): string {
  if (schema.anyOf) return schema.anyOf.map(takenBy).join(' or ')
  if (schema.enum) return schema.enum.map(value => `\`${String(value)}\``).join(', ')
  switch (schema.type) {
    case 'integer':
      return rangeOf(schema)
    case 'boolean':
      return 'true or false'
    case 'string':
      return schema.format === 'date-time' ? 'an instant' : 'text'
    case 'array':
      return schema.items?.type === 'string'
        ? 'a list of texts'
        : `a list, each ${takenBy(schema.items ?? {})}`
    case 'object':
      return 'a mapping'
    case 'null':
      return 'null'
    case undefined:
      return 'anything'
    default:
      return schema.type
  }
}

export function cell(text: string): string {
  return text.replaceAll('|', '\\|')
}

function rangeOf({ minimum, maximum }: Schema): string {
  if (minimum === undefined) return 'a whole number'
  // The largest whole number that JSON carries exactly is no bound that anybody meets.
  if (maximum === undefined || maximum === Number.MAX_SAFE_INTEGER) return `a whole number from ${minimum}`
  return `a whole number from ${minimum} to ${maximum}`
}

/** The object among what the schema admits, or the one that its list holds. */
function objectIn(schema: Schema): Schema | null {
  if (schema.properties) return schema
  for (const branch of schema.anyOf ?? []) {
    const found = objectIn(branch)
    if (found) return found
  }
  return null
}
