import { describe, expect, test } from 'vitest'
import { SockpoolError } from '../../../src/base/errors.ts'
import { DEV_TOKEN, harness, RELOADED } from './fakes.ts'

const VERBS = ['pause', 'resume', 'disable', 'enable', 'drain', 'reconnect', 'wait-close'] as const

describe('the verbs of a target', () => {
  test.each(VERBS)('%s answers what it did in numbers', async verb => {
    const { send, pool } = harness()
    const answer = await send({ method: 'POST', url: `/v1/targets/cache/${verb}` })
    expect([answer.statusCode, answer.json()]).toEqual([
      200,
      { state: 'active', closed: 1, refused: 2, leased: 3, waiters: 4 },
    ])
    expect(pool.verbs[0]?.slice(0, 2)).toEqual([verb === 'wait-close' ? 'waitClose' : verb, 'cache'])
  })

  test('those that wait are told for how long', async () => {
    const { send, pool } = harness()
    await send({ method: 'POST', url: '/v1/targets/cache/pause?wait=true&timeoutMs=70' })
    await send({ method: 'POST', url: '/v1/targets/cache/drain?timeoutMs=80' })
    expect(pool.verbs).toMatchObject([
      ['pause', 'cache', { wait: true, timeoutMs: 70 }],
      ['drain', 'cache', { timeoutMs: 80 }],
    ])
  })

  test.each([
    ['/v1/targets/cache/stop', 404, 'not_found'],
    ['/v1/targets/cache/pause?wait=perhaps', 400, 'invalid_request'],
    ['/v1/targets/cache/resume?wait=true', 400, 'invalid_request'],
    ['/v1/targets/cache/drain?timeoutMs=0', 400, 'invalid_request'],
  ])('%s is refused', async (url, status, code) => {
    const { send } = harness()
    const answer = await send({ method: 'POST', url })
    expect([answer.statusCode, answer.json().code]).toEqual([status, code])
  })

  test('what the pool refuses is a problem', async () => {
    const { send, pool } = harness()
    pool.failure = new SockpoolError('TARGET_NOT_FOUND', 'no target of this name is configured')
    expect((await send({ method: 'POST', url: '/v1/targets/no/pause' })).json().code).toBe('target_not_found')
  })

  test('new bounds go to the pool as they are', async () => {
    const { send, pool } = harness()
    const body = { pool: { min: 1, max: 3, idleTimeoutMs: 500 } }
    expect((await send({ method: 'PATCH', url: '/v1/targets/cache', payload: body })).statusCode).toBe(200)
    expect(pool.verbs).toEqual([['resize', 'cache', body.pool]])
  })

  test.each([
    [{}],
    [{ pool: {} }],
    [{ pool: { size: 1 } }],
    [{ pool: { max: '3' } }],
    [{ pool: 3 }],
    [{ max: 3 }],
  ])('new bounds %j are refused', async payload => {
    const { send, pool } = harness()
    const answer = await send({ method: 'PATCH', url: '/v1/targets/cache', payload })
    expect([answer.statusCode, answer.json().code]).toEqual([400, 'invalid_request'])
    expect(pool.verbs).toEqual([])
  })
})

test('a connection is killed by its id', async () => {
  const { send, pool } = harness()
  expect((await send({ method: 'DELETE', url: '/v1/connections/c1' })).json()).toEqual({
    killed: 'connection',
  })
  expect(pool.verbs).toEqual([['kill', 'c1']])
})

test('an I/O worker is drained by its id', async () => {
  const { send, pool } = harness()
  const answer = await send({ method: 'POST', url: '/v1/workers/1/drain?timeoutMs=70' })
  expect([answer.statusCode, answer.json()]).toEqual([200, { id: 1, threadId: 7, closed: 1, leased: 2 }])
  expect(pool.verbs).toMatchObject([['drainWorker', 1, { timeoutMs: 70 }]])
  expect((await send({ method: 'POST', url: '/v1/workers/one/drain' })).json().code).toBe('invalid_request')
})

describe('POST /v1/reload', () => {
  test('answers what has changed in numbers, and what needs a restart', async () => {
    const { send } = harness()
    expect((await send({ method: 'POST', url: '/v1/reload' })).json()).toEqual(RELOADED)
  })

  test('is refused while the service drains', async () => {
    const { send } = harness({ isClosing: () => true })
    expect((await send({ method: 'POST', url: '/v1/reload' })).json().code).toBe('draining')
  })
})

test('every verb needs an admin, whatever the target', async () => {
  const { send, pool } = harness()
  const dev = { authorization: `Bearer ${DEV_TOKEN}` }
  const calls = [
    ...VERBS.map(verb => ({ method: 'POST' as const, url: `/v1/targets/cache/${verb}` })),
    { method: 'PATCH' as const, url: '/v1/targets/cache', payload: { pool: { max: 1 } } },
    { method: 'DELETE' as const, url: '/v1/connections/c1' },
    { method: 'POST' as const, url: '/v1/workers/0/drain' },
    { method: 'POST' as const, url: '/v1/reload' },
  ]
  for (const call of calls) {
    const answer = await send({ ...call, headers: dev })
    expect([call.url, answer.statusCode, answer.json().code]).toEqual([call.url, 403, 'forbidden'])
  }
  expect(pool.verbs).toEqual([])
})

describe('DELETE /v1/leases/{id}?kill=true', () => {
  test('ends the caller’s own lease', async () => {
    const { send } = harness()
    const dev = { authorization: `Bearer ${DEV_TOKEN}` }
    const { id } = (
      await send({ method: 'POST', url: '/v1/leases', payload: { target: 'cache' }, headers: dev })
    ).json()
    const killed = await send({ method: 'DELETE', url: `/v1/leases/${id}?kill=true`, headers: dev })
    expect(killed.json()).toEqual({ outcome: 'closed', reason: 'killed' })
    const gone = await send({ method: 'GET', url: `/v1/leases/${id}`, headers: dev })
    expect(gone.json()).toMatchObject({ status: 410, code: 'lease_gone', reason: 'killed' })
  })

  test('ends anybody’s for an admin, and nobody else’s for others', async () => {
    const { send, lease } = harness()
    const dev = { authorization: `Bearer ${DEV_TOKEN}` }
    const { id } = (
      await send({ method: 'POST', url: '/v1/leases', payload: { target: 'cache' }, headers: dev })
    ).json()
    const { id: opsId } = await lease()
    const denied = await send({ method: 'DELETE', url: `/v1/leases/${opsId}?kill=true`, headers: dev })
    expect(denied.json()).toMatchObject({ status: 404, code: 'lease_not_found' })
    expect((await send({ method: 'DELETE', url: `/v1/leases/${id}?kill=true` })).statusCode).toBe(200)
    expect((await send({ method: 'DELETE', url: `/v1/leases/${id}?kill=true` })).json()).toMatchObject({
      code: 'lease_gone',
    })
  })
})
