/**
 * Requests as nobody should send them, out of an OpenAPI document: most are valid but for one thing, since what is far off is
 * refused at the first look. A request is the text that goes over the wire; `{live}` in it stands for a lease that is held.
 */
import fc from 'fast-check'
import { exampleOf } from '../../src/http/document/example-of.ts'
import type { ApiDocument, ApiMedia, ApiOperation, ApiParameter, ApiSchema } from './api-document.ts'

export type WildRequest = {
  readonly method: string
  readonly target: string
  readonly headers: readonly (readonly [name: string, value: string])[]
  /** As latin1. */
  readonly body: string
  /** How the body goes: as it is, cut off in its midst, in chunks, or in chunks that are none. */
  readonly sending: 'whole' | 'cut' | 'chunked' | 'broken'
}

export type WildSeason = { readonly token: string; readonly host: string; readonly bodyBytes: number }

type Named = { readonly method: string; readonly path: string; readonly operation: ApiOperation }

const OBJECT_NAMES = ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'valueOf']
const ODD_TEXTS = [
  ...OBJECT_NAMES,
  '',
  ' ',
  '0',
  '-1',
  '1e308',
  'NaN',
  'null',
  'undefined',
  'true',
  '9'.repeat(40),
  '../../etc/passwd',
  '%00',
  '%2e%2e%2f',
  '%',
  '%ff',
  '%c0%af',
  '%E2%82%AC',
  '%0d%0aX: y',
  '+',
  ';',
  '&=&=',
  '[]',
  '{}',
  '\'"`$(id)',
  'x'.repeat(5_000),
]
const ODD_VALUES: readonly unknown[] = [
  null,
  true,
  0,
  -1,
  1.5,
  1e308,
  2 ** 53,
  '',
  '\0',
  '\ud800',
  'x'.repeat(10_000),
  [],
  [[]],
  {},
  { toString: 1 },
  Array.from({ length: 1_000 }, () => 0),
  { host: ['127.0.0.1'], port: '1' },
  { host: '169.254.169.254', port: 80 },
]
const ODD_METHODS = ['PUT', 'OPTIONS', 'TRACE', 'CONNECT', 'HEAD', 'PROPFIND', 'FOO', 'get', '', 'GET GET']
const ODD_TARGETS = [
  '/',
  '*',
  '//',
  '/v1',
  '/v1/leases/',
  '/v1//leases',
  '/V1/LEASES',
  '/v1/leases/..',
  '/docs/static/..%5cx',
  '/docs/static/%2e%2e/x',
  'http://evil.example/v1/stats',
  'v1',
  '/v1/stats#x',
  '/%',
  '/v1/leases?%ff',
  `/${'x'.repeat(20_000)}`,
]
const ODD_BODIES = [
  '{',
  '[',
  'null',
  '""',
  '{"__proto__":{"x":1}}',
  '{"constructor":{"prototype":{}}}',
  '['.repeat(20_000),
  '{"a":'.repeat(20_000),
  '\xff\xfe{\0}\0',
  `{"a":${'9'.repeat(5_000)}}`,
  '{"target":"demo","target":"demo-tls"}',
]
const ODD_HEADERS: readonly (readonly [string, string])[] = [
  ['content-type', 'text/plain'],
  ['content-type', 'application/json; charset=utf-16'],
  ['content-type', ''],
  ['content-type', 'a'.repeat(2_000)],
  ['content-encoding', 'gzip'],
  ['accept', 'application/problem+json'],
  ['accept', '*/*;q=0, text/html;q=zzz'],
  ['accept', ','.repeat(4_000)],
  ['accept-encoding', 'br, *'],
  ['expect', '100-continue'],
  ['expect', '200-ok'],
  ['transfer-encoding', 'gzip, chunked'],
  ['content-length', '5, 5'],
  ['content-length', '-1'],
  ['content-length', '99999999999999999999'],
  ['connection', 'upgrade'],
  ['upgrade', 'websocket'],
  ['upgrade', 'h2c'],
  ['sec-websocket-key', 'x'],
  ['idempotency-key', 'k'.repeat(300)],
  ['idempotency-key', 'k'],
  ['last-event-id', '-1'],
  ['traceparent', '00-zz-zz-zz'],
  ['range', 'bytes=0-1,-9'],
  ['if-none-match', '*'],
  ['x-http-method-override', 'DELETE'],
  ['x'.repeat(3_000), 'y'],
  ['origin', 'null'],
  ['sec-fetch-site', 'cross-site'],
  ['authorization', 'Bearer'],
  ['authorization', 'Basic x'],
  ['host', 'evil.example'],
  ['bad header', 'x'],
  ['x-bytes', '\x01\x7f\xff'],
  ['cookie', '__proto__=1'],
]

/** Any request of the document, or beside it. */
export function wildRequest(document: ApiDocument, season: WildSeason): fc.Arbitrary<WildRequest> {
  const operations = Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]): Named => ({ method, path, operation })),
  )
  const known = fc.constantFrom(...operations).chain(named => requestOf(named, season))
  return fc.oneof({ weight: 19, arbitrary: known }, { weight: 1, arbitrary: stranger(season) })
}

function requestOf(named: Named, season: WildSeason): fc.Arbitrary<WildRequest> {
  const { method, path, operation } = named
  const { parameters = [], requestBody } = operation
  const media = Object.entries(requestBody?.content ?? {})
  return fc
    .record({
      method: seldom(method.toUpperCase(), fc.constantFrom(...ODD_METHODS)),
      path: pathOf(path, parameters),
      query: queryOf(parameters.filter(each => each.in === 'query')),
      extra: fc.oneof(
        { weight: 3, arbitrary: fc.constant([]) },
        { weight: 1, arbitrary: fc.array(fc.constantFrom(...ODD_HEADERS), { maxLength: 3 }) },
      ),
      body: media.length === 0 ? seldom({ type: '', text: '' }, oddBody(season)) : bodyOf(media, season),
      sending: sendings,
    })
    .map(({ method: verb, path: place, query, extra, body, sending }) => ({
      method: verb,
      target: query === '' ? place : `${place}?${query}`,
      headers: [...usual(season, body.type), ...extra],
      body: body.text,
      sending,
    }))
}

function stranger(season: WildSeason): fc.Arbitrary<WildRequest> {
  return fc
    .record({
      method: fc.constantFrom('GET', 'POST', ...ODD_METHODS),
      target: fc.oneof(fc.constantFrom(...ODD_TARGETS), fc.webPath(), fc.string({ maxLength: 40 })),
      headers: fc.array(fc.constantFrom(...ODD_HEADERS), { maxLength: 4 }),
      body: oddBody(season),
      sending: sendings,
    })
    .map(({ headers, body, ...rest }) => ({
      ...rest,
      headers: [...usual(season, body.type), ...headers],
      body: body.text,
    }))
}

const sendings = fc.oneof(
  { weight: 20, arbitrary: fc.constant('whole' as const) },
  { weight: 1, arbitrary: fc.constantFrom('cut' as const, 'chunked' as const, 'broken' as const) },
)

function usual({ host, token }: WildSeason, type: string): readonly (readonly [string, string])[] {
  return [
    ['host', host],
    ['authorization', `Bearer ${token}`],
    ...(type === '' ? [] : [['content-type', type] as const]),
  ]
}

function seldom<T>(value: T, other: fc.Arbitrary<T>): fc.Arbitrary<T> {
  return fc.oneof({ weight: 12, arbitrary: fc.constant(value) }, { weight: 1, arbitrary: other })
}

function pathOf(path: string, parameters: readonly ApiParameter[]): fc.Arbitrary<string> {
  const values = parameters
    .filter(each => each.in === 'path')
    .map(({ name, example }) => {
      const usual = path.startsWith('/v1/leases/') ? '{live}' : String(example)
      return seldom(usual, fc.oneof(fc.constantFrom(...ODD_TEXTS), fc.string({ maxLength: 20 }))).map(
        value => [name, value] as const,
      )
    })
  return fc.tuple(...values).map(list => {
    const known = new Map(list)
    return path.replace(/\{(\w+)\}/g, (_, name: string) => known.get(name) ?? '')
  })
}

function queryOf(parameters: readonly ApiParameter[]): fc.Arbitrary<string> {
  const pairs = parameters.map(({ name, schema, example }) => {
    const valid = [example ?? exampleOf(schema) ?? 'x']
      .flat()
      .map(each => `${name}=${encodeURIComponent(String(each))}`)
    const odd = fc.oneof(
      fc.constantFrom(...ODD_TEXTS),
      fc.string({ maxLength: 20 }),
      fc.integer().map(String),
    )
    return fc.oneof(
      { weight: 3, arbitrary: fc.constant('') },
      { weight: 3, arbitrary: fc.constant(valid.join('&')) },
      { weight: 1, arbitrary: odd.map(value => `${name}=${value}`) },
      { weight: 1, arbitrary: odd.map(value => `${name}=${value}&${valid.join('&')}`) },
    )
  })
  const unknown = fc.constantFrom(...OBJECT_NAMES, 'bogus', '', 'offset[]').map(name => `${name}=1`)
  return fc.tuple(seldom('', unknown), ...pairs).map(list => list.filter(text => text !== '').join('&'))
}

type Body = { readonly type: string; readonly text: string }

function bodyOf(media: readonly (readonly [string, ApiMedia])[], season: WildSeason): fc.Arbitrary<Body> {
  const forms = media.map(([type, { example, schema = {} }]) => {
    const text = typeof example === 'string' ? example : JSON.stringify(example)
    const usual = fc.constant({ type, text })
    if (type !== 'application/json')
      return fc.oneof(
        usual,
        fc.string().map(each => ({ type, text: each })),
      )
    return fc.oneof(
      usual,
      nearValid(example, schema).map(value => ({ type, text: latin1(JSON.stringify(value)) })),
    )
  })
  return fc.oneof({ weight: 9, arbitrary: fc.oneof(...forms) }, { weight: 1, arbitrary: oddBody(season) })
}

/** The example with one of its fields, or of those that the schema knows, set to something odd, left out, or with one too many. */
function nearValid(example: unknown, schema: ApiSchema): fc.Arbitrary<unknown> {
  const odd = fc.oneof(fc.constantFrom(...ODD_VALUES), fc.jsonValue({ maxDepth: 3 }))
  if (typeof example !== 'object' || example === null || Array.isArray(example)) return odd
  const names = [...new Set([...Object.keys(example), ...Object.keys(schema.properties ?? {}), 'bogus'])]
  const whole = Object.entries(example)
  return fc.oneof(
    { weight: 1, arbitrary: odd },
    {
      weight: 6,
      arbitrary: fc
        .tuple(fc.constantFrom(...names, ...OBJECT_NAMES), odd)
        .map(([name, value]) => withField(whole, name, value)),
    },
    {
      weight: 2,
      arbitrary: fc
        .constantFrom(...names)
        .map(name => Object.fromEntries(whole.filter(([key]) => key !== name))),
    },
  )
}

/** Of a name that every object has, too. */
function withField(fields: readonly (readonly [string, unknown])[], name: string, value: unknown): object {
  return Object.defineProperty(Object.fromEntries(fields), name, {
    value,
    enumerable: true,
    configurable: true,
    writable: true,
  })
}

function oddBody({ bodyBytes }: WildSeason): fc.Arbitrary<Body> {
  const types = fc.constantFrom('', 'application/json', 'application/octet-stream', 'text/plain')
  const texts = fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom(...ODD_BODIES) },
    { weight: 4, arbitrary: fc.json().map(latin1) },
    {
      weight: 4,
      arbitrary: fc.uint8Array({ maxLength: 200 }).map(bytes => Buffer.from(bytes).toString('latin1')),
    },
    { weight: 1, arbitrary: fc.constant('x'.repeat(bodyBytes + 1)) },
  )
  return fc.tuple(types, texts).map(([type, text]) => ({ type, text }))
}

function latin1(text: string): string {
  return Buffer.from(text).toString('latin1')
}
