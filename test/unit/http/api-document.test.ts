/** The OpenAPI document: nothing of any route is missing, whichever routes there are, and a public linter takes it. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import { beforeAll, describe, expect, test } from 'vitest'
import { ERROR_TITLES } from '../../../src/base/error-titles.ts'
import { ERROR_CODES, type ErrorCode } from '../../../src/base/errors.ts'
import { exampleOf } from '../../../src/http/document/example-of.ts'
import { NamedSchemas } from '../../../src/http/document/named-schemas.ts'
import {
  type ApiAnswer,
  type ApiDocument,
  type ApiOperation,
  apiDocument,
  dereferenced,
} from '../../support/api-document.ts'
import { ROOT, runCommand } from '../../support/service-process.ts'
import { makeFolder } from '../../support/temporary-folder.ts'
import { harness } from './fakes.ts'

let document: ApiDocument
beforeAll(async () => {
  document = await apiDocument()
})

type Named = { readonly place: string; readonly method: string; readonly operation: ApiOperation }

function operations(): readonly Named[] {
  return Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({ place: `${method} ${path}`, method, operation })),
  )
}

/** What is missing of an operation, or of something in it. */
function gapsOf({ place, operation }: Named): readonly string[] {
  const {
    operationId,
    summary,
    description: purpose,
    tags = [],
    parameters = [],
    requestBody,
    responses,
  } = operation
  const known = document.tags.map(({ name }) => name)
  const gaps: string[] = []
  if (!/^[a-z]\w*$/.test(operationId ?? '')) gaps.push('operationId')
  if (!summary) gaps.push('summary')
  if (!purpose) gaps.push('description')
  if (tags.length === 0 || tags.some(tag => !known.includes(tag))) gaps.push('tags')
  for (const { name, description } of parameters) if (!description) gaps.push(`description of ${name}`)
  for (const [type, media] of Object.entries(requestBody?.content ?? {}))
    if (media.example === undefined && media.examples === undefined) gaps.push(`example of ${type}`)
  for (const [status, given] of Object.entries(responses)) {
    const { description, content = {}, headers = {} } = dereferenced<ApiAnswer>(document, given)
    if (!description) gaps.push(`description of ${status}`)
    for (const [name, header] of Object.entries(headers))
      if (!header.description) gaps.push(`description of ${name} of ${status}`)
    for (const [type, media] of Object.entries(content))
      if (status !== 'default' && media.example === undefined && media.examples === undefined)
        gaps.push(`example of ${status} ${type}`)
  }
  if (!Object.keys(responses).some(status => /^[123]/.test(status))) gaps.push('an answer that is no problem')
  return gaps.map(gap => `${place}: ${gap}`)
}

/** Every route that an app has, but the pages and the answers to HEAD that come with those to GET. */
async function routesOf(app: FastifyInstance): Promise<readonly string[]> {
  const found: string[] = []
  app.addHook('onRoute', ({ method, url }) => {
    for (const each of [method].flat())
      if (each !== 'HEAD' && !/^\/(docs|dashboard)(\/|$)/.test(url))
        found.push(`${each.toLowerCase()} ${url.replace(/:(\w+)/g, '{$1}')}`)
  })
  await app.ready()
  return [...new Set(found)].toSorted()
}

describe('the OpenAPI document', () => {
  test('has every route of the app', async () => {
    const described = operations().map(({ place }) => place)
    expect(described.toSorted()).toEqual(await routesOf(harness().app))
  })

  test('leaves nothing of an operation unsaid', () => {
    expect(operations().flatMap(gapsOf)).toEqual([])
    const ids = operations().map(({ operation }) => operation.operationId)
    expect(new Set(ids).size).toBe(ids.length)
  })

  test('tells the codes of each status, and of each the bytes that it is answered with', () => {
    const { examples = {} } = document.components
    for (const [code, { status }] of Object.entries(ERROR_CODES)) {
      const example = examples[code.toLowerCase()] as { value: object } | undefined
      if (example !== undefined)
        expect(example.value).toMatchObject({
          code: code.toLowerCase(),
          status,
          title: ERROR_TITLES[code as ErrorCode],
        })
    }
    const { responses } = document.paths['/v1/leases']?.['post'] ?? {}
    const busy = dereferenced<ApiAnswer>(document, responses?.[503] ?? { $ref: '#/paths' })
    const words = JSON.stringify(busy.content?.['application/problem+json']?.schema)
    for (const code of ['pool_exhausted', 'queue_full', 'target_paused', 'breaker_open', 'draining'])
      expect(words).toContain(`"${code}"`)
    expect(busy.headers?.['Retry-After']?.required).toBe(true)
  })

  test('knows the routes that need no token from those that do', () => {
    const open = operations().filter(({ operation }) => operation.security?.length === 0)
    expect(open.map(({ place }) => place)).toEqual(['get /livez', 'get /readyz'])
    for (const { operation } of operations())
      expect('401' in operation.responses).toBe(operation.security === undefined)
  })

  test('has bytes as OpenAPI 3.1 has them: a media type without a schema of JSON', () => {
    const bytes = document.paths['/v1/leases/{id}/write']?.['post']?.requestBody?.content
    expect(bytes).toEqual({ 'application/octet-stream': { schema: {}, example: 'hello\n' } })
    expect(JSON.stringify(document)).not.toContain('"format":"binary"')
  })

  test('passes the strict rules of a public linter', { timeout: 60_000 }, async () => {
    const folder = await makeFolder()
    const file = join(folder, 'openapi.json')
    await writeFile(file, JSON.stringify(document))
    const linter = join(ROOT, 'node_modules', '@redocly', 'cli', 'bin', 'cli.js')
    const lint = (extra: readonly string[] = []) =>
      runCommand([process.execPath, linter, 'lint', file, '--extends', 'recommended-strict', ...extra], {
        cwd: folder,
        env: { REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' },
      })
    const { code, stdout, stderr } = await lint(['--format', 'json'])
    expect(JSON.parse(stdout).totals, stderr).toEqual({ errors: 0, warnings: 0, ignored: 0 })
    expect(code).toBe(0)
    const { info: _info, ...broken } = document as ApiDocument & { readonly info: object }
    await writeFile(file, JSON.stringify(broken))
    expect((await lint()).code).toBe(1)
  })
})

describe('an example', () => {
  test.each([
    [{ type: 'object', properties: { a: { type: 'integer', minimum: 2 } } }, { a: 2 }],
    [{ type: 'array', items: { type: 'boolean' } }, [false]],
    [{ anyOf: [{ type: 'string' }, { type: 'null' }] }, null],
    [{ enum: ['x', 'y'] }, 'x'],
    [{ const: 1 }, 1],
    [{ type: 'string', examples: ['hello'] }, 'hello'],
  ])('of %j is put together from its parts', (schema, value) => {
    expect(exampleOf(schema)).toEqual(value)
  })

  test('is not made up where a text is needed that nothing tells', () => {
    expect(exampleOf({ type: 'string' })).toBeUndefined()
    const properties = { a: { type: 'string' }, b: { type: 'boolean' } }
    expect(exampleOf({ type: 'object', properties, required: ['a'] })).toBeUndefined()
    expect(exampleOf({ type: 'object', properties })).toEqual({ b: false })
  })
})

describe('a schema with a title', () => {
  test('stands once, wherever it was', () => {
    const schemas = new NamedSchemas()
    const row = { type: 'object', title: 'Row', properties: { title: { type: 'string' } } }
    const reference = { $ref: '#/components/schemas/Row' }
    expect(schemas.named({ type: 'array', items: row })).toEqual({ type: 'array', items: reference })
    expect(schemas.named(row)).toEqual(reference)
    expect(schemas.all).toEqual({ Row: row })
    expect(() => schemas.named({ title: 'Row', type: 'string' })).toThrow('two schemas are called Row')
  })
})
