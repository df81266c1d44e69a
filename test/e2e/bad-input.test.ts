/**
 * Malformed requests: each is the caller's fault, and told so with the field that is wrong. None is a fault of the
 * service, and none ends it.
 */
import { Agent, request } from 'node:http'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { afterFile } from '../support/after-file.ts'
import type { HeldLease } from '../support/api.ts'
import { type DescribedAnswers, describedAnswers } from '../support/described-answers.ts'
import { type Case, malformedRequests, type OpenApi } from '../support/malformed-requests.ts'
import { type RawAnswer, sendRaw } from '../support/raw-http.ts'
import { type ServiceFixture, startServiceFixture } from '../support/service-fixture.ts'

type Problem = {
  readonly code?: unknown
  readonly status?: unknown
  readonly detail?: unknown
  readonly errors?: readonly { readonly path?: unknown; readonly message?: unknown }[]
}

let service: ServiceFixture
let lease: HeldLease
let cases: readonly Case[]
let described: DescribedAnswers
const agent = new Agent({ keepAlive: true, maxSockets: 16 })

beforeAll(async () => {
  service = await startServiceFixture({
    demo: true,
    config: { limits: { operationTimeout: '1s' }, ingress: { listen: ['127.0.0.1:0'] } },
    finally: afterFile,
  })
  lease = await service.api.lease('demo', { ttlMs: 600_000 })
  described = await describedAnswers()
  const document = JSON.parse((await service.api.get('/openapi.json')).text) as OpenApi
  cases = malformedRequests(document, {
    path: { id: lease.view.id, name: 'demo', target: 'demo', format: 'json' },
    routes: {
      'POST /v1/leases': { json: { target: 'demo' } },
      'PATCH /v1/leases/{id}': { json: { ttlMs: 600_000 } },
      'POST /v1/leases/{id}/readexactly': { query: { n: '1' } },
      'POST /v1/leases/{id}/writelines': { json: { data: ['x'] } },
      'POST /v1/leases/{id}/parse': { json: { format: 'json' } },
      'POST /v1/workers/{id}/drain': { path: { id: '999' } },
      'POST /v1/listeners': { json: { host: '127.0.0.1', port: 0 } },
      'POST /v1/exchange': { json: { target: 'demo', write: { text: 'x\n' }, read: 'line' } },
    },
  })
})
afterAll(() => agent.destroy())

function send({
  method,
  path,
  headers,
  body,
}: Case): Promise<{ status: number; type: string; text: string; undescribed: string | null }> {
  return new Promise((resolve, reject) => {
    const outgoing = request({
      host: '127.0.0.1',
      port: service.port,
      agent,
      method,
      path,
      headers: {
        authorization: `Bearer ${service.token}`,
        ...headers,
        ...(body.length > 0 && { 'content-length': Buffer.byteLength(body) }),
      },
    })
    outgoing.once('error', reject)
    outgoing.once('response', incoming => {
      let text = ''
      incoming.setEncoding('utf8').on('data', chunk => {
        text += chunk
      })
      incoming.once('error', reject).once('end', () => {
        const { statusCode: status = 0, headers: came } = incoming
        const lines = new Map(Object.entries(came).map(([name, value]) => [name, String(value)]))
        const undescribed = described.faultOf(method, path, {
          status,
          headers: lines,
          bytes: Buffer.from(text),
        })
        resolve({ status, type: came['content-type'] ?? '', text, undescribed })
      })
    })
    outgoing.end(body)
  })
}

/** What is wrong with the answer to a malformed request, or null. */
function faultOf(
  answer: { status: number; type: string; text: string },
  field: string | null,
): string | null {
  const shown = `${answer.status} ${answer.type} ${answer.text.slice(0, 300)}`
  if (answer.status < 400 || answer.status > 499) return `no 4xx: ${shown}`
  if (!answer.type.startsWith('application/problem+json')) return `no problem: ${shown}`
  const { code, status, detail, errors } = JSON.parse(answer.text) as Problem
  if (status !== answer.status || typeof code !== 'string' || typeof detail !== 'string')
    return `not whole: ${shown}`
  if (code !== 'invalid_request') return null
  const isTold =
    errors?.length &&
    errors.every(
      ({ path, message }) =>
        typeof path === 'string' && path !== '' && typeof message === 'string' && message !== '',
    )
  if (!isTold) return `no path and message: ${shown}`
  const isNamed =
    field === null || errors.some(({ path }) => path === field || String(path).startsWith(`${field}.`))
  return isNamed ? null : `does not name ${field}: ${shown}`
}

async function inTurns<T>(list: readonly T[], width: number, run: (item: T) => Promise<void>): Promise<void> {
  const left = [...list]
  await Promise.all(
    Array.from({ length: width }, async () => {
      for (let item = left.pop(); item !== undefined; item = left.pop()) await run(item)
    }),
  )
}

describe('a malformed request', () => {
  test('is answered with a 4xx problem that names what is wrong, on every route', {
    timeout: 60_000,
  }, async () => {
    expect(cases.length).toBeGreaterThan(1_000)
    const faults: string[] = []
    await inTurns(cases, 16, async each => {
      const answer = await send(each)
      const fault = faultOf(answer, each.field) ?? answer.undescribed
      if (fault !== null) faults.push(`${each.title}: ${fault}`)
    })
    expect(faults.slice(0, 20)).toEqual([])
    expect((await service.api.get('/readyz')).status).toBe(200)
    expect((await lease.look()).status).toBe(200)
  })

  test.each([
    ['an empty separator', 'separator='],
    ['one of many that is empty', 'separator=a&separator='],
    ['one over 64 bytes', `separator=${'x'.repeat(65)}`],
    ['17 of them', Array.from({ length: 17 }, (_, n) => `separator=${n}`).join('&')],
    ['half a byte', 'separator=abc&separatorEncoding=hex'],
    ['no hex', 'separator=zz&separatorEncoding=hex'],
    ['no base64', 'separator=%3D%3D&separatorEncoding=base64'],
    ['over 64 bytes once decoded', `separator=${'ab'.repeat(65)}&separatorEncoding=hex`],
  ])('with %s for a separator is answered 400', async (_title, query) => {
    const answer = await lease.call(`readuntil?${query}`)
    expect(answer.status).toBe(400)
    expect(JSON.parse(answer.text).code).toMatch(/^(invalid_separator|invalid_request)$/)
    const read = query.replace('separator=', 'until:').split('&')[0] ?? ''
    if (!query.includes('&')) {
      const json = { target: 'demo', write: { text: 'x' }, read: decodeURIComponent(read) }
      const exchanged = await service.api.post('/v1/exchange', { json })
      expect(exchanged.status, exchanged.text).toBe(400)
    }
  })

  test.each(
    [
      'line:',
      'until',
      'until:',
      'exactly',
      'exactly:',
      'exactly:-1',
      'exactly:x',
      'exactly:1e9',
      'eof:1',
      'LINE',
      '',
      ' line',
      'frame:',
      null,
      true,
      7,
      [],
      {},
      { line: false },
      { line: true, eof: true },
      { until: [] },
      { until: [''] },
      { until: [1] },
      { exactly: '4' },
      { exactly: -1 },
      { exactly: 1.5 },
      { exactly: null },
      { eof: 1 },
      { bogus: true },
      { until: Array.from({ length: 17 }, String) },
      [{ line: true }],
    ].map(read => ({ read })),
  )('with the read spec $read is answered 400', async ({ read }) => {
    const json = { target: 'demo', write: { text: 'x\n' }, read }
    const answer = await service.api.post('/v1/exchange', { json })
    expect(
      faultOf(
        { status: answer.status, type: answer.headers.get('content-type') ?? '', text: answer.text },
        null,
      ),
    ).toBeNull()
    expect(answer.status).toBe(400)
  })

  test.each(
    [
      {},
      { text: 1 },
      { base64: '%%%' },
      { text: 'a', base64: 'YQ==' },
      { text: null },
      { hex: '00' },
      'text',
      null,
      [],
      { text: 'a', extra: 1 },
    ].map(write => ({ write })),
  )('with $write to write is answered 400', async ({ write }) => {
    const answer = await service.api.post('/v1/exchange', { json: { target: 'demo', write, read: 'line' } })
    expect(answer.status, answer.text).toBe(400)
    expect(JSON.parse(answer.text).errors[0].path).toMatch(/^write/)
  })

  test.each(['', 'x'.repeat(256)])('with the Idempotency-Key %j is answered 400', async key => {
    const answer = await service.api.post('/v1/leases', {
      json: { target: 'demo' },
      headers: { 'idempotency-key': key },
    })
    expect(answer.status).toBe(400)
    expect(JSON.parse(answer.text).errors[0].path).toMatch(/idempotency-key/i)
  })
})

describe('a name that every object has', () => {
  const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'valueOf', '__defineGetter__']

  test.each(names)('%s is an unknown field of every query', async name => {
    const paths = [
      'read',
      'readline',
      'readexactly?n=1',
      'readuntil',
      'write',
      'writelines',
      'drain',
      'close',
    ]
    const routes = [
      ...paths.map(path => `${lease.path}/${path}`),
      '/v1/exchange?target=demo&read=none',
      '/v1/parse/json',
      '/v1/parse/lines',
    ]
    for (const route of routes) {
      const sent = route.endsWith('writelines') ? { json: ['x'] } : { body: '1' }
      const call = /read|drain|close/.test(route) && !route.includes('exchange') ? {} : sent
      const separator = route.includes('?') ? '&' : '?'
      const answer = await service.api.post(`${route}${separator}${name}=1`, call)
      const { code, errors = [] } = JSON.parse(answer.text) as Problem
      expect([answer.status, code], route).toEqual([400, 'invalid_request'])
      expect(
        errors.map(({ path }) => String(path).replace('options.', '')),
        route,
      ).toEqual([name])
    }
    expect((await lease.look()).status).toBe(200)
  })

  test.each(names)('%s is no field of a body, no format, no target and no lease', async name => {
    const post = (path: string, text: string) =>
      service.api.post(path, { body: text, headers: { 'content-type': 'application/json' } })
    expect((await post('/v1/leases', `{"target":"demo","${name}":1}`)).status).toBe(400)
    expect((await post(`${lease.path}/parse`, `{"format":"json","options":{"${name}":1}}`)).status).toBe(400)
    expect((await post(`${lease.path}/parse`, `{"format":"${name}"}`)).status).toBe(404)
    expect((await post('/v1/leases', `{"target":"${name}"}`)).status).toBe(404)
    expect((await service.api.get(`/v1/targets/${name}`)).status).toBe(404)
    expect((await service.api.get(`/v1/leases/${name}`)).status).toBe(404)
    expect((await service.api.post(`/v1/parse/${name}`, { body: '1' })).status).toBe(404)
  })
})

describe('bytes that are no request', () => {
  const own = (): string => `Host: 127.0.0.1:${service.port}\r\nAuthorization: Bearer ${service.token}\r\n`

  test.each<[string, () => string | Buffer]>([
    ['no method', () => '\r\n\r\n\0\0\0\0'],
    ['an unknown method', () => `BREW /livez HTTP/1.1\r\n${own()}\r\n`],
    ['HTTP/2', () => 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['a TLS handshake', () => Buffer.from('16030100c8010000c40303', 'hex')],
    ['HTTP/9', () => `GET /livez HTTP/9.9\r\n${own()}\r\n`],
    ['a space before a colon', () => `GET /livez HTTP/1.1\r\n${own()}X : 1\r\n\r\n`],
    ['a folded header', () => `GET /livez HTTP/1.1\r\n${own()}X: 1\r\n  2\r\n\r\n`],
    ['a NUL in a header', () => `GET /livez HTTP/1.1\r\n${own()}X: a\0b\r\n\r\n`],
    ['a bare CR', () => `GET /livez HTTP/1.1\r\n${own()}X: a\rb\r\n\r\n`],
    ['a header without a name', () => `GET /livez HTTP/1.1\r\n${own()}: 1\r\n\r\n`],
    [
      'two lengths',
      () => `POST /v1/leases HTTP/1.1\r\n${own()}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}`,
    ],
    ['a negative length', () => `POST /v1/leases HTTP/1.1\r\n${own()}Content-Length: -2\r\n\r\n{}`],
    ['a length in hex', () => `POST /v1/leases HTTP/1.1\r\n${own()}Content-Length: 0x2\r\n\r\n{}`],
    [
      'length and chunks',
      () =>
        `POST /v1/leases HTTP/1.1\r\n${own()}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    ],
    [
      'an unknown transfer coding',
      () => `POST /v1/leases HTTP/1.1\r\n${own()}Transfer-Encoding: gzip\r\n\r\n{}`,
    ],
    [
      'a chunk without a size',
      () =>
        `POST /v1/leases HTTP/1.1\r\n${own()}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n`,
    ],
    ['a URL with a space', () => `GET /liv ez HTTP/1.1\r\n${own()}\r\n`],
    ['a URL with a control character', () => `GET /liv\x01ez HTTP/1.1\r\n${own()}\r\n`],
    ['no Host', () => 'GET /v1/leases HTTP/1.1\r\nConnection: close\r\n\r\n'],
    ['no Host for a probe', () => 'GET /livez HTTP/1.1\r\nConnection: close\r\n\r\n'],
    [
      'no Host, and another request behind it',
      () => 'GET /livez HTTP/1.1\r\n\r\nGET /livez HTTP/1.1\r\n\r\n',
    ],
    ['two Hosts', () => `GET /v1/leases HTTP/1.1\r\n${own()}Host: evil.example\r\nConnection: close\r\n\r\n`],
  ])('%s: answered 4xx and closed', async (title, text) => {
    const answer: RawAnswer = await sendRaw(service.port, text())
    expect(answer.status, answer.head).toBeGreaterThanOrEqual(400)
    expect(answer.status).toBeLessThan(500)
    expect(answer.headers.get('content-type')).toBe('application/problem+json')
    const { code, errors } = JSON.parse(answer.body) as Problem
    if (title.startsWith('no Host'))
      expect([answer.status, code, errors?.[0]?.path]).toEqual([400, 'invalid_request', 'host'])
    expect((await service.api.get('/livez')).status).toBe(200)
  })
})
