/** `undici`, unchanged, over leased connections to HTTP servers in this process: the `connect` hook brings them. */
import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { Socket } from 'node:net'
import { Agent, fetch, request } from 'undici'
import { describe, expect, onTestFinished, test } from 'vitest'
import { watchLeaks } from '../support/leak-watch.ts'
import { LARGE_BYTES, type LeasedSockets, leaseSockets, ROUNDS } from '../support/leased-sockets.ts'
import { testCertificate } from '../support/tls-certs.ts'

const echo: RequestListener = (request, response) => {
  response.setHeader('path', request.url ?? '')
  request.pipe(response)
}

async function listen(server: Server): Promise<number> {
  watchLeaks()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(async () => {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the server has no port')
  return address.port
}

function dispatcher(sockets: LeasedSockets, connections: number): Agent {
  const agent = new Agent({
    connections,
    connect: (_options, callback) => {
      sockets.socket().then(
        socket => callback(null, socket as unknown as Socket),
        (error: Error) => callback(error, null),
      )
    },
  })
  onTestFinished(() => agent.destroy())
  return agent
}

describe('undici over leases', () => {
  test('answers 1,000 requests over at most 4 connections', async () => {
    const port = await listen(createServer(echo))
    const sockets = await leaseSockets({ host: '127.0.0.1', port, pool: { max: 4 } })
    const agent = dispatcher(sockets, 4)
    const answers = Array.from({ length: ROUNDS }, async (_, index) => {
      const {
        headers: { path },
        body,
      } = await request(`http://it.test/${index}`, {
        dispatcher: agent,
        method: 'POST',
        body: `body ${index}`,
      })
      return [path, await body.text()]
    })
    const all = await Promise.all(answers)
    expect(all).toEqual(all.map((_, index) => [`/${index}`, `body ${index}`]))
    expect(sockets.pool.stats().leases).toBeLessThanOrEqual(4)
    await agent.close()
    await sockets.settled()
  })

  test('carries 10 MB there and back', async () => {
    const port = await listen(createServer(echo))
    const sockets = await leaseSockets({ host: '127.0.0.1', port })
    const agent = dispatcher(sockets, 1)
    const sent = Buffer.alloc(LARGE_BYTES, 'sockpool ')
    const { body } = await request('http://it.test/', { dispatcher: agent, method: 'POST', body: sent })
    expect(Buffer.from(await body.arrayBuffer()).equals(sent)).toBe(true)
    await agent.close()
    await sockets.settled()
  })

  test('speaks to an HTTPS origin where the pool does the TLS', async () => {
    const { key, cert } = await testCertificate()
    const port = await listen(createTlsServer({ key, cert }, echo))
    const tls = { ca: cert, servername: 'localhost' }
    const sockets = await leaseSockets({ host: '127.0.0.1', port, tls })
    const agent = dispatcher(sockets, 1)
    const sent = Buffer.alloc(LARGE_BYTES, 'sockpool ')
    const response = await fetch('https://it.test/', { dispatcher: agent, method: 'POST', body: sent })
    expect(Buffer.from(await response.arrayBuffer()).equals(sent)).toBe(true)
    await agent.close()
    await sockets.settled()
  })

  test('notices that the server reset the connection, and leases another', async () => {
    const server = createServer((request, response) => {
      if (request.url !== '/broken') return echo(request, response)
      response.write('the beginning')
      return void request.socket.resetAndDestroy()
    })
    const sockets = await leaseSockets({ host: '127.0.0.1', port: await listen(server) })
    const agent = dispatcher(sockets, 1)
    const outcome = await request('http://it.test/broken', { dispatcher: agent })
      .then(({ body }) => body.text())
      .catch((error: Error & { code?: string }) => error.code)
    expect(['UND_ERR_SOCKET', 'ECONNRESET']).toContain(outcome)
    const {
      headers: { path },
      body,
    } = await request('http://it.test/next', { dispatcher: agent })
    await body.dump()
    expect(path).toBe('/next')
    await agent.close()
    await sockets.settled()
  })
})
