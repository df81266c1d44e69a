/** Requests that one connection sends ahead of their answers: in turn, wherever one of them is more than a look. */
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { LIMITS } from '../../src/base/limits.ts'
import { afterFile } from '../support/after-file.ts'
import type { HeldLease } from '../support/api.ts'
import { RawConnection } from '../support/raw-connection.ts'
import { type ServiceFixture, startServiceFixture } from '../support/service-fixture.ts'
import { type Peer, startUpstream, type Upstream } from '../support/upstream.ts'

let upstream: Upstream
let service: ServiceFixture

beforeAll(async () => {
  upstream = await startUpstream()
  afterFile(() => upstream.close())
  const { host, port } = upstream
  service = await startServiceFixture({ config: { targets: { peer: { host, port } } }, finally: afterFile })
})

async function leased(): Promise<{ lease: HeldLease; peer: Peer }> {
  const lease = await service.api.lease('peer')
  onTestFinished(() => void lease.release('?discard=true'))
  return { lease, peer: await upstream.next() }
}

function open(): RawConnection {
  const connection = RawConnection.open(service.port)
  onTestFinished(() => void connection.socket.destroy())
  return connection
}

/** One request as bytes. */
function request(method: string, path: string, body = '', headers = ''): string {
  return (
    `${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1:${service.port}\r\n` +
    `Authorization: Bearer ${service.token}\r\n${headers}Content-Length: ${body.length}\r\n\r\n${body}`
  )
}

describe('pipelined requests', () => {
  test('let a release wait for the read before it', async () => {
    const { lease, peer } = await leased()
    const connection = open()
    connection.send(request('POST', `${lease.path}/readline`) + request('DELETE', lease.path))
    await lease.begun('readline')
    await peer.send('one line\n')
    await connection.answers(2)
    expect(connection.statuses).toEqual([200, 200])
    expect(connection.text).toContain('one line\n')
    expect(connection.text).toContain('"outcome":"closed"')
  })

  test.each([
    ['PATCH', 'DELETE', 'DELETE'],
    ['DELETE', 'GET', 'HEAD'],
    ['GET', 'DELETE', 'GET'],
  ])('take effect one after the other: %s, %s, %s', async (...methods) => {
    const { lease } = await leased()
    const connection = open()
    const bodies = { PATCH: '{"ttlMs":60000}' } as Readonly<Record<string, string>>
    const json = 'Content-Type: application/json\r\n'
    connection.send(methods.map(method => request(method, lease.path, bodies[method] ?? '', json)).join(''))
    await connection.answers(3)
    // What comes behind the release finds the lease gone, and what comes before it does not.
    const released = methods.indexOf('DELETE')
    expect(connection.statuses).toEqual(methods.map((_, at) => (at <= released ? 200 : 410)))
  })

  test('write in their order, each when the one before it is done', async () => {
    const { lease, peer } = await leased()
    const connection = open()
    const texts = Array.from({ length: 100 }, (_, n) => `${n},`)
    connection.send(texts.map(text => request('POST', `${lease.path}/write`, text)).join(''))
    const whole = texts.join('')
    expect((await peer.received(whole.length)).toString()).toBe(whole)
    await connection.answers(texts.length)
    expect(new Set(connection.statuses)).toEqual(new Set([200]))
  })

  test('of looks alone run side by side, also behind a read that waits on another connection', async () => {
    const { lease, peer } = await leased()
    const reading = lease.call('readline')
    await lease.begun('readline')
    const connection = open()
    connection.send(request('GET', lease.path).repeat(50))
    await connection.answers(50)
    await peer.send('\n')
    expect((await reading).status).toBe(200)
  })

  test('are not read without end while the first one waits', async () => {
    const { lease, peer } = await leased()
    const connection = open()
    connection.send(request('POST', `${lease.path}/readline`))
    await lease.begun('readline')
    connection.send(request('POST', `${lease.path}/readline`).repeat(LIMITS.httpPipelinedMax * 3))
    await peer.send('\n'.repeat(LIMITS.httpPipelinedMax * 3 + 1))
    await connection.answers(LIMITS.httpPipelinedMax * 3 + 1)
    expect(new Set(connection.statuses)).toEqual(new Set([200]))
  })

  test('behind an answer that ends the connection are never begun', async () => {
    const { lease } = await leased()
    const connection = open()
    const close = 'Connection: close\r\n'
    connection.send(request('GET', lease.path, '', close) + request('DELETE', lease.path))
    await connection.over()
    expect(connection.statuses).toEqual([200])
    expect((await lease.look()).status).toBe(200)
  })

  test('that wait when their client goes are never begun', async () => {
    const { lease, peer } = await leased()
    const connection = open()
    connection.send(request('POST', `${lease.path}/readline`) + request('DELETE', lease.path))
    await lease.begun('readline')
    connection.socket.resetAndDestroy()
    await lease.idle()
    await peer.send('kept\n')
    expect((await lease.call('readline')).text).toBe('kept\n')
  })

  test.each([
    ['no request', 'GARBAGE\r\n\r\n'],
    [
      'a body that cannot be read',
      'POST /v1/leases HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n',
    ],
  ])('are answered before %s that comes behind them', async (_title, bytes) => {
    const { lease, peer } = await leased()
    const connection = open()
    connection.send(request('POST', `${lease.path}/readline`) + bytes)
    await lease.begun('readline')
    await peer.send('first\n')
    await connection.over()
    expect(connection.statuses).toEqual([200, 400])
    expect(connection.text).toMatch(/first\n.*application\/problem\+json/s)
  })
})
