/** The limits of a token, as its callers meet them. */
import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import type { TokenLimits } from '../../../src/config/config.ts'
import { harness, TOKENS } from './fakes.ts'

const sha256 = createHash('sha256').update('bound').digest('hex')
const headers = { authorization: 'Bearer bound' }

function bounded(limits: TokenLimits) {
  let nowMs = 0
  const made = harness({
    auth: { tokens: [...TOKENS.tokens, { name: 'bound', sha256, targets: ['*'], admin: false, limits }] },
    now: () => nowMs,
  })
  const passTime = (ms: number): void => {
    nowMs += ms
  }
  const lease = (target: unknown = 'cache') =>
    made.send({ method: 'POST', url: '/v1/leases', headers, payload: { target } })
  return { ...made, leaseBounded: lease, passTime }
}

describe('token limits', () => {
  test('requestsPerSecond answers 429 with Retry-After, to that token alone', async () => {
    const { send, app, passTime } = bounded({ requestsPerSecond: 1, burst: 2 })
    const ask = () => send({ url: '/v1/stats', headers })
    expect((await ask()).statusCode).toBe(200)
    expect((await ask()).statusCode).toBe(200)
    const refused = await ask()
    expect([refused.statusCode, refused.json().code]).toEqual([429, 'rate_limited'])
    expect(refused.headers['retry-after']).toBe('1')
    expect(refused.json()).toMatchObject({ retryable: true, expectedWaitMs: 1_000 })
    expect((await send({ url: '/v1/stats' })).statusCode).toBe(200)
    expect((await app.inject({ url: '/livez', headers })).statusCode).toBe(200)
    passTime(1_000)
    expect((await ask()).statusCode).toBe(200)
  })

  test('no limit admits as many requests as come', async () => {
    const { send } = harness()
    const replies = await Promise.all(Array.from({ length: 500 }, () => send({ url: '/v1/stats' })))
    expect(new Set(replies.map(reply => reply.statusCode))).toEqual(new Set([200]))
  })

  test('leases answers 503 queue_full until one ends', async () => {
    const { leaseBounded, send } = bounded({ leases: 1 })
    const first = await leaseBounded()
    expect(first.statusCode).toBe(201)
    const refused = await leaseBounded()
    expect([refused.statusCode, refused.json().code]).toEqual([503, 'queue_full'])
    expect(refused.headers['retry-after']).toBe('1')
    const json = { target: 'cache', write: { text: 'x' }, read: 'line' }
    const exchange = () => send({ method: 'POST', url: '/v1/exchange', headers, payload: json })
    expect((await exchange()).json().code).toBe('queue_full')
    expect((await send({ method: 'POST', url: '/v1/leases', payload: { target: 'cache' } })).statusCode).toBe(
      201,
    )
    await send({ method: 'DELETE', url: `/v1/leases/${first.json().id}`, headers })
    expect((await exchange()).statusCode).toBe(200)
    expect((await leaseBounded()).statusCode).toBe(201)
  })

  test('leases ends with a lease that is lost, and waiters with one that never came', async () => {
    const { leaseBounded, pool } = bounded({ leases: 1, waiters: 1 })
    await leaseBounded()
    pool.leases.at(-1)?.end('expired')
    expect((await leaseBounded()).statusCode).toBe(201)
    pool.leases.at(-1)?.end('reset')
    pool.failure = new Error('no')
    expect((await leaseBounded()).statusCode).toBe(500)
    pool.failure = null
    expect((await leaseBounded()).statusCode).toBe(201)
  })

  test('waiters answers 503 queue_full while one waits', async () => {
    const { leaseBounded, pool } = bounded({ waiters: 1 })
    const { promise, resolve } = Promise.withResolvers<void>()
    pool.free = promise
    const asked = pool.nextLease()
    const waiting = leaseBounded()
    await asked
    expect((await leaseBounded()).json().code).toBe('queue_full')
    resolve()
    expect((await waiting).statusCode).toBe(201)
    expect((await leaseBounded()).statusCode).toBe(201)
  })

  test('targets bounds what the token describes, not what is configured', async () => {
    const { leaseBounded } = bounded({ targets: 1 })
    expect((await leaseBounded({ host: 'a.example', port: 1 })).statusCode).toBe(201)
    expect((await leaseBounded({ host: 'a.example', port: 1 })).statusCode).toBe(201)
    expect((await leaseBounded({ host: 'a.example', port: 2 })).json().code).toBe('queue_full')
    expect((await leaseBounded()).statusCode).toBe(201)
  })

  test('connections counts the leases that a token holds, and none that never came', async () => {
    const { leaseBounded, pool } = bounded({ connections: 2 })
    pool.failure = new Error('no')
    for (let n = 0; n < 3; n++)
      expect((await leaseBounded({ host: 'a.example', port: n + 1 })).statusCode).toBe(500)
    pool.failure = null
    expect((await leaseBounded()).statusCode).toBe(201)
    expect((await leaseBounded({ host: 'a.example', port: 1 })).statusCode).toBe(201)
    const refused = await leaseBounded()
    expect([refused.statusCode, refused.json().code]).toEqual([503, 'queue_full'])
    expect(refused.headers['retry-after']).toBe('1')
  })
})
