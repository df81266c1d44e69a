import { once } from 'node:events'
import { describe, expect, test } from 'vitest'
import { SockpoolError } from '../../../src/base/errors.ts'
import { DEV_TOKEN, FakeLease, harness, OPS_TOKEN } from './fakes.ts'

const post = (payload: object, headers = {}) =>
  ({ method: 'POST', url: '/v1/leases', payload, headers }) as const
const asDev = { authorization: `Bearer ${DEV_TOKEN}` }

describe('POST /v1/leases', () => {
  test('answers 201 with Location and exactly the fields of a lease', async () => {
    const { send, pool } = harness()
    const reply = await send(post({ target: 'cache', ttlMs: 5_000, waitMs: 0 }))
    const [lease] = pool.leases
    expect(reply.statusCode).toBe(201)
    expect(reply.headers.location).toBe(`/v1/leases/${lease?.id}`)
    expect(reply.json()).toEqual({
      id: lease?.id,
      target: 'cache',
      state: 'leased',
      reused: false,
      expiresAt: '2030-01-01T00:00:00.000Z',
      connection: lease?.connection,
    })
    expect(lease?.request).toMatchObject({ ttlMs: 5_000, waitMs: 0, tenant: 'ops' })
  })

  test('rebuilds an ad-hoc target on objects without a prototype', async () => {
    const { send, pool } = harness()
    const target = {
      host: 'db.example',
      port: 5432,
      tls: { servername: 'db', alpn: ['a'], minVersion: 'TLSv1.3' },
    }
    const reply = await send(post({ target }))
    expect(reply.statusCode).toBe(201)
    const [leased] = pool.targetsLeased
    expect(leased).toEqual(Object.assign(Object.create(null), target))
    expect(Object.getPrototypeOf(leased)).toBeNull()
    expect(Object.getPrototypeOf((leased as { tls: object }).tls)).toBeNull()
  })

  test.each<[unknown, string[]]>([
    [{}, ['target']],
    [[], ['body']],
    [null, ['body']],
    [{ target: '' }, ['target']],
    [{ target: 5 }, ['target']],
    [{ target: 'cache', ttlMs: '5' }, ['ttlMs']],
    [{ target: 'cache', ttlMs: 0, waitMs: -1 }, ['ttlMs', 'waitMs']],
    [{ target: 'cache', surplus: 1 }, ['surplus']],
    [{ target: { host: ['127.0.0.1'], port: 1 } }, ['target.host']],
    [{ target: { host: 'a', port: '1' } }, ['target.port']],
    [{ target: { host: 'a', port: 65_536 } }, ['target.port']],
    [{ target: { host: 'a' } }, ['target.port']],
    [{ target: { host: 'a', port: 1, path: '/x' } }, ['target.path']],
    [
      { target: { host: 'a', port: 1, tls: { rejectUnauthorized: false } } },
      ['target.tls.rejectUnauthorized'],
    ],
    [{ target: { host: 'a', port: 1, tls: { minVersion: 'TLSv1' } } }, ['target.tls.minVersion']],
    [{ target: { host: 'a', port: 1, tls: 'yes' } }, ['target.tls']],
  ])('refuses %j naming each bad field', async (body, paths) => {
    const { send, pool } = harness()
    const reply = await send({
      ...post({}),
      payload: JSON.stringify(body),
      headers: { 'content-type': 'application/json' },
    })
    expect(reply.statusCode).toBe(400)
    expect(reply.headers['content-type']).toBe('application/problem+json')
    const problem = reply.json<{ code: string; errors: { path: string; message: string }[] }>()
    expect(problem.code).toBe('invalid_request')
    expect(problem.errors.map(({ path }) => path)).toEqual(paths)
    expect(pool.leases).toHaveLength(0)
  })

  test.each([
    ['{"target": "cache"', 400, 'invalid_request'],
    ['{"target": "cache", "__proto__": {"x": 1}}', 400, 'invalid_request'],
    ['{"target": {"host": "a", "port": 1, "constructor": {"prototype": {}}}}', 400, 'invalid_request'],
    [Buffer.from('{"target": "\xff"}', 'latin1'), 400, 'invalid_request'],
    ['', 400, 'invalid_request'],
    [`{"target": "${'x'.repeat(100_000)}"}`, 413, 'body_too_large'],
  ])('refuses the JSON %.30s', async (payload, status, code) => {
    const { send } = harness()
    const reply = await send({ ...post({}), payload, headers: { 'content-type': 'application/json' } })
    expect([reply.statusCode, reply.json().code]).toEqual([status, code])
  })

  test('requires the JSON content type', async () => {
    const { send } = harness()
    const payload = '{"target":"cache"}'
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'nonsense']) {
      const reply = await send({ ...post({}), payload, headers: { 'content-type': type } })
      expect([reply.statusCode, reply.json().code]).toEqual([415, 'unsupported_media_type'])
    }
  })

  test('refuses a target beyond the globs of the token, known or not', async () => {
    const { send } = harness()
    for (const target of ['other', 'nobody', { host: 'a', port: 1 }]) {
      const reply = await send(post({ target }, asDev))
      expect([reply.statusCode, reply.json().code]).toEqual([403, 'forbidden'])
    }
    expect((await send(post({ target: 'cache-2' }, asDev))).statusCode).toBe(201)
  })

  test('prefixes what the pool says about an ad-hoc target', async () => {
    const { send, pool } = harness()
    pool.failure = new SockpoolError('INVALID_REQUEST', 'bad host', {
      errors: [{ path: 'host', message: 'is no host' }],
    })
    const reply = await send(post({ target: { host: '0177.1', port: 1 } }))
    expect(reply.json().errors).toEqual([{ path: 'target.host', message: 'is no host' }])
  })

  test('passes the problem of a full pool on, with Retry-After', async () => {
    const { send, pool } = harness()
    pool.failure = new SockpoolError('WAIT_TIMEOUT', 'none became free', { position: 3 })
    expect((await send(post({ target: 'cache' }))).json()).toMatchObject({
      code: 'wait_timeout',
      position: 3,
    })
    pool.failure = new SockpoolError('POOL_EXHAUSTED', 'none is free', { expectedWaitMs: 2_500 })
    const reply = await send(post({ target: 'cache' }))
    expect(reply.statusCode).toBe(503)
    expect(reply.headers['retry-after']).toBe('3')
    expect(reply.json()).toMatchObject({ code: 'pool_exhausted', retryable: true, expectedWaitMs: 2_500 })
  })

  test('takes no new leases while the service drains', async () => {
    const { send } = harness({ isClosing: () => true })
    const reply = await send(post({ target: 'cache' }))
    expect([reply.statusCode, reply.json().code]).toEqual([503, 'draining'])
    expect(reply.headers['retry-after']).toBe('1')
  })

  test('answers a repeated Idempotency-Key with the same lease while it lives', async () => {
    const { send, pool } = harness()
    const keyed = post({ target: 'cache' }, { 'idempotency-key': 'k1' })
    const replies = await Promise.all([send(keyed), send(keyed)])
    const third = await send({ ...keyed, payload: { target: 'cache', waitMs: 5 } })
    expect(pool.leases).toHaveLength(1)
    for (const reply of [...replies, third])
      expect([reply.statusCode, reply.json().id]).toEqual([201, pool.leases[0]?.id])

    const foreign = await send({ ...keyed, headers: { ...keyed.headers, ...asDev } })
    expect(foreign.json().id).toBe(pool.leases[1]?.id)
    const other = await send({ ...keyed, payload: { target: 'cache', ttlMs: 9 } })
    expect(other.json()).toMatchObject({ status: 400, errors: [{ path: 'Idempotency-Key' }] })

    const keeping = await send({ ...keyed, payload: { target: 'cache', replay: true } })
    expect(keeping.json()).toMatchObject({ status: 400, errors: [{ path: 'Idempotency-Key' }] })
    expect((await send({ ...keyed, payload: { target: 'cache', replay: false } })).statusCode).toBe(201)

    await pool.leases[0]?.release()
    expect((await send(keyed)).json().id).toBe(pool.leases[2]?.id)
  })

  test('answers a repeat to the letter as the first, also while the service drains', async () => {
    let isClosing = false
    const { send, pool } = harness({ isClosing: () => isClosing })
    const payload = { target: { host: 'example.com', port: 443, tls: { servername: 'a', alpn: ['x'] } } }
    const keyed = { ...post(payload, { 'idempotency-key': 'k1' }) }
    const first = await send(keyed)
    const [held] = pool.leases
    if (!held) throw new Error('no lease')
    held.expiresAt = new Date(Date.UTC(2031, 0, 1))
    isClosing = true
    // The same description with its fields in another order is the same.
    const same = { target: { tls: { alpn: ['x'], servername: 'a' }, port: 443, host: 'example.com' } }
    const repeat = await send({ ...keyed, payload: same })
    expect([repeat.statusCode, repeat.headers.location]).toEqual([201, `/v1/leases/${held.id}`])
    expect(repeat.body).toBe(first.body)
    expect((await send(post(payload, { 'idempotency-key': 'k2' }))).json().code).toBe('draining')
    expect(pool.leases).toHaveLength(1)
  })

  test('asks the pool for a window only where the caller does', async () => {
    const { send, pool } = harness()
    await send(post({ target: 'cache', replay: true }))
    await send(post({ target: 'cache' }))
    expect(pool.leases.map(({ request }) => request.replay)).toEqual([true, undefined])
    const wrong = await send(post({ target: 'cache', replay: 'yes' }))
    expect(wrong.json()).toMatchObject({ status: 400, errors: [{ path: 'replay' }] })
  })

  test('forgets an Idempotency-Key whose lease failed', async () => {
    const { send, pool } = harness()
    const keyed = post({ target: 'cache' }, { 'idempotency-key': 'k1' })
    pool.failure = new SockpoolError('CONNECT_REFUSED', 'refused')
    expect((await send(keyed)).statusCode).toBe(502)
    pool.failure = null
    expect((await send(keyed)).statusCode).toBe(201)
  })

  test.each([{}, { 'idempotency-key': 'k1' }])(
    'releases a lease that comes after its callers left: %j',
    async key => {
      const { app, pool } = harness()
      const [asked, free] = [Promise.withResolvers<AbortSignal>(), Promise.withResolvers<void>()]
      const late = new FakeLease('cache', {})
      pool.lease = async (_target, { signal } = {}) => {
        if (signal) asked.resolve(signal)
        await free.promise
        return late
      }
      const url = `${await app.listen({ host: '127.0.0.1', port: 0 })}/v1/leases`
      const client = new AbortController()
      const headers = {
        authorization: `Bearer ${OPS_TOKEN}`,
        'content-type': 'application/json',
        ...key,
      }
      const body = JSON.stringify({ target: 'cache' })
      const pending = fetch(url, { method: 'POST', headers, body, signal: client.signal })
      const signal = await asked.promise
      client.abort()
      await expect(pending).rejects.toThrow(/abort/i)
      if (!signal.aborted) await once(signal, 'abort')
      free.resolve()
      expect(await late.ended).toBe('released')
    },
  )

  test.each(['', 'x'.repeat(256)])('refuses the Idempotency-Key %.10j', async key => {
    const { send } = harness()
    expect((await send(post({ target: 'cache' }, { 'idempotency-key': key }))).statusCode).toBe(400)
  })
})

describe('a lease', () => {
  test('is shown with its offsets and ages', async () => {
    const { send, lease } = harness()
    const held = await lease()
    held.reader.feedData(Buffer.from('hello\n'))
    await send({ method: 'POST', url: `/v1/leases/${held.id}/readline` })
    const one = await send({ url: `/v1/leases/${held.id}` })
    const state = {
      id: held.id,
      state: 'leased',
      readOffset: 6,
      writeOffset: 0,
      ageMs: 13,
      idleMs: 4,
      lastOperation: 'readline',
    }
    expect(one.json()).toMatchObject(state)
    const all = await send({ url: '/v1/leases' })
    expect(all.json()).toEqual({ leases: [one.json()] })
  })

  test('is invisible to another tenant on every route', async () => {
    const { send, lease, app } = harness()
    const held = await lease()
    expect((await send({ url: '/v1/leases', headers: asDev })).json()).toEqual({ leases: [] })
    await app.ready()
    const seen = Object.entries(app.swagger().paths ?? {})
      .filter(([path]) => path.startsWith('/v1/leases/{id}'))
      .flatMap(([path, item]) =>
        Object.keys(item ?? {}).map(method => ({
          path: path.slice('/v1/leases/{id}'.length),
          method: method.toUpperCase(),
        })),
      )
    for (const { path, method } of seen) {
      const ask = async (id: string) => {
        const payload =
          path === '/parse'
            ? { format: 'json' }
            : path === '/writelines'
              ? ['x']
              : method === 'PATCH'
                ? { ttlMs: 5 }
                : ''
        const query = path === '/readexactly' ? '?n=1' : ''
        const reply = await send({
          method: method as 'POST',
          url: `/v1/leases/${id}${path}${query}`,
          headers: asDev,
          ...(payload !== '' && { payload }),
        })
        const { requestId: _id, ...problem } = reply.json()
        return [reply.statusCode, problem]
      }
      const foreign = await ask(held.id)
      expect(foreign, path).toMatchObject([404, { code: 'lease_not_found' }])
      expect(foreign, path).toEqual(await ask('unknown'))
    }
    expect(seen.length).toBeGreaterThan(12)
    expect(held.gone).toBeNull()
  })

  test('is renewed by PATCH', async () => {
    const { send, lease } = harness()
    const held = await lease()
    const url = `/v1/leases/${held.id}`
    expect((await send({ method: 'PATCH', url, payload: { ttlMs: 777 } })).json()).toMatchObject({
      readOffset: 0,
    })
    expect(held.renewedTo).toBe(777)
    for (const payload of [{}, { ttlMs: 0 }, { ttlMs: 1.5 }, { ttlMs: 1e12 }])
      expect((await send({ method: 'PATCH', url, payload })).json().errors).toMatchObject([{ path: 'ttlMs' }])
  })

  test('is released or discarded, and then gone', async () => {
    const { send, lease } = harness()
    const first = `/v1/leases/${(await lease()).id}`
    expect((await send({ method: 'DELETE', url: first })).json()).toEqual({
      outcome: 'reused',
      reason: 'clean',
    })
    const again = await send({ method: 'DELETE', url: first })
    expect(again.json()).toMatchObject({ status: 410, code: 'lease_gone', reason: 'released' })

    const second = `/v1/leases/${(await lease()).id}?discard=true`
    expect((await send({ method: 'DELETE', url: second })).json()).toEqual({
      outcome: 'closed',
      reason: 'discarded',
    })
    const third = `/v1/leases/${(await lease()).id}?discard=maybe`
    expect((await send({ method: 'DELETE', url: third })).json().errors).toMatchObject([{ path: 'discard' }])
  })

  test('answers 410 with its reason on every route, for ten minutes', async () => {
    let now = 0
    const { send, lease } = harness({ now: () => now })
    const held = await lease()
    held.end('expired')
    const ask = () => send({ method: 'POST', url: `/v1/leases/${held.id}/readline` })
    expect((await ask()).json()).toMatchObject({ status: 410, reason: 'expired', bytesDelivered: 0 })
    now = 599_999
    expect((await ask()).statusCode).toBe(410)
    now = 600_000
    expect((await ask()).json()).toMatchObject({ status: 404, code: 'lease_not_found' })
  })
})
