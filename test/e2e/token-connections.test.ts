/** How many connections one token may have open at once, over the running service. */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { afterFile } from '../support/after-file.ts'
import { type Answer, type Api, jsonOf, problemOf, type Target } from '../support/api.ts'
import { dialledBy, type ServiceFixture, startServiceFixture } from '../support/service-fixture.ts'
import { within } from '../support/service-process.ts'
import { type TestCertificate, testCertificate } from '../support/tls-certs.ts'
import { startUpstream } from '../support/upstream.ts'

const token = (name: string, more: object = {}) => ({
  name,
  sha256: createHash('sha256').update(name).digest('hex'),
  ...more,
})
const TOKENS = [
  token('ops', { admin: true }),
  token('one', { limits: { connections: 1 } }),
  token('two', { limits: { connections: 2 } }),
]
const ROUND = { target: 'demo', write: { text: 'x\n' }, read: 'line' }

let service: ServiceFixture
let ops: Api
let certificate: TestCertificate

beforeAll(async () => {
  certificate = await testCertificate()
  service = await startServiceFixture({
    demo: true,
    config: { auth: { tokens: TOKENS }, egress: { allow: ['127.0.0.0/8'] } },
    finally: afterFile,
  })
  ops = service.api.as('ops')
})

/** A caller whose leases end with the test. */
function caller(name: string): Api {
  const api = service.api.as(name)
  const before = api.leases.length
  onTestFinished(async () => {
    await Promise.all(api.leases.slice(before).map(lease => lease.release('?discard=true')))
  })
  return api
}

function expectFull(answer: Answer): void {
  expect(problemOf(answer)).toMatchObject({ status: 503, code: 'queue_full', retryable: true })
  expect(Number(answer.headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
}

const ask = (api: Api, target: Target): Promise<Answer> => api.post('/v1/leases', { json: { target } })

/** A server of a described target that takes connections and leaves their handshake to the test. */
async function startMuteServer() {
  const sockets: Socket[] = []
  const server = createServer({ pauseOnConnect: true }, socket => {
    sockets.push(socket.on('error', () => {}))
    server.emit('held')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy()
    server.close()
    await once(server, 'close')
  })
  const { port } = server.address() as AddressInfo
  const target = { host: '127.0.0.1', port, tls: { ca: certificate.cert } }
  /** A caller of `api` who asks, and is gone before there is a connection. */
  const askAndLeave = async (api: Api): Promise<Socket> => {
    const controller = new AbortController()
    const held = once(server, 'held')
    const asked = api.post('/v1/leases', { json: { target }, signal: controller.signal })
    await Promise.race([held, asked])
    controller.abort()
    await expect(asked).rejects.toThrow('aborted')
    await untilRow(port, ({ waiters }) => waiters === 0)
    const socket = sockets.at(-1)
    if (!socket) throw new Error('nothing was dialled')
    return socket
  }
  return { target, port, askAndLeave }
}

type Row = {
  readonly name: string
  readonly waiters: number
  readonly connections: { readonly connecting: number; readonly closing: number }
}

/** Resolves when the pool counts so for the described target at the port. */
async function untilRow(port: number, isSo: (row: Row) => boolean): Promise<void> {
  let seen: Row | undefined
  const look = async (): Promise<void> => {
    while (seen === undefined || !isSo(seen)) {
      const { targets } = jsonOf<{ targets: Row[] }>(await ops.get('/v1/targets'))
      seen = targets.find(({ name }) => name === `127.0.0.1:${port}`)
    }
  }
  await within(10_000, look(), `the pool did not count ${isSo} of the target`).catch((error: Error) => {
    throw new Error(`${error.message}: ${JSON.stringify(seen)}`, { cause: error })
  })
}

describe('limits.connections of a token', () => {
  test('bounds its connections to all targets together, until one is released', async () => {
    const upstream = await startUpstream()
    onTestFinished(() => upstream.close())
    const place = { host: upstream.host, port: upstream.port }
    const two = caller('two')
    await two.lease('demo')
    const described = await two.lease(place)
    const before = await dialledBy(ops)
    for (const target of ['demo', 'demo-tls', place] as const) expectFull(await ask(two, target))
    expectFull(await two.post('/v1/exchange', { json: ROUND }))
    expect(await dialledBy(ops)).toBe(before)
    const other = caller('ops')
    for (let n = 0; n < 4; n++) await other.lease('demo')
    expect((await described.release()).status).toBe(200)
    await two.lease('demo-tls')
    expectFull(await ask(two, place))
  })

  test('bounds requests that come at once', async () => {
    const two = caller('two')
    const answers = await Promise.all(Array.from({ length: 12 }, () => ask(two, 'demo')))
    for (const answer of answers) if (answer.status === 201) two.held(jsonOf(answer))
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 201, ...Array(10).fill(503)])
  })

  test('leaves out what went back to the pool, so that one connection serves again and again', async () => {
    const one = caller('one')
    for (let n = 0; n < 20; n++) expect((await one.post('/v1/exchange', { json: ROUND })).status).toBe(200)
    for (let n = 0; n < 5; n++) {
      const lease = await one.lease('demo')
      expectFull(await one.post('/v1/exchange', { json: ROUND }))
      expect((await lease.release()).status).toBe(200)
    }
  })

  test('gives way when a connection is lost, though nobody released it', async () => {
    const upstream = await startUpstream()
    onTestFinished(() => upstream.close())
    const one = caller('one')
    const lease = await one.lease({ host: upstream.host, port: upstream.port })
    const peer = await upstream.next()
    expectFull(await ask(one, 'demo'))
    const reading = lease.call('readline')
    await lease.begun('readline')
    peer.reset()
    expect(problemOf(await reading).code).toBe('connection_reset')
    // The read hears of the reset; that the socket is gone, and the lease with it, comes after.
    await expect.poll(async () => problemOf(await lease.call('readline')).code).toBe('lease_gone')
    await one.lease('demo')
  })

  test('counts a dial for as long as its caller waits, and leaves none to those who have left', async () => {
    const two = caller('two')
    const mute = await startMuteServer()
    const socket = await mute.askAndLeave(two)
    await untilRow(mute.port, ({ connections }) => connections.connecting + connections.closing === 0)
    // The connection went with the caller, though its TLS handshake was under way.
    socket.resume()
    if (!socket.closed) await once(socket, 'close')
    const held = await two.lease('demo')
    await two.lease('demo-tls')
    expectFull(await ask(two, 'demo'))
    expectFull(await ask(two, mute.target))
    // Another's dials are none of its own.
    await caller('one').lease('demo')
    await held.release()
    await two.lease('demo')
  })
})
