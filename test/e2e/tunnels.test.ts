/** Raw tunnels over leases: CONNECT, as an HTTP proxy opens them, and `Upgrade: tcp`. */
import { connect } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { jsonOf } from '../support/api.ts'
import { Visitor } from '../support/forward-fixture.ts'
import { echoLine, startLineServer } from '../support/line-server.ts'
import { sendRaw } from '../support/raw-http.ts'
import { type ServiceFixture, startServiceFixture } from '../support/service-fixture.ts'
import { startTestServer } from '../support/test-server.ts'
import { until } from '../support/until.ts'

async function started(port: number, more: object = {}): Promise<ServiceFixture> {
  return await startServiceFixture({
    config: {
      limits: { drainTimeout: 0 },
      targets: { cache: { host: '127.0.0.1', port, reuse: 'clean', pool: { max: 4 } } },
      ...more,
    },
    finally: onTestFinished,
  })
}

const echo = async () => (await startLineServer(echoLine, { tolerant: true, halfOpen: true })).port

/** A tunnel whose head has been read; what came with it is the first of its bytes. */
async function open(
  service: ServiceFixture,
  line: string,
  headers: readonly string[],
  rest = '',
): Promise<Visitor> {
  const visitor = Visitor.of(connect({ host: '127.0.0.1', port: service.port, allowHalfOpen: true }))
  visitor.write([`${line} HTTP/1.1`, `Host: 127.0.0.1:${service.port}`, ...headers, '', rest].join('\r\n'))
  await until('there is an answer', () => visitor.text.includes('\r\n\r\n'))
  return visitor
}

const basic = (text: string) => `Proxy-Authorization: Basic ${Buffer.from(text).toString('base64')}`
const OK = 'HTTP/1.1 200 Connection Established\r\n\r\n'
const SWITCHED = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n'

const connected = (service: ServiceFixture, authority = 'cache:1', rest = '') =>
  open(service, `CONNECT ${authority}`, [basic(`any:${service.token}`)], rest)

const upgraded = (service: ServiceFixture, target = 'cache', rest = '') =>
  open(
    service,
    `GET /v1/connect/${encodeURIComponent(target)}`,
    [`Authorization: Bearer ${service.token}`, 'Connection: Upgrade', 'Upgrade: tcp'],
    rest,
  )

const WAYS = [
  ['CONNECT', OK, connected],
  ['Upgrade: tcp', SWITCHED, upgraded],
] as const

test.each(WAYS)('%s opens a tunnel, which passes bytes and ends on', async (_name, answer, openTunnel) => {
  const service = await started(await echo())
  // What comes right behind the request is the first that the target gets.
  const visitor = await openTunnel(service, undefined, 'early\n')
  await visitor.received(`${answer}early\n`)
  visitor.write('later\n')
  await visitor.received(`${answer}early\nlater\n`)
  const { leases } = jsonOf(await service.api.get('/v1/leases')) as { leases: Record<string, unknown>[] }
  expect(leases).toMatchObject([{ target: 'cache', lastOperation: 'tunnel' }])
  visitor.socket.end('last\n')
  await until('its last word is answered', () => visitor.text.endsWith('last\n'))
})

test.each(WAYS)(
  '%s: a lease that is killed ends its tunnel by a reset',
  async (_name, answer, openTunnel) => {
    const service = await started(await echo())
    const visitor = await openTunnel(service)
    visitor.write('x\n')
    await visitor.received(`${answer}x\n`)
    const { leases } = jsonOf(await service.api.get('/v1/leases')) as { leases: { id: string }[] }
    await service.api.request('DELETE', `/v1/leases/${leases[0]?.id}?kill=true`)
    await visitor.closed
    expect(visitor.error?.code).toBe('ECONNRESET')
  },
)

test.each(WAYS)('%s: a client that goes takes its lease along', async (_name, answer, openTunnel) => {
  const server = await startLineServer(echoLine, { tolerant: true })
  const service = await started(server.port)
  const visitor = await openTunnel(service)
  visitor.write('x\n')
  await visitor.received(`${answer}x\n`)
  expect(service.leases).toBe(1)
  visitor.socket.resetAndDestroy()
  await until('its lease has ended', () => service.leases === 0)
  await until('its connection is closed', () => server.sockets.size === 0)
})

test.each(WAYS)(
  '%s: a target that ends, or breaks, ends its tunnel so',
  async (_name, answer, openTunnel) => {
    const server = await startLineServer(
      (line, socket) => {
        if (line === 'end') socket.end('done\n')
        else socket.resetAndDestroy()
      },
      { tolerant: true },
    )
    const service = await started(server.port)
    const ending = await openTunnel(service)
    ending.write('end\n')
    await ending.ended()
    expect([ending.text, ending.error]).toEqual([`${answer}done\n`, null])
    ending.socket.end()
    const breaking = await openTunnel(service)
    breaking.write('break\n')
    await breaking.closed
    expect(breaking.error?.code).toBe('ECONNRESET')
    await until('both leases have ended', () => service.leases === 0)
  },
)

test.each(WAYS)(
  '%s: what a client has sent behind the end of the target is still its last word',
  async (_name, answer, openTunnel) => {
    let heard = 0
    const server = await startTestServer(
      socket => {
        socket.end('bye\n')
        // The client is gone long before its last byte is taken.
        socket.on('data', ({ length }) => {
          heard += length
          socket.pause()
          setTimeout(() => socket.resume(), 20)
        })
      },
      { tolerant: true, halfOpen: true },
    )
    const service = await started(server.port)
    const visitor = await openTunnel(service)
    await visitor.received(`${answer}bye\n`)
    const word = Buffer.alloc(1_000_000, 'x')
    visitor.socket.end(word)
    await visitor.closed
    await until('all has come', () => heard === word.length, 20_000)
    expect(visitor.error).toBeNull()
    await until('its lease has ended', () => service.leases === 0)
  },
)

test.each(WAYS)('%s: neither side outruns the other', async (_name, _answer, openTunnel) => {
  const server = await startTestServer(socket => void socket.pipe(socket), { halfOpen: true, tolerant: true })
  const service = await started(server.port)
  const visitor = await openTunnel(service)
  const head = visitor.bytes
  visitor.socket.pause()
  const piece = Buffer.alloc(1 << 20, 'z')
  let sent = 0
  // The echo stands still once nobody takes it, and then so does whoever sends.
  while (visitor.socket.writableLength < 8 * piece.length) {
    visitor.socket.write(piece)
    sent += piece.length
    if (sent > 100 * piece.length) throw new Error('more was taken than anybody could hold')
    await new Promise(resolve => setTimeout(resolve, 5))
  }
  visitor.socket.resume()
  visitor.socket.end()
  await visitor.ended()
  expect(visitor.bytes - head).toBe(sent)
})

test('CONNECT takes a token in each of the forms in which proxies are given one', async () => {
  const service = await started(await echo())
  for (const header of [
    `Proxy-Authorization: Bearer ${service.token}`,
    basic(`any:${service.token}`),
    basic(`${service.token}:`),
  ]) {
    const visitor = await open(service, 'CONNECT cache:443', [header])
    expect(visitor.text).toBe(OK)
  }
})

test('CONNECT to what is no target is judged as a described one', async () => {
  const port = await echo()
  const service = await started(port, { egress: { allow: [`127.0.0.1/32:${port}`] } })
  const visitor = await connected(service, `127.0.0.1:${port}`)
  visitor.write('x\n')
  await visitor.received(`${OK}x\n`)
  const ask = (authority: string) =>
    sendRaw(
      service.port,
      `CONNECT ${authority} HTTP/1.1\r\nHost: x\r\n${basic(`a:${service.token}`)}\r\n\r\n`,
    )
  for (const [authority, status, code] of [
    ['127.0.0.1:1', 403, 'target_denied'],
    ['nowhere.example', 400, 'invalid_request'],
    ['cache:0', 400, 'invalid_request'],
  ] as const) {
    const answer = await ask(authority)
    expect([answer.status, JSON.parse(answer.body).code]).toEqual([status, code])
  }
})

test('a tunnel that cannot be opened is answered as any other request', async () => {
  const service = await started(1)
  const ask = (line: string, ...headers: string[]) =>
    sendRaw(
      service.port,
      [`${line} HTTP/1.1`, `Host: 127.0.0.1:${service.port}`, ...headers, '', ''].join('\r\n'),
    )
  const upgrade = ['Connection: Upgrade', 'Upgrade: tcp']
  const token = `Authorization: Bearer ${service.token}`
  expect((await ask('GET /v1/connect/cache', ...upgrade)).status).toBe(401)
  expect((await ask('GET /v1/connect/cache', token, 'Connection: close')).status).toBe(426)
  expect((await ask('GET /v1/connect/nowhere', token, ...upgrade)).status).toBe(404)
  expect((await ask('GET /v1/connect/cache?waitMs=x', token, ...upgrade)).status).toBe(400)
  const refused = await ask('GET /v1/connect/cache', token, ...upgrade)
  expect([refused.status, JSON.parse(refused.body).code]).toEqual([502, 'connect_refused'])
  const proxied = await ask('CONNECT cache:1', basic(`any:${service.token}`))
  expect([proxied.status, JSON.parse(proxied.body).code]).toEqual([502, 'connect_refused'])
})

test('a service that closes ends its tunnels', async () => {
  const service = await started(await echo())
  const [first, second] = [await connected(service), await upgraded(service)]
  await service.close()
  await Promise.all([first.closed, second.closed])
})
