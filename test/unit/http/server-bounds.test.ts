import { once } from 'node:events'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { LIMITS } from '../../../src/base/limits.ts'
import { until } from '../../support/until.ts'
import { FakePool, harness } from './fakes.ts'

describe('the HTTP server', () => {
  test('bounds its connections, their requests, and the time of their headers', () => {
    const { server } = harness().app
    expect(server.maxConnections).toBe(LIMITS.httpConnectionsMax)
    expect(server.maxRequestsPerSocket).toBe(LIMITS.httpRequestsPerSocketMax)
    expect(server.headersTimeout).toBe(LIMITS.httpHeadersTimeoutMs)
    expect(server.keepAliveTimeout).toBe(LIMITS.httpKeepAliveMs)
    // Node's own bound of a whole request would cut an upload that flows.
    expect(server.requestTimeout).toBe(0)
  })

  test('cuts a client that takes none of a large answer, and says so', async () => {
    const pool = new FakePool()
    pool.reply = { data: Buffer.alloc(20_000_000), reused: false, offset: 0, eof: false, ending: null }
    const { app, log } = harness({ pool, auth: null, hosts: ['127.0.0.1'] })
    const accepted = once(app.server, 'connection') as Promise<[Socket]>
    await app.listen({ host: '127.0.0.1', port: 0 })
    const client = connect({ host: '127.0.0.1', port: (app.server.address() as AddressInfo).port })
    onTestFinished(() => void client.destroy())
    client.on('error', () => {}).once('data', () => client.pause())
    client.write(
      'POST /v1/exchange?target=cache&read=line HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1\r\n\r\nx',
    )
    const [socket] = await accepted
    await until('the answer has begun', () => socket.timeout === LIMITS.httpAnswerStallMs)
    // Node says so once nothing has left for that long.
    const closed = once(socket, 'close')
    socket.emit('timeout')
    await closed
    expect(log.join('')).toContain('did not read its answer')
  })
})
