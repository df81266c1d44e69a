/** Every route with its fields, out of the OpenAPI document that the service itself serves, as docs/rest.md has it. */
import { ERROR_CODES } from '../../src/base/errors.ts'
import { problemsOf } from '../../src/http/document/problem-codes.ts'
import {
  type ApiAnswer,
  type ApiDocument,
  type ApiOperation,
  type ApiSchema,
  apiDocument,
  dereferenced,
} from './api-document.ts'
import { cell, flatten, type Schema, takenBy } from './schema-words.ts'

type Route = ApiOperation & { readonly method: string; readonly path: string }

/** Headers that any route takes, or any that names a lease or a listener. */
const TAKEN_BY_ALL = ['Accept', 'traceparent', 'Sockpool-Redirect']

export async function routeReference(): Promise<string> {
  const document = await apiDocument()
  const routes = Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]): Route => ({ ...operation, method, path })),
  )
  return document.tags
    .map(({ name, description }) => {
      const own = routes.filter(({ tags = [] }) => tags.includes(name))
      return [`### ${name}`, description, ...own.map(route => sectionOf(document, route))].join('\n\n')
    })
    .join('\n\n')
}

function sectionOf(document: ApiDocument, route: Route): string {
  const { method, path, summary, description = '' } = route
  const fields = fieldRows(route)
  const table = ['| in | field | value | what it is |', '|---|---|---|---|', ...fields].join('\n')
  const said = [`${summary}.`, description].filter(text => text !== '').join(' ')
  return [
    `#### \`${method.toUpperCase()} ${path}\``,
    said,
    ...(fields.length === 0 ? [] : [table]),
    [answersOf(document, route), ...ownProblems(route)].join(' '),
  ].join('\n\n')
}

function fieldRows({ parameters = [], requestBody }: Route): readonly string[] {
  const named = parameters
    // The lease of the path is the same everywhere.
    .filter(({ in: place, name }) => place !== 'path' || name !== 'id')
    .filter(({ name }) => !TAKEN_BY_ALL.includes(name))
    .toSorted((one, other) => PLACES.indexOf(one.in) - PLACES.indexOf(other.in))
    .map(({ in: place, name, required, schema, description }) =>
      rowOf(place, name, schema as Schema, required === true, description),
    )
  const body = Object.entries(requestBody?.content ?? {}).flatMap(([type, { schema = {} }]) =>
    type === 'application/json'
      ? flatten(schema as Schema).map(field => rowOf('body', field.path, field.schema, field.required))
      : ['| body | the whole | bytes of any content type |  |'],
  )
  return [...named, ...body]
}

const PLACES = ['path', 'header', 'query']

function rowOf(place: string, name: string, schema: Schema, required: boolean, described?: string): string {
  const what = (described ?? schema.description ?? '').replace(/\.$/, '')
  const field = name === '' ? 'the whole' : `\`${name}\``
  return `| ${place} | ${field} | ${takenBy(schema)}${required ? ', required' : ''} | ${cell(what)} |`
}

function answersOf(document: ApiDocument, { responses }: Route): string {
  const [first] = Object.entries(responses)
  if (first === undefined) throw new Error('a route answers nothing')
  const [status, given] = first
  const { content = {} } = dereferenced<ApiAnswer>(document, given)
  const forms = Object.entries(content).map(([type, { schema = {} }]) => {
    const { properties = {} } = dereferenced<ApiSchema>(document, schema)
    const fields = Object.keys(properties).map(name => `\`${name}\``)
    return fields.length > 0 ? `\`${type}\` with ${fields.join(', ')}` : `\`${type}\``
  })
  return `Answers ${status}${forms.length === 0 ? ' without a body' : `: ${forms.join(', or ')}`}.`
}

/** What is not said of all routes that stand where this one does. */
function ownProblems({ method, path, security, responses }: Route): readonly string[] {
  const general = problemsOf({ method, path, isOpen: security?.length === 0, takesAnyType: false, own: [] })
  const codes = Object.values(responses)
    .flatMap(response => ('$ref' in response ? response.$ref.split('/').at(-1)?.split('.').slice(1) : []))
    .filter(code => code !== undefined)
  const known = new Set(general.map(code => code.toLowerCase()))
  const order = Object.keys(ERROR_CODES).map(code => code.toLowerCase())
  const own = order.filter(code => codes.includes(code) && !known.has(code))
  return own.length === 0 ? [] : [`Problems of its own: ${own.map(code => `\`${code}\``).join(', ')}.`]
}
