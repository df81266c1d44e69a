/**
 * Every route of an OpenAPI document times everything that can be wrong with a request to it. Each case changes one
 * thing of a request that is otherwise whole, so that what is refused is the thing that was changed.
 */
export type Case = {
  readonly title: string
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | Buffer
  /** The field that an invalid_request must name; null where the fault is of no single field. */
  readonly field: string | null
}

type Schema = {
  readonly type?: string
  readonly enum?: readonly unknown[]
  readonly anyOf?: readonly Schema[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: boolean
  readonly minimum?: number
  readonly maximum?: number
  readonly minLength?: number
}
type Parameter = { readonly in: string; readonly name: string; readonly schema: Schema }
type Operation = {
  readonly parameters?: readonly Parameter[]
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Schema }>> }
}
export type OpenApi = { readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>> }

/** What a whole request of a route has, by `METHOD /path`. */
export type Whole = {
  /** Path parameters that mean something else than those of other routes. */
  readonly path?: Readonly<Record<string, string>>
  readonly query?: Readonly<Record<string, string>>
  readonly json?: unknown
}

export type Wholes = {
  /** Values of path parameters that are known to the service. */
  readonly path: Readonly<Record<string, string>>
  readonly routes: Readonly<Record<string, Whole>>
}

const NOT_INTEGERS = [
  '',
  ' ',
  'x',
  '1.5',
  '1e3',
  '0x1',
  '+1',
  ' 1',
  '1 ',
  '1,2',
  'NaN',
  'null',
  '9'.repeat(30),
  '٣',
  '-',
]
const NOT_BOOLEANS = ['', '1', '0', 'yes', 'TRUE', 'null', 'true ', 'true,false']
const NOT_IN_ENUMS = ['', 'bogus', 'UTF8', 'null', '0']
const BAD_PATHS = [
  '%00',
  '%0d%0ax',
  '%2e%2e',
  '%2e%2e%2fv1',
  'x',
  ' '.replace(' ', '%20'),
  '__proto__',
  'constructor',
  'toString',
  '%E2%82%AC',
  '%F0%9F%98%80',
  'null',
  'undefined',
  '-1',
  '*',
  "'",
  '%22',
  '%7B%7D',
  '%25',
  'x'.repeat(2_000),
  '%252e',
]
const BAD_ESCAPES = ['%', '%f', '%zz', '%ff', '%c0%af', '%e2%82']
const WRONG_TYPES: Readonly<Record<string, unknown>> = {
  null: null,
  true: true,
  fraction: 1.5,
  negative: -1,
  text: 'x',
  empty: '',
  list: [],
  'list of lists': [[1]],
  mapping: {},
  'mapping of mappings': { a: { b: 1 } },
  huge: 1e300,
}
const BAD_JSON: Readonly<Record<string, string | Buffer>> = {
  'nothing at all': '{',
  'a word': 'bogus',
  'single quotes': "{'a':1}",
  'a trailing comma': '{"a":1,}',
  'two values': '{} {}',
  NaN: 'NaN',
  'a comment': '{}//',
  'a __proto__ key': '{"__proto__":{"x":1}}',
  'a constructor key': '{"constructor":{"prototype":{"x":1}}}',
  'no UTF-8': Buffer.from([0x7b, 0xff, 0xfe, 0x7d]),
  'UTF-16': Buffer.from('{}', 'utf16le'),
  'a NUL': '{"a":\0}',
  'a control character in text': '{"a":"\n"}',
  'deep lists': '['.repeat(50_000),
  'deep mappings': '{"a":'.repeat(20_000),
}
const NOT_JSON_TYPES = [
  'text/plain',
  'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=x',
  'application/xml',
  'x',
  'application/json5',
  'text/json',
  '*/*',
]

/** All cases of the document. */
export function malformedRequests(document: OpenApi, wholes: Wholes): readonly Case[] {
  return Object.entries(document.paths).flatMap(([path, operations]) =>
    Object.entries(operations).flatMap(([verb, operation]) => {
      const method = verb.toUpperCase()
      const whole = wholes.routes[`${method} ${path}`] ?? {}
      const route = new Route(method, path, operation, whole, { ...wholes.path, ...whole.path })
      return [...route.badPaths(), ...route.badQueries(), ...route.badBodies()]
    }),
  )
}

class Route {
  readonly #method: string
  readonly #path: string
  readonly #operation: Operation
  readonly #whole: Whole
  readonly #known: Readonly<Record<string, string>>

  constructor(
    method: string,
    path: string,
    operation: Operation,
    whole: Whole,
    known: Readonly<Record<string, string>>,
  ) {
    this.#method = method
    this.#path = path
    this.#operation = operation
    this.#whole = whole
    this.#known = known
  }

  badPaths(): Case[] {
    const names = this.#parameters('path').map(({ name }) => name)
    return names.flatMap(name =>
      [...BAD_PATHS, ...BAD_ESCAPES].map(value =>
        this.#case(`${name} ${value.slice(0, 20)}`, { path: { [name]: value } }),
      ),
    )
  }

  badQueries(): Case[] {
    const parameters = this.#parameters('query')
    if (parameters.length === 0) return []
    const cases = parameters.flatMap(({ name, schema }) => [
      ...badTexts(schema).map(value =>
        this.#case(`${name}=${value}`, { query: { [name]: [encodeURIComponent(value)] }, field: name }),
      ),
      ...(schema.type === 'array'
        ? []
        : [this.#case(`${name} twice`, { query: { [name]: ['1', '2'] }, field: name })]),
    ])
    const malformed = BAD_ESCAPES.map(value =>
      this.#case(`the query escape ${value}`, { query: { [parameters[0]?.name ?? '']: [value] } }),
    )
    const unknown = ['bogus', 'constructor', 'N', 'timeoutms'].map(name =>
      this.#case(`an unknown query field ${name}`, {
        query: { [name]: ['1'] },
        field: this.#path.endsWith('{format}') ? null : name,
      }),
    )
    return [...cases, ...malformed, ...unknown]
  }

  badBodies(): Case[] {
    const schema = this.#operation.requestBody?.content['application/json']?.schema
    if (schema === undefined) return []
    const cases: Case[] = []
    const add = (
      title: string,
      body: string | Buffer,
      field: string | null,
      type = 'application/json',
    ): void => {
      cases.push(this.#case(title, { body, field, headers: { 'content-type': type } }))
    }
    for (const [title, text] of Object.entries(BAD_JSON)) add(`a body of ${title}`, text, 'body')
    for (const type of NOT_JSON_TYPES)
      add(`a body of type ${type}`, JSON.stringify(this.#whole.json ?? {}), null, type)
    // A body none of whose fields is required may be empty, or left out.
    const mayBeEmpty = !schema.anyOf && (schema.required?.length ?? 0) === 0
    for (const [title, value] of Object.entries(WRONG_TYPES))
      if (
        !(Array.isArray(value) && value.length === 0 && schema.anyOf) &&
        !(mayBeEmpty && title === 'mapping')
      )
        add(`a body that is ${title}`, JSON.stringify(value), null)
    if (!mayBeEmpty) add('an empty body', '', 'body')
    for (const { title, value, field } of badValues(schema, this.#whole.json))
      add(title, JSON.stringify(value), field)
    return cases
  }

  #parameters(place: string): readonly Parameter[] {
    return (this.#operation.parameters ?? []).filter(parameter => parameter.in === place)
  }

  #case(
    title: string,
    change: {
      readonly path?: Readonly<Record<string, string>>
      readonly query?: Readonly<Record<string, readonly string[]>>
      readonly body?: string | Buffer
      readonly headers?: Readonly<Record<string, string>>
      readonly field?: string | null
    },
  ): Case {
    const values = { ...this.#known, ...change.path }
    const path = this.#path.replace(/\{(\w+)\}/g, (_, name: string) => values[name] ?? '')
    const query = {
      ...Object.fromEntries(Object.entries(this.#whole.query ?? {}).map(([name, value]) => [name, [value]])),
      ...change.query,
    }
    const search = Object.entries(query)
      .flatMap(([name, list]) => list.map(value => `${name}=${value}`))
      .join('&')
    const hasJson = this.#whole.json !== undefined
    return {
      title: `${this.#method} ${this.#path} with ${title}`,
      method: this.#method,
      path: search === '' ? path : `${path}?${search}`,
      headers: { ...(hasJson && { 'content-type': 'application/json' }), ...change.headers },
      body: change.body ?? (hasJson ? JSON.stringify(this.#whole.json) : ''),
      field: change.field ?? null,
    }
  }
}

function badTexts({ type, enum: words, minimum, maximum, minLength = 0 }: Schema): readonly string[] {
  if (words) return NOT_IN_ENUMS
  if (type === 'boolean') return NOT_BOOLEANS
  if (type !== 'integer') return minLength > 0 ? [''] : []
  const outside = [
    ...(minimum === undefined ? [] : [String(minimum - 1)]),
    ...(maximum === undefined || maximum >= Number.MAX_SAFE_INTEGER ? [] : [String(maximum + 1)]),
  ]
  return [...NOT_INTEGERS, ...outside]
}

/** The whole value with one field wrong, missing or too many. */
function badValues(
  schema: Schema,
  whole: unknown,
): readonly { readonly title: string; readonly value: unknown; readonly field: string }[] {
  if (typeof whole !== 'object' || whole === null || Array.isArray(whole) || !schema.properties) return []
  const wrong = Object.entries(schema.properties).flatMap(([name, own]) =>
    Object.entries(WRONG_TYPES)
      .filter(([, value]) => !fits(own, value))
      .map(([title, value]) => ({
        title: `${name} that is ${title}`,
        value: { ...whole, [name]: value },
        field: name,
      })),
  )
  const missing = (schema.required ?? []).map(name => ({
    title: `${name} missing`,
    value: Object.fromEntries(Object.entries(whole).filter(([key]) => key !== name)),
    field: name,
  }))
  const surplus = ['bogus', 'Target', 'hasOwnProperty', 'timeout'].map(name => ({
    title: `the unknown field ${name}`,
    value: { ...whole, [name]: 1 },
    field: name,
  }))
  return [...wrong, ...missing, ...surplus]
}

/** Whether a value of WRONG_TYPES could be right here; then it is no case. */
function fits(schema: Schema, value: unknown): boolean {
  if (schema.anyOf) return schema.anyOf.some(branch => fits(branch, value))
  if (schema.enum) return schema.enum.includes(value)
  switch (schema.type) {
    case 'string':
      return typeof value === 'string' && value.length >= (schema.minLength ?? 0)
    case 'integer':
      return (
        Number.isInteger(value) &&
        Number(value) >= (schema.minimum ?? Number.NEGATIVE_INFINITY) &&
        Number(value) <= (schema.maximum ?? Number.POSITIVE_INFINITY)
      )
    case 'boolean':
      return typeof value === 'boolean'
    case 'array':
      return Array.isArray(value)
    case 'object':
      return (
        typeof value === 'object' &&
        value !== null &&
        !Array.isArray(value) &&
        !schema.required?.length &&
        schema.additionalProperties !== false
      )
    default:
      return true
  }
}
