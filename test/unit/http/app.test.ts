import { describe, expect, test } from 'vitest'
import { ERROR_TITLES } from '../../../src/base/error-titles.ts'
import { ERROR_CODES, type ErrorCode, SockpoolError } from '../../../src/base/errors.ts'
import { LIMITS } from '../../../src/base/limits.ts'
import { leaseHash } from '../../../src/http/door/request-log.ts'
import { DEV_TOKEN, FakePool, harness, OPERATION, OPS_TOKEN, STATS, targetRow } from './fakes.ts'

const asDev = { authorization: `Bearer ${DEV_TOKEN}` }

describe('the probes', () => {
  test('answer without a token and under any Host', async () => {
    const { app } = harness()
    for (const url of ['/livez', '/readyz']) {
      const headers = { host: 'evil.example', origin: 'http://evil.example', 'sec-fetch-site': 'cross-site' }
      expect((await app.inject({ url, headers })).statusCode).toBe(200)
    }
  })

  test('tell live from ready', async () => {
    const pool = new FakePool()
    let isClosing = false
    const { app } = harness({ pool, isClosing: () => isClosing })
    pool.ready = false
    const unready = await app.inject({ url: '/readyz' })
    expect([unready.statusCode, unready.json().code]).toEqual([503, 'not_ready'])
    isClosing = true
    expect((await app.inject({ url: '/readyz' })).json().code).toBe('draining')
    expect((await app.inject({ url: '/livez' })).json()).toEqual({ status: 'live' })
  })
})

describe('authentication', () => {
  test.each([
    undefined,
    '',
    OPS_TOKEN,
    `Basic ${OPS_TOKEN}`,
    'Bearer',
    'Bearer nope',
    `Bearer ${OPS_TOKEN} x`,
  ])('refuses the Authorization header %j on every route, known or not', async authorization => {
    const { app } = harness()
    for (const url of ['/v1/leases', '/v1/stats', '/openapi.json', '/v1/nowhere']) {
      const headers = { host: 'localhost:7070', ...(authorization !== undefined && { authorization }) }
      const reply = await app.inject({ url, headers })
      expect([reply.statusCode, reply.json().code]).toEqual([401, 'unauthorized'])
      expect(reply.headers['www-authenticate']).toMatch(/^Bearer/)
    }
  })

  test('takes the scheme in any case', async () => {
    const { send } = harness()
    expect(
      (await send({ url: '/v1/stats', headers: { authorization: `bearer  ${OPS_TOKEN}` } })).statusCode,
    ).toBe(200)
  })

  test('can be turned off', async () => {
    const pool = new FakePool()
    const { app } = harness({ auth: null, pool })
    const headers = { host: 'localhost:7070' }
    const payload = { target: { host: 'a', port: 1 } }
    expect((await app.inject({ method: 'POST', url: '/v1/leases', headers, payload })).statusCode).toBe(201)
    expect(pool.leases[0]?.request.tenant).toBe('local')
  })
})

describe('the Host and Origin check', () => {
  test.each(['GET', 'POST', 'DELETE', 'OPTIONS', 'HEAD'] as const)(
    'stands before everything on %s',
    async method => {
      const { app } = harness()
      for (const url of ['/v1/leases', '/openapi.json', '/nowhere']) {
        const foreign = await app.inject({ method, url, headers: { host: 'evil.example' } })
        expect(foreign.statusCode).toBe(403)
        if (method !== 'HEAD') expect(foreign.json().code).toBe('host_denied')
      }
    },
  )

  test('refuses foreign pages', async () => {
    const { send } = harness({ origins: ['https://console.example'] })
    const status = async (headers: Record<string, string>) =>
      (await send({ url: '/v1/stats', headers })).statusCode
    expect(await status({ origin: 'http://evil.example' })).toBe(403)
    expect(await status({ origin: 'null' })).toBe(403)
    expect(await status({ 'sec-fetch-site': 'cross-site' })).toBe(403)
    expect(await status({ 'sec-fetch-site': 'same-site' })).toBe(403)
    expect(await status({ 'sec-fetch-site': 'same-origin' })).toBe(200)
    expect(await status({ origin: 'http://127.0.0.1:7070', 'sec-fetch-site': 'same-origin' })).toBe(200)
    expect(await status({ origin: 'https://console.example', 'sec-fetch-site': 'cross-site' })).toBe(200)
  })
})

describe('operation', () => {
  test('shows targets within the globs of the token', async () => {
    const { send, pool } = harness()
    pool.targetRows = [
      targetRow('cache', { waiters: 2 }),
      targetRow('other'),
      targetRow('demo', { tenant: 'ops' }),
    ]
    expect((await send({ url: '/v1/targets' })).json().targets).toEqual(pool.targetRows)
    expect((await send({ url: '/v1/targets', headers: asDev })).json()).toEqual({
      targets: [pool.targetRows[0]],
    })
    expect((await send({ url: '/v1/targets/cache', headers: asDev })).json()).toEqual(pool.targetRows[0])
    expect((await send({ url: '/v1/targets/other', headers: asDev })).json().code).toBe('forbidden')
    expect((await send({ url: '/v1/targets/nobody' })).json()).toMatchObject({
      status: 404,
      code: 'target_not_found',
    })
  })

  test('shows connections of the own tenant, and all of them to an admin', async () => {
    const { send, pool } = harness()
    pool.connectionRows = [
      { id: 'c1', tenant: 'ops' },
      { id: 'c2', tenant: 'dev' },
      { id: 'c3', tenant: null },
    ]
    const ids = async (headers = {}) =>
      (await send({ url: '/v1/connections', headers })).json().connections.map(({ id }: { id: string }) => id)
    expect(await ids()).toEqual(['c1', 'c2', 'c3'])
    expect(await ids(asDev)).toEqual(['c2'])
  })

  test('shows workers and stats', async () => {
    const { send } = harness()
    expect((await send({ url: '/v1/workers' })).json()).toEqual({
      workers: [{ id: 0, threadId: 3, dialled: 7 }],
    })
    expect((await send({ url: '/v1/stats' })).json()).toEqual(STATS)
  })

  test('shows a connection with its last operations to an admin alone', async () => {
    const { pool, send } = harness()
    pool.connectionRows = [{ id: 'c1', tenant: 'dev' }]
    expect((await send({ url: '/v1/connections/c1' })).json()).toEqual({
      id: 'c1',
      tenant: 'dev',
      operations: [OPERATION],
    })
    const unknown = await send({ url: '/v1/connections/c2' })
    expect([unknown.statusCode, unknown.json().code]).toEqual([404, 'connection_not_found'])
    const denied = await send({ url: '/v1/connections/c1', headers: asDev })
    expect([denied.statusCode, denied.json().code]).toEqual([403, 'forbidden'])
  })

  test('describes every route in OpenAPI 3.1', async () => {
    const { send } = harness()
    const document = (await send({ url: '/openapi.json' })).json()
    expect(document).toMatchObject({ openapi: '3.1.0', info: { title: 'sockpool', version: '1.2.3' } })
    expect(Object.keys(document.paths).sort()).toEqual([
      '/livez',
      '/metrics',
      '/openapi.json',
      '/readyz',
      '/v1/connect/{target}',
      '/v1/connections',
      '/v1/connections/{id}',
      '/v1/events',
      '/v1/exchange',
      '/v1/fleet',
      '/v1/forwards',
      '/v1/leases',
      '/v1/leases/{id}',
      '/v1/leases/{id}/close',
      '/v1/leases/{id}/drain',
      '/v1/leases/{id}/is_closing',
      '/v1/leases/{id}/lines',
      '/v1/leases/{id}/parse',
      '/v1/leases/{id}/read',
      '/v1/leases/{id}/readexactly',
      '/v1/leases/{id}/readframe',
      '/v1/leases/{id}/readline',
      '/v1/leases/{id}/readuntil',
      '/v1/leases/{id}/start_tls',
      '/v1/leases/{id}/stream',
      '/v1/leases/{id}/wait_closed',
      '/v1/leases/{id}/write',
      '/v1/leases/{id}/write_eof',
      '/v1/leases/{id}/writelines',
      '/v1/listeners',
      '/v1/listeners/{id}',
      '/v1/listeners/{id}/accept',
      '/v1/parse/{format}',
      '/v1/reload',
      '/v1/stats',
      '/v1/targets',
      '/v1/targets/{name}',
      '/v1/targets/{name}/disable',
      '/v1/targets/{name}/drain',
      '/v1/targets/{name}/enable',
      '/v1/targets/{name}/pause',
      '/v1/targets/{name}/reconnect',
      '/v1/targets/{name}/resume',
      '/v1/targets/{name}/wait-close',
      '/v1/workers',
      '/v1/workers/{id}/drain',
    ])
    const { post } = document.paths['/v1/exchange']
    expect(Object.keys(post.requestBody.content)).toEqual(['application/json', 'application/octet-stream'])
    expect(Object.keys(post.responses['200'].content)).toEqual([
      'application/octet-stream',
      'application/json',
    ])
    expect(Object.keys(post.responses.default.content)).toEqual(['application/problem+json'])
    for (const path of ['/v1/leases/{id}/write', '/v1/parse/{format}'])
      expect(Object.keys(document.paths[path].post.requestBody.content)).toEqual(['application/octet-stream'])
    expect(document.info.description).toContain('lease_gone')
    const read = document.paths['/v1/leases/{id}/read'].post.parameters
    expect(read).toContainEqual(expect.objectContaining({ name: 'timeoutMs', in: 'query' }))
    expect(JSON.stringify(read)).toContain('5000')
  })
})

describe('problems', () => {
  test('answer unknown routes and methods', async () => {
    const { send } = harness()
    for (const request of [
      { url: '/' },
      { url: '/v1' },
      { url: '/v1/exchange' },
      { method: 'PUT', url: '/v1/leases' },
    ] as const) {
      const reply = await send(request)
      expect(reply.headers['content-type']).toBe('application/problem+json')
      expect(reply.json()).toMatchObject({
        status: 404,
        code: 'not_found',
        type: 'urn:sockpool:problem:not_found',
      })
    }
  })

  test('answer paths that are no paths', async () => {
    const { send } = harness()
    const reply = await send({ url: '/v1/leases/%ff' })
    expect(reply.json()).toMatchObject({ status: 400, code: 'invalid_request' })
    const long = await send({ url: `/v1/leases/${'x'.repeat(3_000)}` })
    expect(long.json()).toMatchObject({ status: 404, code: 'lease_not_found' })
  })

  test('say nothing about a fault of the service, and log it without its words', async () => {
    const { send, pool, log } = harness()
    pool.failure = new TypeError('the secret payload')
    const reply = await send({ method: 'POST', url: '/v1/leases', payload: { target: 'cache' } })
    expect(reply.json()).toMatchObject({ status: 500, code: 'internal', retryable: false })
    expect(reply.body).not.toContain('secret')
    const fault = log.map(line => JSON.parse(line)).find(({ msg }) => msg === 'internal error')
    expect(fault).toMatchObject({ reqId: reply.json().requestId, err: { type: 'TypeError', message: '' } })
    expect(fault.err.stack).toMatch(/^\s+at /)
    expect(log.join('')).not.toContain('secret')
  })

  test('carry each code of the table with its status and title', async () => {
    const { send, pool } = harness()
    for (const [code, { status, retryable }] of Object.entries(ERROR_CODES)) {
      pool.failure = new SockpoolError(code as ErrorCode, 'what happened')
      const reply = await send({ method: 'POST', url: '/v1/parse/json', payload: '1' })
      expect(reply.statusCode).toBe(status)
      expect(reply.json()).toMatchObject({
        status,
        title: ERROR_TITLES[code as ErrorCode],
        retryable,
        code: code.toLowerCase(),
      })
      expect('retry-after' in reply.headers).toBe(status === 429 || status === 503)
    }
  })

  test('close the connection whose body was not read', async () => {
    const { send } = harness()
    const read = await send({ method: 'POST', url: '/v1/leases', payload: { target: 5 } })
    expect(read.headers.connection).not.toBe('close')
    const unread = await send({ method: 'POST', url: '/v1/nowhere', payload: 'x' })
    expect(unread.headers.connection).toBe('close')
  })
})

describe('http.accessLog', () => {
  const linesOf = ({ log }: { log: readonly string[] }) =>
    log.map(line => JSON.parse(line)).filter(({ msg }) => msg === 'request')
  /** A pool whose leases take so long that the service counts them as slow. */
  const slowly = (pool: FakePool): void => {
    pool.free = new Promise(resolve => setTimeout(resolve, LIMITS.slowRequestMs + 50))
  }

  test.each([
    ['off', []],
    ['errors', [[500, 'warn']]],
    [
      'all',
      [
        [200, 'info'],
        [404, 'info'],
        [500, 'warn'],
      ],
    ],
  ] as const)('set to %s logs what it says', async (which, expected) => {
    const app = harness({ accessLog: () => which })
    await app.send({ url: '/v1/stats' })
    await app.send({ url: '/v1/nowhere' })
    app.pool.failure = new TypeError('a fault')
    await app.send({ method: 'POST', url: '/v1/leases', payload: { target: 'cache' } })
    const levels: Readonly<Record<number, string>> = { 30: 'info', 40: 'warn' }
    expect(linesOf(app).map(({ status, level }) => [status, levels[level]])).toEqual(expected)
  })

  test('set to errors logs what is slow, but not what waits by nature', async () => {
    const app = harness({
      accessLog: () => 'errors',
      limits: { bodyBytes: 100_000, operationTimeoutMs: 5_000 },
    })
    const held = await app.lease()
    slowly(app.pool)
    const slow = [
      app.send({ method: 'POST', url: '/v1/leases', payload: { target: 'cache' } }),
      app.send({ method: 'POST', url: `/v1/leases/${held.id}/readline?timeoutMs=1100` }),
    ]
    expect((await Promise.all(slow)).map(({ statusCode }) => statusCode)).toEqual([201, 504])
    // What waits by nature is logged for its status alone.
    expect(
      linesOf(app)
        .map(({ route, status }) => [route, status])
        .sort(),
    ).toEqual([
      ['/v1/leases', 201],
      ['/v1/leases/:id/readline', 504],
    ])
    const quiet = app.send({ method: 'POST', url: `/v1/leases/${held.id}/readline` })
    setTimeout(() => held.reader.feedData(Buffer.from('late\n')), LIMITS.slowRequestMs + 50)
    expect((await quiet).statusCode).toBe(200)
    expect(linesOf(app)).toHaveLength(2)
  })
})

describe('the log', () => {
  test('names routes and hashes, never ids, tokens, queries or payloads', async () => {
    const { send, lease, app, log } = harness()
    const held = await lease()
    held.reader.feedData(Buffer.from('secret-reply;'))
    await send({ method: 'POST', url: `/v1/leases/${held.id}/write?offset=0`, payload: 'secret-payload' })
    await send({ method: 'POST', url: `/v1/leases/${held.id}/readuntil?separator=secret-sep&timeoutMs=5` })
    await send({ method: 'POST', url: `/v1/leases/${held.id}/readuntil?separator=%ff` })
    await send({
      method: 'POST',
      url: '/v1/leases',
      payload: '{"secret-json',
      headers: { 'content-type': 'application/json' },
    })
    await send({ url: '/nowhere/secret-path?secret=query' })
    await send({ url: '/v1/leases/%ff-secret' })
    await app.inject({
      url: '/v1/leases',
      headers: { host: 'localhost:7070', authorization: 'Bearer secret-token' },
    })
    const text = log.join('')
    expect(text).not.toMatch(/secret|ops-token|offset=|%ff/)
    expect(text).not.toContain(held.id)
    const lines = log.map(line => JSON.parse(line))
    expect(lines).toContainEqual(
      expect.objectContaining({
        method: 'POST',
        route: '/v1/leases/:id/write',
        tenant: 'ops',
        lease: leaseHash(held.id),
        status: 200,
        msg: 'request',
      }),
    )
    expect(lines).toContainEqual(expect.objectContaining({ route: 'none', status: 404 }))
    expect(lines).toContainEqual(expect.objectContaining({ route: '/v1/leases', status: 401 }))
  }, 20_000)
})
