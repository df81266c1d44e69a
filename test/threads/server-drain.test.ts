/** A server that closes while clients are there, within a time. */
import type { Socket } from 'node:net'
import { expect, test } from 'vitest'
import type { Server } from '../../src/pool/server/server.ts'
import { closed, dial, echoLines, serve } from '../support/server-fixture.ts'
import { until } from '../support/until.ts'

/** An echo server, and so many clients that its handler has. */
async function serveClients(count: number): Promise<{ server: Server; clients: readonly Socket[] }> {
  let served = 0
  const { server } = await serve((reader, writer) => {
    served++
    return echoLines(reader, writer)
  })
  const clients = await Promise.all(Array.from({ length: count }, () => dial(server)))
  await until('they were served', () => served === count)
  return { server, clients }
}

test('Server.close with drainMs lets clients finish, and is over when they have', async () => {
  const { server, clients } = await serveClients(1)
  let text = ''
  for (const client of clients) client.on('data', bytes => (text += bytes))
  server.close({ drainMs: 60_000 })
  for (const client of clients) client.write('one\n')
  await until('it was answered', () => text === 'one\n')
  expect(server.isServing()).toBe(false)
  for (const client of clients) client.end()
  await server.waitClosed({ timeoutMs: 5_000 })
})

test('Server.close with drainMs closes those who are still there then', async () => {
  const { server, clients } = await serveClients(2)
  server.close({ drainMs: 30 })
  await server.waitClosed({ timeoutMs: 5_000 })
  expect(server.stats().clients).toBe(0)
  for (const client of clients) await closed(client)
})

test('Server.close may be told of a sooner end, never of a later one, and leaves clients alone where it says none', async () => {
  const { server, clients } = await serveClients(1)
  server.close()
  await expect(server.waitClosed({ timeoutMs: 30 })).rejects.toMatchObject({ code: 'DRAIN_TIMEOUT' })
  server.close({ drainMs: 60_000 })
  server.close({ drainMs: 0 })
  server.close({ drainMs: 60_000 })
  await server.waitClosed({ timeoutMs: 5_000 })
  server.close({ drainMs: 5 })
  await server.waitClosed()
  for (const client of clients) await closed(client)
})

test.each([-1, Number.NaN])('Server.close refuses a drainMs of %s, and goes on to serve', async drainMs => {
  const { server } = await serve(echoLines)
  expect(() => server.close({ drainMs })).toThrow(/drainMs/)
  expect(server.isServing()).toBe(true)
})

test('Server.waitClosed ends by its signal, and the server goes on to close', async () => {
  const { server, clients } = await serveClients(1)
  server.close()
  const stop = new AbortController()
  const waiting = server.waitClosed({ signal: stop.signal })
  stop.abort()
  await expect(waiting).rejects.toMatchObject({ code: 'ABORTED', name: 'AbortError' })
  const gone = server.waitClosed()
  for (const client of clients) client.end()
  await gone
})
