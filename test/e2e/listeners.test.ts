/** Servers over REST: where one may listen, and a lease on each connection that comes in. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { hashToken } from '../../src/config/token-file.ts'
import { afterFile } from '../support/after-file.ts'
import { type Answer, type Api, type HeldLease, jsonOf, type LeaseView, problemOf } from '../support/api.ts'
import { type Certificate, makeCertificate } from '../support/certificates.ts'
import { type ServiceFixture, startServiceFixture } from '../support/service-fixture.ts'

const token = (name: string, more: object = {}) => ({ name, sha256: hashToken(`${name}-secret`), ...more })
const TOKENS = [
  token('ops', { admin: true }),
  token('dev', { limits: { leases: 2 } }),
  token('narrow', { targets: ['cache'] }),
]
const CONFIG = {
  auth: { tokens: TOKENS },
  ingress: { listen: ['127.0.0.1:0'] },
  limits: { drainTimeout: 0, operationTimeout: '20s' },
}

let service: ServiceFixture
let ops: Api
let certificate: Certificate

beforeAll(async () => {
  certificate = await makeCertificate()
  service = await startServiceFixture({ config: CONFIG, finally: afterFile })
  ops = service.api.as('ops-secret')
})

type Bound = { readonly id: string; readonly address: string; readonly port: number }

class Listener {
  readonly bound: Bound
  readonly path: string
  readonly #api: Api

  constructor(api: Api, bound: Bound) {
    this.#api = api
    this.bound = bound
    this.path = `/v1/listeners/${bound.id}`
  }

  accept(query = '', signal?: AbortSignal): Promise<Answer> {
    return this.#api.post(`${this.path}/accept${query}`, signal ? { signal } : {})
  }

  async accepted(query = ''): Promise<HeldLease> {
    const answer = await this.accept(query)
    expect(answer.status, answer.text).toBe(201)
    const view = jsonOf<LeaseView>(answer)
    expect(answer.headers.get('location')).toBe(`/v1/leases/${view.id}`)
    const lease = this.#api.held(view)
    onTestFinished(async () => void (await lease.release('?discard=true').catch(() => 'gone')))
    return lease
  }

  async state(): Promise<Record<string, unknown>> {
    return jsonOf(await this.#api.get(this.path))
  }

  close(query = ''): Promise<Answer> {
    return this.#api.request('DELETE', `${this.path}${query}`)
  }

  /** A client whose errors are its own affair. */
  async client(): Promise<Socket> {
    const socket = connect(this.bound.port, this.bound.address)
    onTestFinished(() => void socket.destroy())
    socket.on('error', () => 'its own affair')
    await once(socket, 'connect')
    return socket
  }

  /** A call that waits, once it does. */
  async accepting(): Promise<{ readonly answer: Promise<Answer> }> {
    const { calls } = await this.state()
    const answer = this.accept()
    await expect.poll(() => this.state()).toMatchObject({ calls: Number(calls) + 1 })
    return { answer }
  }

  /** Resolves when so many connections wait. */
  async waiting(count: number): Promise<void> {
    await expect.poll(() => this.state()).toMatchObject({ waiting: count })
  }
}

async function listen(json: object = {}, api: Api = ops): Promise<Listener> {
  const answer = await api.post('/v1/listeners', { json: { host: '127.0.0.1', port: 0, ...json } })
  expect(answer.status, answer.text).toBe(201)
  const listener = new Listener(api, jsonOf<Bound>(answer))
  expect(answer.headers.get('location')).toBe(listener.path)
  // A service of the test's own may be gone by then.
  onTestFinished(async () => void (await listener.close('?clients=abort').catch(() => 'gone')))
  return listener
}

async function received(socket: Socket, bytes: number): Promise<string> {
  let text = ''
  while (text.length < bytes) text += String((await once(socket, 'data'))[0])
  return text
}

const ended = (socket: Socket): Promise<unknown> => {
  socket.resume()
  return socket.closed ? Promise.resolve() : once(socket, 'close')
}

describe('a listener', () => {
  test('is bound where it was asked for, and shown to its tenant alone', async () => {
    const listener = await listen({ backlog: 7, maxConnections: 9, ttlMs: 60_000 })
    expect(listener.bound).toEqual({
      id: expect.stringMatching(/^[\w-]{43}$/),
      address: '127.0.0.1',
      port: expect.any(Number),
    })
    expect(listener.bound.port).toBeGreaterThan(0)
    const row = {
      ...listener.bound,
      tls: false,
      backlog: 7,
      maxConnections: 9,
      ttlMs: 60_000,
      expiresAt: expect.any(String),
      waiting: 0,
      leased: 0,
      calls: 0,
      accepted: 0,
      refused: 0,
    }
    expect(await listener.state()).toEqual(row)
    expect(jsonOf<{ listeners: object[] }>(await ops.get('/v1/listeners')).listeners).toContainEqual(row)
    const dev = service.api.as('dev-secret')
    expect(jsonOf(await dev.get('/v1/listeners'))).toEqual({ listeners: [] })
    const others = new Listener(dev, listener.bound)
    for (const answer of [await others.accept(), await others.close(), await dev.get(listener.path)])
      expect(problemOf(answer)).toMatchObject({ status: 404, code: 'listener_not_found' })
    expect(problemOf(await ops.get('/v1/listeners/nobody'))).toMatchObject({ code: 'listener_not_found' })
  })

  test.each([
    [{ host: '0.0.0.0' }],
    [{ host: '::1' }],
    [{ host: '127.0.0.2' }],
    [{ host: 'localhost' }],
    [{ port: 8080 }],
  ])('%j is where no rule lets it listen', async place => {
    const answer = await ops.post('/v1/listeners', { json: { host: '127.0.0.1', port: 0, ...place } })
    expect(problemOf(answer)).toMatchObject({ status: 403, code: 'target_denied' })
  })

  test('needs a token whose targets hold *, and the service nothing but its default to refuse all', async () => {
    const narrow = service.api.as('narrow-secret')
    const json = { host: '127.0.0.1', port: 0 }
    expect(problemOf(await narrow.post('/v1/listeners', { json }))).toMatchObject({ code: 'forbidden' })
    const closed = await startServiceFixture({ finally: onTestFinished })
    expect(problemOf(await closed.api.post('/v1/listeners', { json }))).toMatchObject({
      status: 403,
      code: 'target_denied',
    })
  })

  test('tells that an address is taken', async () => {
    const taken = createServer().listen(0, '127.0.0.1')
    onTestFinished(() => void taken.close())
    await once(taken, 'listening')
    const { port } = taken.address() as AddressInfo
    const config = { ingress: { listen: ['127.0.0.1:*'] } }
    const open = await startServiceFixture({ config, finally: onTestFinished })
    const answer = await open.api.post('/v1/listeners', { json: { host: '127.0.0.1', port } })
    expect(problemOf(answer)).toMatchObject({ status: 409, code: 'listen_failed', reason: 'EADDRINUSE' })
    expect(jsonOf(await open.api.get('/v1/listeners'))).toEqual({ listeners: [] })
  })

  test.each([
    [{ host: '127.0.0.1' }, 'port'],
    [{ host: ['127.0.0.1'], port: 0 }, 'host'],
    [{ host: '127.0.0.1', port: 65_536 }, 'port'],
    [{ host: '127.0.0.1', port: 0, path: '/tmp/x' }, 'path'],
    [{ host: '127.0.0.1', port: 0, backlog: 0 }, 'backlog'],
    [{ host: '127.0.0.1', port: 0, backlog: 1_000_000 }, 'backlog'],
    [{ host: '127.0.0.1', port: 0, maxConnections: 1.5 }, 'maxConnections'],
    [{ host: '127.0.0.1', port: 0, ttlMs: -1 }, 'ttlMs'],
    [{ host: '127.0.0.1', port: 0, tls: true }, 'tls'],
    [{ host: '127.0.0.1', port: 0, tls: { cert: 'x' } }, 'tls.key'],
    [{ host: '127.0.0.1', port: 0, tls: { cert: 'x', key: 'y' } }, 'tls.cert'],
    [{ host: '127.0.0.1', port: 0, tls: { cert: 'x', key: 'y', ca: 'z' } }, 'tls.ca'],
    [{ host: '127.1', port: 0 }, 'host'],
  ])('%j is refused at its path', async (json, path) => {
    const problem = problemOf(await ops.post('/v1/listeners', { json }))
    expect(problem).toMatchObject({ status: 400, code: 'invalid_request' })
    expect(problem['errors']).toContainEqual({ path, message: expect.any(String) })
  })

  test('ends when nobody has called for its time, and a call that waits keeps it', async () => {
    const listener = await listen({ ttlMs: 600 })
    expect(problemOf(await listener.accept('?timeoutMs=900'))).toMatchObject({
      status: 504,
      code: 'wait_timeout',
      position: 1,
    })
    expect(await listener.state()).toMatchObject({ waiting: 0 })
    await expect.poll(async () => (await ops.get(listener.path)).status, { timeout: 5_000 }).toBe(404)
    expect(problemOf(await listener.accept())).toMatchObject({
      code: 'listener_not_found',
      reason: 'expired',
    })
    // Nobody has asked for its end, so nobody waited for that of its socket.
    const dialled = (): Promise<string> =>
      listener.client().then(
        () => 'connected',
        ({ code }) => code,
      )
    await expect.poll(dialled).toBe('ECONNREFUSED')
  })

  test('is bounded for each tenant', async () => {
    const config = { auth: { tokens: TOKENS }, ingress: CONFIG.ingress, limits: CONFIG.limits }
    const own = await startServiceFixture({ config, finally: onTestFinished })
    const json = { host: '127.0.0.1', port: 0 }
    const api = own.api.as('ops-secret')
    const answers = await Promise.all(Array.from({ length: 65 }, () => api.post('/v1/listeners', { json })))
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(64)
    const [full] = answers.filter(({ status }) => status !== 201)
    if (full === undefined) throw new Error('all were opened')
    expect(problemOf(full)).toMatchObject({ status: 503, code: 'queue_full' })
    expect(full.headers.get('retry-after')).not.toBeNull()
    expect((await own.api.as('dev-secret').post('/v1/listeners', { json })).status).toBe(201)
    const [first] = jsonOf<{ listeners: Bound[] }>(await api.get('/v1/listeners')).listeners
    await new Listener(api, first as Bound).close()
    expect((await api.post('/v1/listeners', { json })).status).toBe(201)
  })
})

describe('accept', () => {
  test('gives a lease as every other, on which all calls work', async () => {
    const listener = await listen()
    const accepting = listener.accepted()
    const client = await listener.client()
    const lease = await accepting
    expect(lease.view).toEqual({
      id: expect.stringMatching(/^[\w-]{43}$/),
      target: `listener 127.0.0.1:${listener.bound.port}`,
      state: 'leased',
      reused: false,
      expiresAt: expect.any(String),
      connection: {
        id: expect.any(String),
        localAddress: '127.0.0.1',
        localPort: listener.bound.port,
        remoteAddress: '127.0.0.1',
        remotePort: client.localPort,
        tls: null,
      },
    })
    client.write('one\ntwo;{"three":3}rest')
    expect((await lease.call('readline')).text).toBe('one\n')
    expect((await lease.call('readuntil?separator=%3B')).text).toBe('two;')
    expect(jsonOf(await lease.call('parse', { json: { format: 'json' } }))).toEqual({
      value: { three: 3 },
      offset: 8,
    })
    expect((await lease.call('readexactly?n=4')).text).toBe('rest')
    const answer = received(client, 10)
    expect(jsonOf(await lease.call('write?drain=true', { body: 'reply ' }))).toEqual({
      accepted: 6,
      offset: 6,
    })
    expect(jsonOf(await lease.call('writelines', { json: ['a', 'b', 'cd'] }))).toEqual({
      accepted: 4,
      offset: 10,
    })
    expect(await answer).toBe('reply abcd')
    expect((await lease.call('write_eof')).status).toBe(204)
    client.end('last')
    const last = await lease.call('read')
    expect([last.text, last.headers.get('sockpool-eof'), last.headers.get('sockpool-end')]).toEqual([
      'last',
      'true',
      'fin',
    ])
    expect(jsonOf(await lease.look())).toMatchObject({ readOffset: 27, writeOffset: 10 })
    expect(jsonOf(await lease.release())).toEqual({ outcome: 'closed', reason: 'policy' })
    await ended(client)
    expect(await listener.state()).toMatchObject({ accepted: 1, leased: 0 })
  })

  test('gives what came before it was called, the end of the client included', async () => {
    const listener = await listen()
    const first = await listener.client()
    first.end('early\n')
    await listener.waiting(1)
    const second = await listener.client()
    second.write('later\n')
    await listener.waiting(2)
    const lease = await listener.accepted('?ttlMs=5000')
    const { ageMs, expiresAt } = jsonOf<{ ageMs: number; expiresAt: string }>(await lease.look())
    expect(ageMs).toBeLessThan(5_000)
    expect(Date.parse(expiresAt) - Date.now()).toBeLessThanOrEqual(5_000)
    const early = await lease.call('read')
    expect([early.text, early.headers.get('sockpool-eof')]).toEqual(['early\n', 'true'])
    expect((await (await listener.accepted()).call('readline')).text).toBe('later\n')
  })

  test('serves those who wait in the order in which they came', async () => {
    const listener = await listen()
    const [first, second] = [await listener.accepting(), await listener.accepting()]
    const portOf = async (answer: Promise<Answer>): Promise<number> =>
      ops.held(jsonOf<LeaseView>(await answer)).view.connection.remotePort
    const one = await listener.client()
    expect(await portOf(first.answer)).toBe(one.localPort)
    const two = await listener.client()
    expect(await portOf(second.answer)).toBe(two.localPort)
  })

  test('leaves no connection with a caller that has gone', async () => {
    const listener = await listen()
    const gone = new AbortController()
    const left = listener.accept('', gone.signal).catch(() => 'gone')
    await expect.poll(() => listener.state()).toMatchObject({ calls: 1 })
    gone.abort()
    await left
    await expect.poll(() => listener.state()).toMatchObject({ calls: 0 })
    const client = await listener.client()
    const lease = await listener.accepted()
    expect(lease.view.connection.remotePort).toBe(client.localPort)
  })

  test('forgets a client that left before anybody took it', async () => {
    const listener = await listen()
    const client = await listener.client()
    await listener.waiting(1)
    client.resetAndDestroy()
    await listener.waiting(0)
    expect(problemOf(await listener.accept('?timeoutMs=50'))).toMatchObject({ code: 'wait_timeout' })
  })

  test('disconnects and counts who comes beyond the backlog, and beyond maxConnections', async () => {
    const listener = await listen({ backlog: 1 })
    const kept = await listener.client()
    await listener.waiting(1)
    await ended(await listener.client())
    expect(await listener.state()).toMatchObject({ waiting: 1, refused: 1 })
    expect((await listener.accepted()).view.connection.remotePort).toBe(kept.localPort)
    await listener.client()
    await listener.waiting(1)

    const small = await listen({ maxConnections: 1 })
    await small.client()
    const lease = await small.accepted()
    await ended(await small.client())
    expect(await small.state()).toMatchObject({ leased: 1, waiting: 0, refused: 1 })
    await lease.release()
    await expect.poll(() => small.state()).toMatchObject({ leased: 0 })
    await expect
      .poll(async () => {
        await small.client()
        return (await small.state())['waiting']
      })
      .toBe(1)
  })

  test('counts in the quota of its token', async () => {
    const dev = service.api.as('dev-secret')
    const listener = await listen({}, dev)
    for (let count = 0; count < 3; count++) await listener.client()
    const leases = [await listener.accepted(), await listener.accepted()]
    const full = await listener.accept('?timeoutMs=1000')
    expect(problemOf(full)).toMatchObject({ status: 503, code: 'queue_full' })
    expect(full.headers.get('retry-after')).not.toBeNull()
    await leases[0]?.release()
    await listener.accepted()
  })

  test('shows its connection among all others, from which an admin ends it', async () => {
    const listener = await listen()
    const client = await listener.client()
    await listener.waiting(1)
    const rowOf = async (): Promise<Record<string, unknown> | undefined> =>
      jsonOf<{ connections: Record<string, unknown>[] }>(await ops.get('/v1/connections')).connections.find(
        ({ remotePort }) => remotePort === client.localPort,
      )
    expect(await rowOf()).toMatchObject({
      target: `listener 127.0.0.1:${listener.bound.port}`,
      tenant: 'ops',
      state: 'idle',
      uses: 0,
    })
    const before = jsonOf<{ connections: { leased: number } }>(await ops.get('/v1/stats')).connections.leased
    const lease = await listener.accepted()
    const { id } = lease.view.connection
    expect(await rowOf()).toMatchObject({ id, state: 'leased', uses: 1 })
    expect(jsonOf(await ops.get('/v1/stats'))).toMatchObject({ connections: { leased: before + 1 } })
    const reading = lease.call('readline')
    await lease.begun('readline')
    const { operations } = jsonOf<{ operations: { name: string }[] }>(await ops.get(`/v1/connections/${id}`))
    expect(operations.map(({ name }) => name)).toEqual(['accept', 'readline'])
    expect(jsonOf(await ops.request('DELETE', `/v1/connections/${id}`))).toEqual({ killed: 'connection' })
    expect(problemOf(await reading)).toMatchObject({ status: 410, code: 'lease_gone', reason: 'killed' })
    await ended(client)
  })

  test('gives a lease that expires and is killed as every other', async () => {
    const listener = await listen()
    const client = await listener.client()
    const lease = await listener.accepted('?ttlMs=100')
    await ended(client)
    expect(problemOf(await lease.call('read'))).toMatchObject({ code: 'lease_gone', reason: 'expired' })
    await listener.client()
    const other = await listener.accepted()
    const reading = other.call('read')
    await other.begun('read')
    expect(jsonOf(await other.release('?kill=true'))).toEqual({ outcome: 'closed', reason: 'killed' })
    expect(problemOf(await reading)).toMatchObject({ code: 'lease_gone', reason: 'killed' })
  })
})

describe('TLS', () => {
  const dialTls = async ({ bound }: Listener): Promise<TLSSocket> => {
    const socket = connectTls({
      host: bound.address,
      port: bound.port,
      ca: certificate.cert,
      servername: 'localhost',
    })
    onTestFinished(() => void socket.destroy())
    socket.on('error', () => 'its own affair')
    await once(socket, 'secureConnect')
    return socket
  }

  test('is spoken from the start where the listener has a certificate', async () => {
    const listener = await listen({ tls: certificate })
    expect(await listener.state()).toMatchObject({ tls: true })
    const client = await dialTls(listener)
    client.write('secret\n')
    const lease = await listener.accepted()
    expect(lease.view.connection.tls).toMatchObject({ protocol: 'TLSv1.3', servername: 'localhost' })
    expect((await lease.call('readline')).text).toBe('secret\n')
    const plain = await listener.client()
    plain.write('no TLS at all\r\n\r\n')
    await ended(plain)
    expect(await listener.state()).toMatchObject({ waiting: 0 })
  })

  test("starts on the way, by the server's side", async () => {
    const listener = await listen()
    const client = await listener.client()
    const lease = await listener.accepted()
    client.write('STARTTLS\n')
    expect((await lease.call('readline')).text).toBe('STARTTLS\n')
    await lease.call('write?drain=true', { body: 'go\n' })
    expect(await received(client, 3)).toBe('go\n')
    expect(problemOf(await lease.call('start_tls', { json: {} }))).toMatchObject({
      code: 'invalid_request',
      errors: [{ path: 'cert' }],
    })
    const secure = connectTls({ socket: client, ca: certificate.cert, servername: 'localhost' })
    secure.on('error', () => 'its own affair')
    const started = await lease.call('start_tls', { json: certificate })
    expect(jsonOf(started)).toMatchObject({ tls: { protocol: 'TLSv1.3' } })
    secure.write('hidden\n')
    expect((await lease.call('readline')).text).toBe('hidden\n')
  })
})

describe('DELETE of a listener', () => {
  test('ends what waits, on both sides, and nothing listens when it answers', async () => {
    const listener = await listen()
    const accepting = await listener.accepting()
    const other = await listen()
    const unclaimed = await other.client()
    await other.waiting(1)
    expect(jsonOf(await other.close())).toEqual({ dropped: 1, leased: 0 })
    await ended(unclaimed)
    expect(jsonOf(await listener.close())).toEqual({ dropped: 0, leased: 0 })
    expect(problemOf(await accepting.answer)).toMatchObject({
      status: 404,
      code: 'listener_not_found',
      reason: 'closed',
    })
    await expect(listener.client()).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    expect(problemOf(await listener.close())).toMatchObject({ code: 'listener_not_found', reason: 'closed' })
  })

  test.each([
    ['', 'keep'],
    ['?clients=keep', 'keep'],
    ['?clients=close', 'close'],
    ['?clients=abort', 'abort'],
  ])('with %j does to its clients what it says', async (query, fate) => {
    const listener = await listen()
    const client = await listener.client()
    const lease = await listener.accepted()
    expect(jsonOf(await listener.close(query))).toEqual({ dropped: 0, leased: 1 })
    if (fate === 'keep') {
      client.write('still here\n')
      expect((await lease.call('readline')).text).toBe('still here\n')
      return
    }
    await ended(client)
    const read = await lease.call('read')
    if (fate === 'abort') expect(problemOf(read)).toMatchObject({ code: 'lease_gone', reason: 'killed' })
    else expect([read.text, read.headers.get('sockpool-eof')]).toEqual(['', 'true'])
  })

  test('refuses a fate that it does not know', async () => {
    const listener = await listen()
    expect(problemOf(await listener.close('?clients=eat'))).toMatchObject({ code: 'invalid_request' })
  })
})

describe('a reload', () => {
  test('ends the listeners that may not go on, with their leases, and leaves the others', async () => {
    const config = { ...CONFIG, ingress: { listen: ['127.0.0.1:0', '127.0.0.2:0'] } }
    const own = await startServiceFixture({ config, finally: onTestFinished })
    const api = own.api.as('ops-secret')
    const [stays, goes] = [await listen({}, api), await listen({ host: '127.0.0.2' }, api)]
    const devs = await listen({}, own.api.as('dev-secret'))
    const client = await goes.client()
    const lease = await goes.accepted()
    const accepting = await goes.accepting()
    await own.configure({ ...CONFIG, auth: { tokens: TOKENS.filter(({ name }) => name !== 'dev') } })
    expect(jsonOf(await api.post('/v1/reload'))).toMatchObject({
      listenersClosed: 2,
      leasesEnded: 1,
      ignored: [],
    })
    await ended(client)
    expect(problemOf(await accepting.answer)).toMatchObject({ code: 'listener_not_found', reason: 'revoked' })
    expect(problemOf(await lease.call('read'))).toMatchObject({ code: 'lease_gone', reason: 'revoked' })
    await expect
      .poll(() =>
        devs.client().then(
          () => 'connected',
          ({ code }) => code,
        ),
      )
      .toBe('ECONNREFUSED')
    await stays.client()
    await stays.accepted()
    const json = { host: '127.0.0.2', port: 0 }
    expect(problemOf(await api.post('/v1/listeners', { json }))).toMatchObject({ code: 'target_denied' })
  })
})

describe('a shutdown', () => {
  test('ends the calls that wait and the clients that nobody took, and waits for the leases', async () => {
    const own = await startServiceFixture({
      config: { ...CONFIG, limits: { drainTimeout: '20s' } },
      finally: onTestFinished,
    })
    const listener = await listen({}, own.api.as('ops-secret'))
    const client = await listener.client()
    const lease = await listener.accepted()
    const accepting = await listener.accepting()
    const closing = own.close()
    expect(problemOf(await accepting.answer)).toMatchObject({ status: 503, code: 'draining' })
    client.write('before the end\n')
    expect((await lease.call('readline')).text).toBe('before the end\n')
    await lease.release()
    await closing
    await ended(client)
  })
})
