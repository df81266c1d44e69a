/** `GET /v1/events`: what happens in the pool, to an admin who follows it. */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { afterFile } from '../support/after-file.ts'
import { type EventClient, followEvents } from '../support/event-client.ts'
import { type ServiceFixture, startServiceFixture } from '../support/service-fixture.ts'
import { startUpstream, type Upstream } from '../support/upstream.ts'

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')
const TOKENS = [
  { name: 'ops', sha256: sha256('ops-token'), targets: ['*'], admin: true },
  { name: 'dev', sha256: sha256('dev-token'), targets: ['*'] },
]

let service: ServiceFixture
let upstream: Upstream
let config: Record<string, unknown>

/** A port on which nobody listens. */
async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

beforeAll(async () => {
  upstream = await startUpstream()
  afterFile(() => upstream.close())
  const { host, port } = upstream
  config = {
    auth: { tokens: TOKENS },
    targets: {
      peer: { host, port, reuse: 'clean', pool: { max: 1 } },
      dead: { host, port: await closedPort(), breaker: { failures: 2, openFor: '50ms' } },
    },
  }
  service = await startServiceFixture({ config, finally: afterFile })
})

async function follow(headers: Record<string, string> = {}): Promise<EventClient> {
  const client = await followEvents(service.url, 'ops-token', headers)
  onTestFinished(() => client.leave())
  return client
}

const asDev = () => service.api.as('dev-token')
const asOps = () => service.api.as('ops-token')
const AT = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)

describe('events', () => {
  test('begin with a comment and are for an admin alone', async () => {
    const client = await follow()
    expect(client.response.headers.get('content-type')).toMatch(/^text\/event-stream/)
    expect(await client.next()).toBeNull()
    const denied = await followEvents(service.url, 'dev-token')
    expect([denied.response.status, await denied.code()]).toEqual([403, 'forbidden'])
    expect((await asOps().request('HEAD', '/v1/events')).status).toBe(404)
  })

  test('tell of a connection, its lease, who waits for it, its release and its end', async () => {
    const client = await follow()
    const lease = await asDev().lease('peer')
    const hash = createHash('sha256').update(lease.view.id).digest('hex').slice(0, 12)
    const { id: connection } = lease.view.connection
    const connected = await client.of('connect', data => data['connection'] === connection)
    expect(connected.data).toEqual({ at: AT, target: 'peer', connection, ms: expect.any(Number) })
    const leased = await client.of('lease')
    expect(leased.data).toEqual({ at: AT, target: 'peer', connection, lease: hash, ms: expect.any(Number) })
    const waiting = asDev().lease('peer')
    expect((await client.of('wait')).data).toEqual({ at: AT, target: 'peer', reason: 'begun' })
    await lease.release()
    expect((await client.of('wait')).data).toMatchObject({ reason: 'served', ms: expect.any(Number) })
    const released = await client.of('release')
    expect(released.data).toEqual({
      at: AT,
      target: 'peer',
      connection,
      lease: hash,
      reason: 'clean',
      ms: expect.any(Number),
    })
    const next = await waiting
    await next.release('?kill=true')
    expect((await client.of('release')).data).toMatchObject({ reason: 'killed' })
    expect((await client.of('close')).data).toMatchObject({ target: 'peer', connection, reason: 'killed' })
  })

  test('tell of a wait that was in vain', async () => {
    const client = await follow()
    const lease = await asDev().lease('peer')
    await expect(asDev().lease('peer', { waitMs: 20 })).rejects.toThrow('504')
    const reason = (await client.of('wait', data => data['reason'] !== 'begun')).data['reason']
    expect(reason).toBe('wait_timeout')
    await lease.release()
  })

  test('tell of dials that fail, and of the breaker', async () => {
    const client = await follow()
    const state = async () => (await client.of('breaker')).data
    for (let count = 0; count < 2; count++) await expect(asDev().lease('dead')).rejects.toThrow('502')
    expect((await client.of('connect')).data).toEqual({ at: AT, target: 'dead', reason: 'connect_refused' })
    expect(await state()).toEqual({ at: AT, target: 'dead', reason: 'open' })
    while (true) {
      const again = await asDev()
        .lease('dead')
        .catch((error: Error) => error.message)
      if (String(again).includes('502')) break
    }
    expect(await state()).toMatchObject({ reason: 'half_open' })
    expect(await state()).toMatchObject({ reason: 'open' })
  })

  test('tell of what an operator does', async () => {
    const client = await follow()
    await asOps().post('/v1/targets/peer/pause')
    expect((await client.of('verb')).data).toEqual({ at: AT, target: 'peer', reason: 'pause' })
    await asOps().post('/v1/targets/peer/resume')
    expect((await client.of('verb')).data).toMatchObject({ reason: 'resume' })
    await asOps().post('/v1/workers/0/drain')
    expect((await client.of('worker')).data).toEqual({ at: AT, worker: 0, reason: 'draining' })
    expect((await client.of('worker')).data).toMatchObject({ worker: 0, reason: 'drained' })
    await asOps().post('/v1/reload')
    expect((await client.of('reload')).data).toEqual({ at: AT, reason: 'applied' })
  })

  test('go on behind Last-Event-ID for one who comes again', async () => {
    const client = await follow()
    for (const verb of ['pause', 'resume']) await asOps().post(`/v1/targets/peer/${verb}`)
    const { id } = await client.of('verb')
    client.leave()
    await asOps().post('/v1/targets/peer/reconnect')
    const again = await follow({ 'last-event-id': id ?? '' })
    expect((await again.of('verb')).data).toMatchObject({ reason: 'resume' })
    expect((await again.of('verb')).data).toMatchObject({ reason: 'reconnect' })
    const strange = await follow({ 'last-event-id': 'nothing-1' })
    expect(strange.response.status).toBe(200)
    await strange.next()
  })

  test('end for a token that is an admin no more', async () => {
    const client = await follow()
    await client.next()
    const [ops, dev] = TOKENS
    await service.configure({
      ...config,
      auth: {
        tokens: [
          { ...ops, admin: false },
          { ...dev, admin: true },
        ],
      },
    })
    service.reload()
    expect((await client.of('end')).data).toEqual({ at: AT })
    await expect(client.next()).rejects.toThrow('over')
    await service.configure(config)
    service.reload()
  })

  test('end when the service drains, which takes no new follower', async () => {
    const own = await startServiceFixture({
      config: { ...config, listen: '127.0.0.1:0' },
      finally: onTestFinished,
    })
    const client = await followEvents(own.url, 'ops-token')
    await client.next()
    const lease = await own.api.as('ops-token').lease('peer')
    const closed = own.close()
    expect((await client.of('end')).data).toEqual({ at: AT })
    await expect(client.next()).rejects.toThrow('over')
    const late = await followEvents(own.url, 'ops-token')
    expect([late.response.status, await late.code()]).toEqual([503, 'draining'])
    await lease.release()
    await closed
  })
})
