/** A server that speaks TLS, as its program sees it: what closing does to its clients. */
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { expect, onTestFinished, test } from 'vitest'
import type { Server } from '../../src/pool/server/server.ts'
import { closed, dial, echoLines, serve } from '../support/server-fixture.ts'
import { testCertificate } from '../support/tls-certs.ts'

const certificate = await testCertificate()

async function dialTls({ address: { port } }: Server): Promise<TLSSocket> {
  const client = connectTls({ host: '127.0.0.1', port, ca: certificate.cert, servername: 'localhost' })
  onTestFinished(() => void client.destroy())
  client.on('error', () => {})
  await once(client, 'secureConnect')
  return client
}

async function ask(client: Socket, line: string): Promise<string> {
  client.write(`${line}\n`)
  return (await once(client, 'data')).toString()
}

test('Server.close leaves established TLS clients alone, and cuts who is in the handshake', async () => {
  const { server } = await serve(echoLines, { tls: certificate })
  const client = await dialTls(server)
  expect(await ask(client, 'before')).toBe('before\n')
  const silent = await dial(server)
  server.close()
  await closed(silent)
  expect(await ask(client, 'after')).toBe('after\n')
  client.end()
  await server.waitClosed({ timeoutMs: 5_000 })
})

test('Server.close with drainMs lets TLS clients stay for so long', async () => {
  const { server } = await serve(echoLines, { tls: certificate })
  const client = await dialTls(server)
  expect(await ask(client, 'before')).toBe('before\n')
  const startedMs = performance.now()
  server.close({ drainMs: 400 })
  expect(await ask(client, 'meanwhile')).toBe('meanwhile\n')
  await closed(client)
  expect(performance.now() - startedMs).toBeGreaterThan(350)
  await server.waitClosed({ timeoutMs: 5_000 })
})
