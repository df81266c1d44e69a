/** Leases over HTTP: their shape, whose they are, how long they live, and how each of them ends. */

import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { type Api, jsonOf, type LeaseView, type Problem, problemOf } from '../support/api.ts'
import { useScriptedService } from '../support/scripted-service.ts'
import { startServiceProcess } from '../support/service-process.ts'
import { makeFolder } from '../support/temporary-folder.ts'
import { startUpstream } from '../support/upstream.ts'

const TOKENS = { ops: 'ops-token-0', one: 'one-token-1', two: 'two-token-2', narrow: 'narrow-token-3' }

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

const scripted = useScriptedService(place => ({
  config: {
    auth: {
      tokens: [
        { name: 'ops', sha256: sha256(TOKENS.ops), targets: ['*'], admin: true },
        { name: 'one', sha256: sha256(TOKENS.one), targets: ['*'] },
        { name: 'two', sha256: sha256(TOKENS.two), targets: ['*'] },
        { name: 'narrow', sha256: sha256(TOKENS.narrow), targets: ['cl*'] },
      ],
    },
    targets: {
      script: { ...place, pool: { max: 50 } },
      clean: { ...place, pool: { max: 50 }, reuse: 'clean' },
      single: { ...place, pool: { max: 1 } },
    },
  },
}))

/** The scripted upstream leased with a token of the table. */
async function leasedBy(tenant: keyof typeof TOKENS, target = 'script', ttlMs?: number) {
  const api = scripted.api.as(TOKENS[tenant])
  const lease = await api.lease(target, { ...(ttlMs !== undefined && { ttlMs }) })
  onTestFinished(async () => void (await lease.release('?discard=true')))
  return { api, lease, peer: await scripted.upstream.from(lease.view.connection.localPort) }
}

/** Callers that wait for a connection of the target `single`. */
async function waitersOf(api: Api): Promise<number> {
  return jsonOf<{ waiters: number }>(await api.get('/v1/targets/single')).waiters
}

describe('a lease', () => {
  test('says where it is, what it is, and how it goes', async () => {
    const api = scripted.api.as(TOKENS.one)
    const answer = await api.post('/v1/leases', { json: { target: 'script', ttlMs: 60_000 } })
    const view = jsonOf<LeaseView>(answer)
    const lease = api.held(view)
    const { host, port } = scripted.upstream
    expect(answer.status).toBe(201)
    expect(answer.headers.get('location')).toBe(lease.path)
    expect(view).toEqual({
      id: expect.stringMatching(/^[\w-]{43}$/),
      target: 'script',
      state: 'leased',
      reused: false,
      expiresAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      connection: {
        id: expect.any(String),
        localAddress: host,
        localPort: expect.any(Number),
        remoteAddress: host,
        remotePort: port,
        tls: null,
      },
    })
    await lease.call('write', { body: 'abc' })
    const state = jsonOf(await lease.look())
    expect(state).toMatchObject({
      ...view,
      expiresAt: expect.any(String),
      readOffset: 0,
      writeOffset: 3,
      ageMs: expect.any(Number),
      idleMs: expect.any(Number),
      lastOperation: 'write',
    })
    const renewed = await api.request('PATCH', lease.path, { json: { ttlMs: 3_600_000 } })
    expect(renewed.status).toBe(200)
    const { expiresAt } = jsonOf<{ expiresAt: string }>(renewed)
    expect(Date.parse(expiresAt) - Date.now()).toBeGreaterThan(3_500_000)
    expect(Object.keys(jsonOf(renewed)).sort()).toEqual(Object.keys(state).sort())
  })

  test("is its tenant's alone: to any other it is exactly as one that never was", async () => {
    const { lease } = await leasedBy('one')
    const stranger = scripted.api.as(TOKENS.two)
    const unknown = `/v1/leases/${'x'.repeat(lease.view.id.length)}`
    const calls = [
      ['GET', ''],
      ['DELETE', ''],
      ['PATCH', ''],
      ['POST', '/readline'],
      ['POST', '/write'],
      ['POST', '/close'],
      ['POST', '/parse'],
      ['GET', '/is_closing'],
    ] as const
    for (const [method, operation] of calls) {
      const json =
        operation === '/parse' ? { format: 'json' } : method === 'PATCH' ? { ttlMs: 5_000 } : undefined
      const call = json ? { json } : {}
      const foreign = await stranger.request(method, `${lease.path}${operation}`, call)
      const missing = await stranger.request(method, `${unknown}${operation}`, call)
      expect(problemOf(foreign)).toMatchObject({ status: 404, code: 'lease_not_found' })
      expect(foreign.text).toBe(missing.text)
      const headersOf = ({ headers }: typeof foreign) => [...headers].filter(([name]) => name !== 'date')
      expect(headersOf(foreign)).toEqual(headersOf(missing))
    }
    expect(jsonOf(await stranger.get('/v1/leases'))).toEqual({ leases: [] })
    const { leases } = jsonOf<{ leases: LeaseView[] }>(await scripted.api.as(TOKENS.one).get('/v1/leases'))
    expect(leases.map(({ id }) => id)).toContain(lease.view.id)
    await lease.release()
    expect(problemOf(await lease.look())).toMatchObject({ status: 410, code: 'lease_gone' })
    expect((await stranger.get(lease.path)).text).toBe((await stranger.get(unknown)).text)
  })

  test('that ended answers 410 with its reason: released', async () => {
    const { lease } = await leasedBy('one')
    await lease.release()
    for (const answer of [await lease.look(), await lease.call('readline'), await lease.release()])
      expect(problemOf(answer)).toMatchObject({ status: 410, code: 'lease_gone', reason: 'released' })
  })

  test('that expired closes its connection and answers 410 with its reason: expired', async () => {
    const { lease, peer } = await leasedBy('one', 'script', 100)
    await peer.ended()
    for (const answer of [await lease.look(), await lease.call('write', { body: 'x' })])
      expect(problemOf(answer)).toMatchObject({ status: 410, code: 'lease_gone', reason: 'expired' })
  })

  test('does not expire while an operation of its runs, and each renews it', async () => {
    const { lease, peer } = await leasedBy('one', 'script', 200)
    for (let round = 0; round < 3; round++) {
      const waited = await lease.call('read?n=1&timeoutMs=400')
      expect(problemOf(waited).code).toBe('read_timeout')
    }
    await peer.send('x')
    expect((await lease.call('read?n=1')).text).toBe('x')
  })
})

describe('DELETE', () => {
  test.each([
    ['clean', [], 'reused'],
    ['discarded', ['discard'], 'closed'],
    ['unread', ['more'], 'closed'],
    ['unanswered', ['ask'], 'closed'],
    ['timed_out', ['time out'], 'closed'],
    ['half_closed', ['eof'], 'closed'],
  ] as const)('tells what became of the connection: %s', async (reason, steps, outcome) => {
    const { lease, peer } = await leasedBy('one', 'clean')
    await lease.call('write', { body: 'question\n' })
    await peer.send(steps.some(step => step === 'more') ? 'answer\nmore\n' : 'answer\n')
    expect((await lease.call('readline')).text).toBe('answer\n')
    for (const step of steps) {
      if (step === 'ask') {
        await lease.call('write', { body: 'another\n' })
        // Before it has gone out it would be unsent rather than unanswered.
        await peer.received('question\nanother\n'.length)
      }
      if (step === 'time out') await lease.call('readline?timeoutMs=20')
      if (step === 'eof') await lease.call('write_eof')
    }
    const query = steps.some(step => step === 'discard') ? '?discard=true' : ''
    expect(jsonOf(await lease.release(query))).toEqual({ outcome, reason })
  })

  test("keeps a connection for the next lease of any tenant's own, until its peer speaks out of turn", async () => {
    const first = await leasedBy('two', 'clean')
    await first.lease.release()
    const second = await leasedBy('two', 'clean')
    expect(second.lease.view.reused).toBe(true)
    expect(second.lease.view.connection.id).toBe(first.lease.view.connection.id)
    // A connection of one tenant is never another's.
    const other = await leasedBy('one', 'clean')
    expect(other.lease.view.connection.id).not.toBe(first.lease.view.connection.id)
    await second.lease.release()
    await first.peer.send('nobody asked\n')
    await first.peer.ended()
    const third = await leasedBy('two', 'clean')
    expect(third.lease.view.connection.id).not.toBe(first.lease.view.connection.id)
  })
})

describe('Idempotency-Key', () => {
  const ask = (key: string, token = TOKENS.one, json: object = { target: 'script' }) =>
    scripted.api.as(token).post('/v1/leases', { json, headers: { 'idempotency-key': key } })

  test('answers a repeat with the same lease, also while the first still waits', async () => {
    const { api } = await leasedBy('one')
    const before = scripted.upstream.accepted
    const answers = await Promise.all([ask('same'), ask('same'), ask('same')])
    const views = [...answers, await ask('same')].map(answer => jsonOf<LeaseView>(answer))
    expect(new Set(views.map(({ id }) => id)).size).toBe(1)
    expect(scripted.upstream.accepted).toBe(before + 1)
    const other = jsonOf<LeaseView>(await ask('same', TOKENS.two))
    expect(other.id).not.toBe(views[0]?.id)
    const misused = problemOf(await ask('same', TOKENS.one, { target: 'clean' }))
    expect(misused).toMatchObject({ status: 400, code: 'invalid_request' })
    const [view] = views
    if (!view) throw new Error('no lease')
    await api.held(view).release()
    const next = jsonOf<LeaseView>(await ask('same'))
    expect(next.id).not.toBe(view.id)
    await api.held(next).release()
    await scripted.api.as(TOKENS.two).held(other).release()
  })
})

describe('a target whose connections are all leased', () => {
  test('answers pool_exhausted at once under waitMs: 0', async () => {
    const { api } = await leasedBy('one', 'single')
    const answer = await api.post('/v1/leases', { json: { target: 'single', waitMs: 0 } })
    expect(problemOf(answer)).toMatchObject({ status: 503, code: 'pool_exhausted', retryable: true })
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
  })

  test('answers wait_timeout with the place in the queue', async () => {
    const { api } = await leasedBy('one', 'single')
    const ask = async (waitMs: number, signal?: AbortSignal): Promise<Problem> =>
      problemOf(
        await api.post('/v1/leases', { json: { target: 'single', waitMs }, ...(signal && { signal }) }),
      )
    const behindAnother = async (): Promise<Problem> => {
      const client = new AbortController()
      const another = ask(60_000, client.signal).catch(() => 'gone')
      while ((await waitersOf(api)) === 0);
      const problem = await ask(50)
      client.abort()
      expect(await another).toBe('gone')
      while ((await waitersOf(api)) > 0);
      return problem
    }
    const timedOut = { status: 504, code: 'wait_timeout', retryable: true }
    expect(await ask(50)).toMatchObject({ ...timedOut, position: 1 })
    let second: Problem
    // On a slow machine the queue stands by then, and is relieved of calls whose time is all but up.
    do second = await behindAnother()
    while (second.code === 'queue_full')
    expect(second).toMatchObject({ ...timedOut, position: 2 })
  })

  test('serves who waits, in order, as leases are released', async () => {
    const { api, lease } = await leasedBy('one', 'single')
    const order: string[] = []
    const queue = async (name: string, behind: number) => {
      const served = api.lease('single').then(async next => {
        order.push(name)
        await next.release()
      })
      while ((await waitersOf(api)) <= behind);
      return { served }
    }
    const first = await queue('first', 0)
    const second = await queue('second', 1)
    await lease.release()
    await Promise.all([first.served, second.served])
    expect(order).toEqual(['first', 'second'])
  })

  test('lets go of a waiter whose client vanished', async () => {
    const { api } = await leasedBy('one', 'single')
    const client = new AbortController()
    const waiting = api.post('/v1/leases', { json: { target: 'single' }, signal: client.signal })
    while ((await waitersOf(api)) === 0);
    client.abort()
    await expect(waiting).rejects.toThrow(/abort/i)
    while ((await waitersOf(api)) > 0);
  })
})

describe('limits', () => {
  test('bound leases and waiters of the whole service: queue_full', async () => {
    const upstream = await startUpstream()
    onTestFinished(() => upstream.close())
    const { host, port } = upstream
    const service = await startServiceProcess({
      config: {
        limits: { leases: 2, waiters: 1 },
        targets: { wide: { host, port }, single: { host, port, pool: { max: 1 } } },
      },
    })
    onTestFinished(() => service.stop())
    const { api } = service
    const held = await api.lease('single')
    const waiting = api.lease('single')
    while (jsonOf<{ waiters: number }>(await api.get('/v1/stats')).waiters === 0);
    const refused = await api.post('/v1/leases', { json: { target: 'single' } })
    expect(problemOf(refused)).toMatchObject({ status: 503, code: 'queue_full', retryable: true })
    expect(refused.headers.has('retry-after')).toBe(true)
    await held.release()
    await waiting
    await api.lease('wide')
    const full = await api.post('/v1/leases', { json: { target: 'wide' } })
    expect(problemOf(full)).toMatchObject({ status: 503, code: 'queue_full' })
  })
})

describe('an I/O worker that dies', () => {
  test('takes its leases with it, and the next lease finds its successor', async () => {
    const upstream = await startUpstream()
    onTestFinished(() => upstream.close())
    // Loaded into every thread: the I/O worker ends when the file appears.
    const text = `
      import { existsSync, rmSync } from 'node:fs'
      import { threadName } from 'node:worker_threads'
      const order = process.env.TEST_DEATH_ORDER
      if (threadName.startsWith('sockpool-io-')) setInterval(() => {
        if (!existsSync(order)) return
        rmSync(order, { force: true })
        process.exit(1)
      }, 10).unref()
    `
    const folder = await makeFolder({ 'preload.mjs': { text } })
    const order = join(folder, 'order')
    const { host, port } = upstream
    const service = await startServiceProcess({
      config: { ioWorkers: 1, targets: { script: { host, port } } },
      env: { NODE_OPTIONS: `--import ${join(folder, 'preload.mjs')}`, TEST_DEATH_ORDER: order },
    })
    onTestFinished(() => service.stop())
    const { api } = service
    const lease = await api.lease('script')
    const reading = lease.call('readline')
    await lease.begun('readline')
    await writeFile(order, '')
    expect(problemOf(await reading)).toMatchObject({ status: 502, code: 'worker_lost', retryable: true })
    expect(problemOf(await lease.look())).toMatchObject({
      status: 410,
      code: 'lease_gone',
      reason: 'worker_lost',
    })
    while ((await api.get('/readyz')).status !== 200);
    expect((await api.lease('script')).view.state).toBe('leased')
    expect(service.stderr()).toContain('an I/O worker died')
  })
})

describe('a token', () => {
  test('reaches the targets of its globs only', async () => {
    const narrow = scripted.api.as(TOKENS.narrow)
    expect((await leasedBy('narrow', 'clean')).lease.view.target).toBe('clean')
    const { host, port } = scripted.upstream
    for (const target of ['script', 'no-such-target', { host, port }]) {
      const refused = await narrow.post('/v1/leases', { json: { target } })
      expect(problemOf(refused)).toMatchObject({ status: 403, code: 'forbidden' })
    }
    const { targets } = jsonOf<{ targets: { name: string }[] }>(await narrow.get('/v1/targets'))
    expect(targets.map(({ name }) => name)).toEqual(['clean'])
  })

  test('sees its own connections; an admin sees all', async () => {
    const { api, lease } = await leasedBy('one')
    const ids = async (token: string): Promise<string[]> => {
      const answer = await scripted.api.as(token).get('/v1/connections')
      return jsonOf<{ connections: { id: string }[] }>(answer).connections.map(({ id }) => id)
    }
    const { id } = lease.view.connection
    expect(await ids(TOKENS.one)).toContain(id)
    expect(await ids(TOKENS.two)).not.toContain(id)
    expect(await ids(TOKENS.ops)).toContain(id)
    expect((await api.get('/v1/connections')).text).not.toContain(lease.view.id)
  })
})
