/** How many calls for other instances there may be at once, and which headers they have. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { IdOwner } from '../../../src/base/fleet-data.ts'
import { LIMITS } from '../../../src/base/limits.ts'
import { guardedApp } from '../../../src/http/app.ts'
import { silenceMaxMs } from '../../../src/http/connection-silence.ts'
import { LiveDoor } from '../../../src/http/door/live-door.ts'
import { answeredHeaders, framingOf, sentHeaders } from '../../../src/http/forwarding/call-headers.ts'
import { registerForwarding } from '../../../src/http/forwarding/forwarding.ts'
import { failedCall } from '../../../src/http/forwarding/owner-problems.ts'
import type { DoorDeps } from '../../../src/http/ports.ts'
import { sendRaw } from '../../support/raw-http.ts'
import { until } from '../../support/until.ts'

const DEPS: DoorDeps = {
  auth: null,
  listen: { kind: 'tcp', host: '127.0.0.1', port: 0 },
  hosts: [],
  origins: [],
  tls: false,
  limits: { bodyBytes: 65_536, operationTimeoutMs: 1_000 },
  isClosing: () => false,
  accessLog: () => 'errors',
  log: { level: 'silent' },
}

async function startForwarding(owner: IdOwner, callsMax: number, more: { silenceMs?: number } = {}) {
  const results: string[] = []
  const fleet = {
    name: 'me',
    state: 'joined',
    secret: null,
    secrets: [],
    tls: undefined,
    ownerOf: () => owner,
    newId: () => 'new',
    rows: () => Promise.resolve({ instances: [], caps: {} }),
  } as const
  const app: FastifyInstance = guardedApp(DEPS, new LiveDoor(DEPS), own => {
    const knows = { lease: () => false, listener: () => false }
    const forwarded = { count: (result: string) => void results.push(result) }
    registerForwarding(own, { ...DEPS, fleet, knows, callsMax, forwarded, ...more })
    own.get('/v1/leases/:id', () => 'own')
    own.post('/v1/leases/:id/write', () => 'own')
    own.get('/v1/leases/:id/stream', { config: { upgrade: 'websocket' } as object }, () => 'own')
    return null
  })
  await app.listen({ host: '127.0.0.1', port: 0 })
  onTestFinished(() => app.close())
  const open = new Set<Socket>()
  app.server.on('connection', socket => {
    open.add(socket)
    socket.once('close', () => open.delete(socket))
  })
  return { port: (app.server.address() as AddressInfo).port, results, open }
}

/** Where an instance is reached that does with each connection as the test says. */
async function startOwner(serve: (socket: Socket) => void): Promise<string> {
  const sockets: Socket[] = []
  const server = createServer(socket => {
    sockets.push(socket.on('error', () => {}))
    serve(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** One that answers each request so, and ends. */
function startAnswering(answer: string): Promise<string> {
  return startOwner(socket => void socket.once('data', () => socket.end(answer, 'latin1')))
}

describe('calls for other instances', () => {
  test('are refused beyond a bound, and free their place when they end', async () => {
    const held: Socket[] = []
    const origin = await startOwner(socket => void held.push(socket))
    const { port, results } = await startForwarding({ kind: 'other', name: 'slow', origin }, 2)
    const host = `host: 127.0.0.1:${port}`
    const ask = (path: string, ...more: string[]) =>
      sendRaw(port, [`GET ${path} HTTP/1.1`, host, ...more, '', ''].join('\r\n'))
    const plain = ask('/v1/leases/a', 'connection: close')
    const stream = ask('/v1/leases/a/stream', 'connection: upgrade', 'upgrade: websocket')
    await until('both are there', () => held.length === 2)
    const third = await ask('/v1/leases/a', 'connection: close')
    expect([third.status, JSON.parse(third.body)]).toMatchObject([503, { code: 'queue_full' }])
    for (const socket of held)
      socket.end('HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok')
    expect([(await plain).body, (await stream).body]).toEqual(['ok', 'ok'])
    const fourth = ask('/v1/leases/a', 'connection: close')
    await until('it has a place', () => held.length === 3)
    held.at(-1)?.destroy()
    expect((await fourth).status).toBe(503)
    expect(results).toEqual(['queue_full', 'ok', 'ok', 'instance_unreachable'])
  })
})

describe('an owner that says nothing', () => {
  const silent = async (method: string, path: string, body = '') => {
    const open = new Set<Socket>()
    const heard: string[] = []
    const origin = await startOwner(socket => {
      open.add(socket)
      socket.on('data', bytes => heard.push(String(bytes))).once('close', () => open.delete(socket))
    })
    const owner = { kind: 'other', name: 'mute', origin } as const
    const { port, results } = await startForwarding(owner, 1, { silenceMs: 100 })
    const head = [
      `${method} ${path} HTTP/1.1`,
      ...[`host: 127.0.0.1:${port}`, 'connection: close', `content-length: ${body.length}`],
      ...['content-type: application/octet-stream', '', body],
    ]
    const { status, body: text } = await sendRaw(port, head.join('\r\n'))
    await until('its connection is closed', () => open.size === 0)
    return { status, problem: JSON.parse(text), results, heard: heard.join('') }
  }

  test('is unreachable after a while, and nothing is kept of the call', async () => {
    const { status, problem, results } = await silent('GET', '/v1/leases/a')
    expect([status, problem]).toMatchObject([503, { code: 'instance_unreachable', retryable: true }])
    expect(results).toEqual(['instance_unreachable'])
  })

  test('may have done what it was asked for', async () => {
    const { problem, heard } = await silent('POST', '/v1/leases/a/write', 'bytes')
    expect(heard).toMatch(/bytes$/)
    expect(problem).toMatchObject({ code: 'instance_unreachable', retryable: false })
  })
})

test('an owner that says nothing is given up before the connection of its caller is cut', async () => {
  const longestMs = Math.max(DEPS.limits.operationTimeoutMs, LIMITS.leaseWaitMsMax)
  const silenceMs = silenceMaxMs(DEPS.limits) - LIMITS.forwardedGraceMs
  expect(silenceMs).toBeGreaterThan(longestMs)
  const app = guardedApp(DEPS, new LiveDoor(DEPS), () => null)
  onTestFinished(() => app.close())
  expect(app.server.timeout).toBeGreaterThan(silenceMs)
})

describe('an owner whose answer cannot be passed on', () => {
  const asked = async (answer: string, ...more: string[]) => {
    const origin = await startAnswering(answer)
    const { port, results } = await startForwarding({ kind: 'other', name: 'odd', origin }, 1)
    const head = [
      `GET /v1/leases/a HTTP/1.1`,
      `host: 127.0.0.1:${port}`,
      ...more,
      'connection: close',
      '',
      '',
    ]
    const { status, body } = await sendRaw(port, head.join('\r\n'))
    const { code, retryable } = JSON.parse(body) as Record<string, unknown>
    return { status, code, retryable, results }
  }
  const REFUSED = { status: 503, code: 'instance_unreachable', retryable: true }

  test.each([
    ['has a status that is none', 'HTTP/1.1 999 Odd\r\ncontent-length: 2\r\nx-own: 1\r\n\r\nok'],
    ['has a header that is none', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-own: \u0001\r\n\r\nok'],
    [
      'switches protocols unasked',
      'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n',
    ],
    ['ends before it begins', ''],
    ['is no HTTP', '220 mail.example\r\n'],
  ])('%s: it is 503, and the next call finds the service as it was', async (_what, answer) => {
    expect(await asked(answer)).toEqual({ ...REFUSED, results: ['instance_unreachable'] })
  })
})

describe('a call that could not be answered', () => {
  const failed = (method: string, path: string, headers: Record<string, string> = {}) => {
    const error = failedCall('odd', { isSent: true, method, path, headers }, new Error('broke'))
    return error.retryable
  }

  test('may be repeated where it comes to the same: a stream of lines only where the call says where it begins', () => {
    expect(failed('GET', '/v1/leases/a')).toBe(true)
    expect(failed('POST', '/v1/leases/a/readline')).toBe(false)
    expect(failed('POST', '/v1/leases/a/readline?offset=3')).toBe(true)
    expect(failed('GET', '/v1/leases/a/lines')).toBe(false)
    expect(failed('GET', '/v1/leases/a/lines?limit=3')).toBe(false)
    expect(failed('GET', '/v1/leases/a/lines?offset=3')).toBe(true)
    expect(failed('GET', '/v1/leases/a/lines', { 'last-event-id': '' })).toBe(false)
    expect(failed('GET', '/v1/leases/a/lines', { 'last-event-id': '3' })).toBe(true)
    expect(failed('GET', '/v1/leases/lines')).toBe(true)
  })
})

test('a call for which this instance has no descriptor left has moved nothing, and may come again', () => {
  const call = { isSent: false, method: 'POST', path: '/v1/leases/a/write', headers: {} }
  const cause = Object.assign(new Error('connect EMFILE 10.0.0.1:7070'), { code: 'EMFILE' })
  expect(failedCall('far', call, cause)).toMatchObject({
    ...{ code: 'QUEUE_FULL', reason: 'EMFILE', retryable: true },
    ...{ bytesDelivered: 0, bytesAccepted: 0 },
  })
})

describe('the place of a call', () => {
  const ask = (port: number, path: string, ...more: string[]) => {
    const head = [`GET ${path} HTTP/1.1`, `host: 127.0.0.1:${port}`, ...more, '', '']
    return head.join('\r\n')
  }

  test('is free again once it is answered on a connection that was to leave HTTP', async () => {
    const origin = await startAnswering('HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok')
    const { port } = await startForwarding({ kind: 'other', name: 'slow', origin }, 1)
    const leaving = ask(port, '/v1/leases/a/stream', 'connection: upgrade', 'upgrade: tcp')
    for (let count = 0; count < 2; count++)
      expect(await sendRaw(port, leaving)).toMatchObject({ status: 200, body: 'ok' })
  })

  test('is free again where its connection goes before its turn to be answered', async () => {
    const held: Socket[] = []
    const origin = await startOwner(socket => void held.push(socket.resume()))
    const { port, open } = await startForwarding({ kind: 'other', name: 'slow', origin }, 2)
    for (const count of [2, 4]) {
      const client = connect({ host: '127.0.0.1', port })
      client.write(ask(port, '/v1/leases/a') + ask(port, '/v1/leases/b'))
      await until('both are there', () => held.length === count)
      client.destroy()
      await until('both are over', () => held.every(({ closed }) => closed))
      await until('the connection has gone', () => open.size === 0)
    }
  })
})

describe('headers', () => {
  test('of a request lose what concerns its connection, its page and what instances say alone', () => {
    const kept = { authorization: 'Bearer x', 'x-own': '1', accept: 'text/plain', traceparent: '00-…' }
    expect(
      sentHeaders({
        ...kept,
        connection: 'keep-alive, X-Hop',
        'x-hop': '1',
        'keep-alive': 'timeout=1',
        te: 'trailers',
        trailer: 'x',
        upgrade: 'websocket',
        'transfer-encoding': 'chunked',
        'content-length': '3',
        expect: '100-continue',
        'proxy-authorization': 'Basic eA==',
        origin: 'http://page.example',
        'sec-fetch-site': 'same-origin',
        'sockpool-caller': 'forged',
        'sockpool-forwarded': 'forged',
      }),
    ).toEqual(kept)
    expect(framingOf({ 'content-length': '3', expect: '100-continue' })).toEqual({
      'content-length': '3',
      expect: '100-continue',
    })
    expect(framingOf({ 'transfer-encoding': 'chunked' })).toEqual({ 'transfer-encoding': 'chunked' })
  })

  test('that say who calls, and of which body, are kept whatever Connection names', () => {
    const kept = {
      authorization: 'Bearer x',
      host: 'here.example',
      'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
      'sec-websocket-protocol': 'sockpool.v1, token.x',
      'sec-websocket-version': '13',
    }
    const connection = ['Upgrade', 'Content-Length', 'X-Hop', ...Object.keys(kept)].join(', ')
    expect(sentHeaders({ ...kept, 'x-hop': '1', connection })).toEqual(kept)
    expect(answeredHeaders({ 'content-length': '3', 'x-hop': '1', connection })).toEqual({
      'content-length': '3',
    })
  })

  test('of an answer keep what it says, but for its connection and the pages of its own instance', () => {
    expect(
      answeredHeaders({
        'content-type': 'text/plain',
        'sockpool-offset': '1',
        upgrade: 'websocket',
        vary: 'accept, origin',
        connection: 'close',
        'keep-alive': 'timeout=72',
        'transfer-encoding': 'chunked',
        'access-control-allow-origin': 'http://page.example',
      }),
    ).toEqual({ 'content-type': 'text/plain', 'sockpool-offset': '1', upgrade: 'websocket', vary: 'accept' })
    expect(answeredHeaders({ vary: 'origin' })).toEqual({})
  })
})
