import { expect, test } from 'vitest'
import { SockpoolError } from '../../../src/base/errors.ts'
import { LIMITS } from '../../../src/base/limits.ts'
import { DEV_TOKEN, type FakeListener, type Harness, harness, TOKENS } from './fakes.ts'

const PLACE = { host: '127.0.0.1', port: 0 }

async function listened(app: Harness, json: object = {}): Promise<{ listener: FakeListener; path: string }> {
  const answer = await app.send({ method: 'POST', url: '/v1/listeners', payload: { ...PLACE, ...json } })
  expect(answer.statusCode).toBe(201)
  const listener = app.pool.listeners.at(-1)
  if (!listener) throw new Error('nothing listens')
  return { listener, path: String(answer.headers.location) }
}

test('a listener is asked for with what its caller said, and with defaults', async () => {
  const app = harness()
  const { listener } = await listened(app)
  expect([listener.place, listener.spec, listener.options]).toEqual([
    PLACE,
    { backlog: 100, reusePort: false, tls: null, handshakeTimeoutMs: 60_000 },
    { tenant: 'ops', backlog: 100, maxConnections: null, ttlMs: 300_000 },
  ])
  const other = await listened(app, { backlog: 2, maxConnections: 3, ttlMs: 4 })
  expect(other.listener.options).toEqual({ tenant: 'ops', backlog: 2, maxConnections: 3, ttlMs: 4 })
})

test('nothing listens for a caller whose token does not hold *, nor while the service drains', async () => {
  let isClosing = false
  const app = harness({ isClosing: () => isClosing })
  const headers = { authorization: `Bearer ${DEV_TOKEN}` }
  const denied = await app.send({ method: 'POST', url: '/v1/listeners', payload: PLACE, headers })
  expect(denied.json().code).toBe('forbidden')
  const { path } = await listened(app)
  isClosing = true
  for (const url of ['/v1/listeners', `${path}/accept`]) {
    const payload = url === '/v1/listeners' ? { payload: PLACE } : {}
    expect((await app.send({ method: 'POST', url, ...payload })).json()).toMatchObject({
      status: 503,
      code: 'draining',
    })
  }
  expect(app.pool.listeners).toHaveLength(1)
})

test('an accepted lease is found by its id, with the times that its caller gave', async () => {
  const app = harness()
  const { listener, path } = await listened(app)
  const answer = await app.send({ method: 'POST', url: `${path}/accept?timeoutMs=77&ttlMs=88` })
  expect(answer.statusCode).toBe(201)
  expect(listener.calls[0]).toMatchObject({ timeoutMs: 77, ttlMs: 88, signal: expect.any(AbortSignal) })
  expect((await app.send({ url: String(answer.headers.location) })).statusCode).toBe(200)
  const others = await app.send({
    url: String(answer.headers.location),
    headers: { authorization: `Bearer ${DEV_TOKEN}` },
  })
  expect(others.json().code).toBe('lease_not_found')
})

test('an accept that fails leaves the quota of its token as it was', async () => {
  const [ops] = TOKENS.tokens
  if (!ops) throw new Error('there is no token')
  const app = harness({ auth: { tokens: [{ ...ops, limits: { leases: 1 } }] } })
  const { listener, path } = await listened(app)
  listener.failure = new SockpoolError('WAIT_TIMEOUT', 'nobody came')
  for (let round = 0; round < 3; round++)
    expect((await app.send({ method: 'POST', url: `${path}/accept` })).json().code).toBe('wait_timeout')
  listener.failure = null
  expect((await app.send({ method: 'POST', url: `${path}/accept` })).statusCode).toBe(201)
  const full = await app.send({ method: 'POST', url: `${path}/accept` })
  expect([full.json().code, full.headers['retry-after']]).toEqual(['queue_full', '1'])
  listener.leases[0]?.end('released')
  await listener.leases[0]?.ended
  expect((await app.send({ method: 'POST', url: `${path}/accept` })).statusCode).toBe(201)
})

test('the end of a listener is told for as long as that of a lease, and to its tenant alone', async () => {
  let nowMs = 0
  const app = harness({ now: () => nowMs })
  const { listener, path } = await listened(app)
  await app.send({ method: 'DELETE', url: `${path}?clients=abort` })
  expect(listener.closes).toEqual([['abort']])
  await listener.ended
  const look = async (headers = {}) => (await app.send({ url: path, headers })).json()
  expect(await look()).toMatchObject({ code: 'listener_not_found', reason: 'closed' })
  expect(await look({ authorization: `Bearer ${DEV_TOKEN}` })).not.toHaveProperty('reason')
  nowMs = LIMITS.tombstoneMs
  expect(await look()).not.toHaveProperty('reason')
})
