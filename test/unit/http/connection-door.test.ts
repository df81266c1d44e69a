import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { AppDeps } from '../../../src/http/ports.ts'
import { testCertificate } from '../../support/tls-certs.ts'
import { harness, OPS_TOKEN } from './fakes.ts'

type Answer = { readonly status: number; readonly body: string; readonly headers: string }

/** A connection that asks one request after another. */
class Client {
  readonly socket: Socket
  isClosed = false
  readonly closed: Promise<void>

  constructor(socket: Socket) {
    this.socket = socket
    this.closed = new Promise(resolve => {
      socket
        .on('error', () => {})
        .once('close', () => {
          this.isClosed = true
          resolve()
        })
    })
    onTestFinished(() => void socket.destroy())
  }

  ask(path: string, token?: string): Promise<Answer> {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>()
    let text = ''
    const onData = (chunk: Buffer): void => {
      text += chunk.toString()
      const end = text.indexOf('\r\n\r\n')
      const length = Number(/content-length: (\d+)/i.exec(text)?.[1])
      if (end < 0 || text.length < end + 4 + length) return
      this.socket.off('data', onData)
      resolve({ status: Number(text.slice(9, 12)), headers: text.slice(0, end), body: text.slice(end + 4) })
    }
    this.socket.on('data', onData)
    void this.closed.then(() => reject(new Error('the connection was closed')))
    const authorization = token === undefined ? '' : `Authorization: Bearer ${token}\r\n`
    this.socket.write(`GET ${path} HTTP/1.1\r\nHost: service\r\n${authorization}\r\n`)
    return promise
  }
}

const CONNECTIONS = 8

async function listen(tls: AppDeps['tls'], open: (port: number) => Socket): Promise<() => Client> {
  const { app } = harness({ connectionsMax: CONNECTIONS, tls, hosts: ['service'] })
  await app.listen({ host: '127.0.0.1', port: 0 })
  onTestFinished(() => app.server.closeAllConnections())
  const address = app.server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  return () => new Client(open(port))
}

describe.each(['plain', 'TLS'] as const)('ConnectionDoor over %s', scheme => {
  async function service(): Promise<() => Client> {
    const { cert, key } = await testCertificate()
    const ca = cert
    return scheme === 'plain'
      ? listen(false, port => connect(port, '127.0.0.1'))
      : listen({ cert, key }, port => connectTls({ host: '127.0.0.1', port, ca, servername: 'localhost' }))
  }

  test('has the first of those without a token make room, and keeps the caller that showed one', async () => {
    const open = await service()
    const caller = open()
    expect((await caller.ask('/v1/stats', OPS_TOKEN)).status).toBe(200)
    const squatters: Client[] = []
    for (let index = 0; index < 3 * CONNECTIONS; index++) {
      const squatter = open()
      squatters.push(squatter)
      expect((await squatter.ask('/livez')).status).toBe(200)
    }
    await Promise.all(squatters.slice(0, 2 * CONNECTIONS).map(({ closed }) => closed))
    expect(squatters.filter(({ isClosed }) => !isClosed).length).toBeGreaterThan(CONNECTIONS / 2)
    expect((await caller.ask('/v1/stats', OPS_TOKEN)).status).toBe(200)
    expect((await open().ask('/v1/stats', OPS_TOKEN)).status).toBe(200)
  })

  test('leaves a probe its place when callers hold all of theirs, and tells the next caller to come again', async () => {
    const open = await service()
    const callers: Client[] = []
    let refused: Answer | null = null
    while (refused === null) {
      const caller = open()
      callers.push(caller)
      const answer = await caller.ask('/v1/stats', OPS_TOKEN)
      if (answer.status !== 200) refused = answer
    }
    expect(refused.status).toBe(503)
    expect(refused.headers).toMatch(/retry-after: \d/i)
    expect(refused.headers).toMatch(/connection: close/i)
    expect(JSON.parse(refused.body)).toMatchObject({ code: 'queue_full', retryable: true })
    expect(callers.length).toBeGreaterThan(CONNECTIONS / 2)
    expect((await open().ask('/livez')).status).toBe(200)
    callers[0]?.socket.destroy()
    await callers[0]?.closed
    await expect.poll(async () => (await open().ask('/v1/stats', OPS_TOKEN)).status).toBe(200)
  })
})
