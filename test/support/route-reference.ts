/** Every route with its fields, out of the OpenAPI document that the service itself serves, as docs/rest.md has it. */
import { buildApp } from '../../src/http/app.ts'
import type { PoolPort } from '../../src/http/ports.ts'
import { cell, flatten, type Schema, takenBy } from './schema-words.ts'

type Parameter = {
  readonly name: string
  readonly in: string
  readonly required?: boolean
  readonly description?: string
  readonly schema: Schema
}

type Content = Readonly<Record<string, { readonly schema: Schema }>>

type Operation = {
  readonly tags: readonly string[]
  readonly summary: string
  readonly description?: string
  readonly parameters?: readonly Parameter[]
  readonly requestBody?: { readonly content: Content }
  readonly responses: Readonly<Record<string, { readonly description: string; readonly content?: Content }>>
}

type Document = {
  readonly tags: readonly { readonly name: string; readonly description: string }[]
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
}

type Route = Operation & { readonly method: string; readonly path: string }

export async function routeReference(): Promise<string> {
  const { tags, paths } = await openApi()
  const routes = Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]): Route => ({ ...operation, method, path })),
  )
  return tags
    .map(({ name, description }) => {
      const own = routes.filter(route => route.tags.includes(name))
      return [`### ${name}`, description, ...own.map(sectionOf)].join('\n\n')
    })
    .join('\n\n')
}

/** The document of an app that serves nobody. */
async function openApi(): Promise<Document> {
  const app = buildApp({
    pool: {} as Partial<PoolPort> as PoolPort,
    auth: null,
    listen: { kind: 'tcp', host: '127.0.0.1', port: 0 },
    hosts: [],
    origins: [],
    tls: false,
    limits: { bodyBytes: 16_777_216, operationTimeoutMs: 30_000 },
    version: '0.0.0',
    mayListen: () => null,
    isClosing: () => false,
    reload: () => {
      throw new Error('nothing is read anew here')
    },
    accessLog: () => 'errors',
    log: { level: 'silent' },
  })
  await app.ready()
  const document = app.swagger() as unknown as Document
  await app.close()
  return document
}

function sectionOf(route: Route): string {
  const { method, path, summary, description = '' } = route
  const fields = fieldRows(route)
  const table = ['| in | field | value | what it is |', '|---|---|---|---|', ...fields].join('\n')
  const said = [`${summary}.`, description].filter(text => text !== '').join(' ')
  return [
    `#### \`${method.toUpperCase()} ${path}\``,
    said,
    ...(fields.length === 0 ? [] : [table]),
    answersOf(route),
  ].join('\n\n')
}

function fieldRows({ parameters = [], requestBody }: Route): readonly string[] {
  const named = parameters
    // The lease of the path is the same everywhere.
    .filter(({ in: place, name }) => place !== 'path' || name !== 'id')
    .toSorted((one, other) => PLACES.indexOf(one.in) - PLACES.indexOf(other.in))
    .map(({ in: place, name, required, schema, description }) =>
      rowOf(place, name, schema, required === true, description),
    )
  const body = Object.entries(requestBody?.content ?? {}).flatMap(([type, { schema }]) =>
    type === 'application/json'
      ? flatten(schema).map(field => rowOf('body', field.path, field.schema, field.required))
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

function answersOf({ responses }: Route): string {
  const [[status, { content = {} }] = ['', {} as { content?: Content }]] = Object.entries(responses)
  const forms = Object.entries(content).map(([type, { schema }]) => {
    const fields = Object.keys(schema.properties ?? {}).map(name => `\`${name}\``)
    return fields.length > 0 ? `\`${type}\` with ${fields.join(', ')}` : `\`${type}\``
  })
  return `Answers ${status}${forms.length === 0 ? ' without a body' : `: ${forms.join(', or ')}`}.`
}
