/** Forwards in session mode: unmodified clients, joined with leased connections in the I/O worker. */
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { expect, test } from 'vitest'
import { jsonOf } from '../support/api.ts'
import { makeCertificate } from '../support/certificates.ts'
import { forwardOnce, startForwards, Visitor } from '../support/forward-fixture.ts'
import { echoLine, startLineServer } from '../support/line-server.ts'
import { startTestServer, type TestServer } from '../support/test-server.ts'
import { startTlsEnder } from '../support/tls-ender.ts'
import { until } from '../support/until.ts'

const FREE = '127.0.0.1:0'

const placeOf = ({ port }: { readonly port: number }, more: object = {}) => ({
  host: '127.0.0.1',
  port,
  ...more,
})

/** A service with one forward to a server whose side the test speaks. */
async function toServer(server: TestServer, target: object = {}, forward: object = {}) {
  const service = await startForwards({
    targets: { it: placeOf(server, target) },
    forwards: [{ listen: FREE, target: 'it', ...forward }],
  })
  return { service, place: await service.place() }
}

async function toEcho(target: object = {}) {
  const server = await startLineServer(echoLine, { tolerant: true })
  return { server, ...(await toServer(server, target)) }
}

/** Half-open connections, of which the test speaks the server's side. */
const mute = () => startTestServer(() => {}, { halfOpen: true, tolerant: true })

test('a forward serves a client with a connection of its target for as long as it stays', async () => {
  const { service, place } = await toEcho()
  const visitor = await Visitor.at(place)
  visitor.write('one\n')
  await visitor.received('one\n')
  visitor.write('two\n')
  await visitor.received('one\ntwo\n')
  expect(service.leases).toBe(1)
  visitor.socket.end()
  await visitor.ended()
  const row = await forwardOnce(service.api, ({ clients }) => clients === 0)
  expect(row).toMatchObject({ accepted: 1, served: { half_closed: 1 }, refused: {}, bytesIn: 8, bytesOut: 8 })
})

test('a forward hands on a greeting, and an end of the target behind it', async () => {
  const server = await startTestServer(socket => void socket.end('too many\n'), { tolerant: true })
  const { place } = await toServer(server)
  const visitor = await Visitor.at(place)
  await visitor.ended()
  expect(visitor.text).toBe('too many\n')
  expect(visitor.error).toBeNull()
})

test('a forward hands on an end in either direction, and goes on in the other', async () => {
  const server = await mute()
  const { place } = await toServer(server)
  const asking = await Visitor.at(place)
  asking.socket.end('question')
  const answering = Visitor.of(await server.connection())
  await answering.ended()
  expect(answering.text).toBe('question')
  answering.socket.end('answer')
  await asking.ended()
  expect(asking.text).toBe('answer')
  const second = await Visitor.at(place)
  const target = Visitor.of(await server.connection())
  target.socket.end('all that I say')
  await second.ended()
  second.socket.end('and more')
  await target.ended()
  expect(target.text).toBe('and more')
})

test('a forward hands on a reset in either direction', async () => {
  const server = await mute()
  const { place } = await toServer(server)
  const visitor = await Visitor.at(place)
  visitor.write('x')
  const target = Visitor.of(await server.connection())
  await target.received('x')
  target.socket.resetAndDestroy()
  await visitor.closed
  expect(visitor.error?.code).toBe('ECONNRESET')
  const second = await Visitor.at(place)
  second.write('y')
  const other = Visitor.of(await server.connection())
  await other.received('y')
  second.socket.resetAndDestroy()
  await other.closed
  expect(other.error?.code).toBe('ECONNRESET')
})

test('a forward has a side wait whose bytes the other does not take', async () => {
  const server = await mute()
  const { service, place } = await toServer(server)
  const visitor = await Visitor.at(place)
  visitor.write('x')
  const target = await server.connection()
  const piece = Buffer.alloc(1 << 20, 'z')
  for (const [from, to] of [
    [visitor.socket, target],
    [target, visitor.socket],
  ] as const) {
    to.pause()
    let sent = 0
    while (from.write(piece) || from.writableLength < 64 * piece.length) {
      sent += piece.length
      if (sent > 200 * piece.length) throw new Error('it takes more than anybody could hold')
      await new Promise(resolve => setImmediate(resolve))
    }
    to.resume()
    if (from.writableNeedDrain) await once(from, 'drain')
  }
  expect(service.leases).toBe(1)
})

test('a forward moves much in both directions at once, unharmed', async () => {
  const server = await startTestServer(socket => void socket.pipe(socket), { halfOpen: true, tolerant: true })
  const { place } = await toServer(server)
  const visitor = await Visitor.at(place)
  const bytes = Buffer.alloc(8 << 20)
  for (let index = 0; index < bytes.length; index += 4) bytes.writeUInt32LE(index, index)
  let at = 0
  visitor.socket.on('data', (chunk: Buffer) => {
    if (!chunk.equals(bytes.subarray(at, at + chunk.length))) throw new Error(`other bytes at ${at}`)
    at += chunk.length
  })
  visitor.socket.end(bytes)
  await visitor.ended()
  expect(at).toBe(bytes.length)
})

test('a forward keeps a connection for the next client where its messages prove that nothing is owed', async () => {
  const { server, service, place } = await toEcho({ frame: 'line' })
  for (let round = 0; round < 3; round++) {
    const visitor = await Visitor.at(place)
    visitor.write('ask\n')
    await visitor.received('ask\n')
    visitor.socket.end()
    await visitor.ended()
    await forwardOnce(service.api, ({ served }) => served['clean'] === round + 1)
  }
  expect(server.accepted).toBe(1)
})

test.each([
  ['owes an answer', 'ask\nhold\n', 'ask\n'],
  ['has half a question', 'ask\nhal', 'ask\n'],
])('a forward closes a connection that %s when its client goes', async (_what, sent, got) => {
  const server = await startLineServer(
    (line, socket) => {
      if (line !== 'hold') echoLine(line, socket)
    },
    { tolerant: true },
  )
  const { service, place } = await toServer(server, { frame: 'line' })
  const visitor = await Visitor.at(place)
  visitor.write(sent)
  await visitor.received(got)
  visitor.socket.destroy()
  await forwardOnce(service.api, ({ clients, served }) => clients === 0 && served['clean'] === undefined)
  const next = await Visitor.at(place)
  next.write('fresh\n')
  await next.received('fresh\n')
  expect(server.accepted).toBe(2)
})

test('a forward closes a connection whose client is killed in the middle of its answer', async () => {
  const sockets: Socket[] = []
  const server = await startLineServer(
    (_line, socket) => {
      sockets.push(socket)
      socket.write('begun, ')
    },
    { tolerant: true },
  )
  const { place } = await toServer(server, { frame: 'line' })
  const killed = await Visitor.at(place)
  killed.write('ask\n')
  await killed.received('begun, ')
  killed.socket.resetAndDestroy()
  const next = await Visitor.at(place)
  next.write('ask\n')
  await next.received('begun, ')
  sockets[0]?.write('and never for you\n')
  sockets[1]?.write('done\n')
  await next.received('begun, done\n')
  expect(server.accepted).toBe(2)
})

test('a forward never keeps a connection on the word of the operator alone, nor one that greets', async () => {
  const { server, service, place } = await toEcho({ reuse: 'clean' })
  const greeting = await startLineServer(echoLine, { tolerant: true, greeting: 'hello\n' })
  const other = await toServer(greeting, { frame: 'line' })
  for (const [at, api, first] of [
    [place, service.api, ''],
    [other.place, other.service.api, 'hello\n'],
  ] as const)
    for (let round = 1; round <= 2; round++) {
      const visitor = await Visitor.at(at)
      visitor.write('ask\n')
      await visitor.received(`${first}ask\n`)
      visitor.socket.end()
      await visitor.ended()
      await forwardOnce(api, ({ served }) => served['half_closed'] === round)
    }
  expect([server.accepted, greeting.accepted]).toEqual([2, 2])
})

test('a client of a forward waits for a connection, and leaves the queue when it goes', async () => {
  const { service, place } = await toEcho({ pool: { max: 1 } })
  const first = await Visitor.at(place)
  first.write('first\n')
  await first.received('first\n')
  const waiters = async () => jsonOf(await service.api.get('/v1/targets/it'))['waiters']
  for (const leave of ['destroy', 'resetAndDestroy', 'end'] as const) {
    const leaving = await Visitor.at(place)
    leaving.write('early\n')
    await forwardOnce(service.api, ({ waiting }) => waiting === 1)
    expect(await waiters()).toBe(1)
    leaving.socket[leave]()
    await forwardOnce(service.api, ({ waiting }) => waiting === 0)
    expect(await waiters()).toBe(0)
  }
  const second = await Visitor.at(place)
  second.write('second\n')
  await forwardOnce(service.api, ({ waiting }) => waiting === 1)
  first.socket.end()
  await second.received('second\n')
  expect((await forwardOnce(service.api, () => true)).refused).toEqual({ left: 3 })
})

const count = (reasons: Readonly<Record<string, number>>): number =>
  Object.values(reasons).reduce((sum, of) => sum + of, 0)

test('a client of a forward is disconnected where there is no connection for it, and the reason counted', async () => {
  const { service, place } = await toEcho({ pool: { max: 1, waitTimeout: '500ms' } })
  const first = await Visitor.at(place)
  first.write('first\n')
  await first.received('first\n')
  await (await Visitor.at(place)).ended()
  await service.api.post('/v1/targets/it/disable')
  await (await Visitor.at(place)).ended()
  // A client hears of its end before the service has counted it.
  const row = await forwardOnce(service.api, now => now.clients === 1 && count(now.refused) === 2)
  expect(row.refused).toEqual({ wait_timeout: 1, target_paused: 1 })
  first.write('still\n')
  await first.received('first\nstill\n')
})

test('a client of a forward whose target refuses is disconnected, and the breaker counted', async () => {
  const service = await startForwards({
    targets: { it: { host: '127.0.0.1', port: 1, breaker: { failures: 1, openFor: '1m' } } },
    forwards: [{ listen: FREE, target: 'it' }],
  })
  const place = await service.place()
  await (await Visitor.at(place)).ended()
  await (await Visitor.at(place)).ended()
  const row = await forwardOnce(service.api, now => now.clients === 0 && count(now.refused) === 2)
  expect(row.refused).toEqual({ connect_refused: 1, breaker_open: 1 })
})

test('an operator sees the lease of a forward, and kills it', async () => {
  const { service, place } = await toEcho()
  const visitor = await Visitor.at(place)
  visitor.write('seen\n')
  await visitor.received('seen\n')
  const { leases } = jsonOf(await service.api.get('/v1/leases')) as { leases: Record<string, unknown>[] }
  const [lease] = leases
  expect(lease).toMatchObject({
    target: 'it',
    state: 'leased',
    lastOperation: 'forward',
    origin: `forward 127.0.0.1:${place.port}`,
  })
  expect((await service.api.request('DELETE', `/v1/leases/${lease?.['id']}?kill=true`)).status).toBe(200)
  await visitor.closed
  expect(visitor.error?.code).toBe('ECONNRESET')
  await forwardOnce(service.api, ({ served }) => served['killed'] === 1)
})

test('a service that closes gives the clients of its forwards their time, and no more', async () => {
  const server = await startLineServer(echoLine, { tolerant: true })
  const service = await startForwards({
    limits: { drainTimeout: '1s' },
    targets: { it: placeOf(server) },
    forwards: [{ listen: FREE, target: 'it' }],
  })
  const place = await service.place()
  const [leaving, staying] = [await Visitor.at(place), await Visitor.at(place)]
  for (const visitor of [leaving, staying]) {
    visitor.write('here\n')
    await visitor.received('here\n')
  }
  const closed = service.close()
  leaving.write('still\n')
  await leaving.received('here\nstill\n')
  leaving.socket.end()
  await staying.closed
  expect(staying.error?.code).toBe('ECONNRESET')
  await closed
})

test('a forward on a unix socket and one that speaks TLS serve their clients', async () => {
  const server = await startLineServer(echoLine, { tolerant: true })
  const { cert, key } = await makeCertificate('localhost')
  const path = `/tmp/sockpool-forward-${process.pid}.sock`
  const service = await startForwards(
    {
      targets: { it: placeOf(server, { frame: 'line' }) },
      forwards: [
        { listen: `unix:${path}`, target: 'it' },
        { listen: FREE, target: 'it', tls: { cert: 'cert.pem', key: 'key.pem' } },
      ],
    },
    { files: { 'cert.pem': cert, 'key.pem': key } },
  )
  const local = await Visitor.at({ path })
  local.write('local\n')
  await local.received('local\n')
  local.socket.end()
  await local.ended()
  const socket = connectTls({ ...(await service.place(1)), servername: 'localhost', ca: cert })
  const secured = Visitor.of(socket)
  await once(socket, 'secureConnect')
  secured.write('secret\n')
  await secured.received('secret\n')
  secured.socket.end()
  await secured.ended()
})

test.each([
  ['close_notify', {}, undefined],
  ['cut', {}, 'ECONNRESET'],
  ['cut', { allowTruncated: true }, undefined],
] as const)('a forward to a TLS target that ends by %s, with %j', async (end, more, code) => {
  const server = await startTlsEnder({ end, reply: 'sealed' })
  const { servername, ca } = server.trust
  const service = await startForwards(
    {
      targets: { it: placeOf(server, { tls: { ca: 'ca.pem', servername, ...more } }) },
      forwards: [{ listen: FREE, target: 'it' }],
    },
    { files: { 'ca.pem': ca } },
  )
  const visitor = await Visitor.at(await service.place())
  visitor.write('ask')
  await visitor.ended()
  expect(visitor.text).toBe('sealed')
  expect(visitor.error?.code).toBe(code)
})

test('a worker that is drained serves its clients on, and its successor listens in its place', async () => {
  const { service, place } = await toEcho()
  const visitor = await Visitor.at(place)
  visitor.write('x\n')
  await visitor.received('x\n')
  const answer = await service.api.post('/v1/workers/0/drain?timeoutMs=200', { json: {} })
  expect([200, 504]).toContain(answer.status)
  // A drained worker serves its clients on; its successor listens at the same place.
  visitor.write('y\n')
  await visitor.received('x\ny\n')
  const next = await Visitor.at(place)
  next.write('z\n')
  await next.received('z\n')
  await until('both are there', () => service.leases === 2)
})
