/** An example of a value, put together from those that its schema holds in its parts. */

/** The keywords that are looked at. */
export type ExampleSchema = {
  readonly type?: string
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly format?: string
  readonly minimum?: number
  readonly example?: unknown
  readonly examples?: readonly unknown[]
  readonly anyOf?: readonly ExampleSchema[]
  readonly items?: ExampleSchema
  readonly properties?: Readonly<Record<string, ExampleSchema>>
  readonly required?: readonly string[]
}

/**
 * What stands as the schema's own example, else what its parts give. Undefined where a text is needed that nothing tells:
 * no example is better than one that no service ever answers.
 */
export function exampleOf(schema: ExampleSchema): unknown {
  const { example, examples, const: only, enum: words, anyOf } = schema
  if (example !== undefined) return example
  if (examples !== undefined && examples.length > 0) return examples[0]
  if (only !== undefined) return only
  if (words !== undefined) return words[0]
  if (anyOf !== undefined) return anyOf.map(exampleOf).find(value => value !== undefined)
  return exampleOfType(schema)
}

function exampleOfType(schema: ExampleSchema): unknown {
  switch (schema.type) {
    case 'object':
      return exampleOfObject(schema)
    case 'array': {
      const item = schema.items && exampleOf(schema.items)
      return item === undefined ? [] : [item]
    }
    case 'integer':
    case 'number':
      return Math.max(0, schema.minimum ?? 0)
    case 'boolean':
      return false
    case 'null':
      return null
    case 'string':
      return schema.format === 'date-time' ? '2026-11-28T23:30:53.338Z' : undefined
    default:
      return undefined
  }
}

function exampleOfObject({ properties = {}, required = [] }: ExampleSchema): unknown {
  const fields = Object.entries(properties)
    .map(([name, schema]) => [name, exampleOf(schema)] as const)
    .filter(([, value]) => value !== undefined)
  const whole: Readonly<Record<string, unknown>> = Object.fromEntries(fields)
  return required.every(name => Object.hasOwn(whole, name)) ? whole : undefined
}
