import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { expect, test } from 'vitest'
import type { Pool } from '../../src/pool/pool.ts'
import { openPool, targetOf } from '../support/pool-fixture.ts'
import { echo, startTestServer } from '../support/test-server.ts'

function isResumed(socket: Socket): boolean {
  return socket instanceof TLSSocket && socket.isSessionReused()
}

/** One lease that reads: a session comes with the first bytes. Its connection's facts. */
async function talk(pool: Pool, target: string) {
  return await pool.use(target, async ({ reader, writer, connection }) => {
    writer.write('hello\n')
    await reader.readLine()
    return connection
  })
}

test('a target is dialled again with the TLS session of its last connection', async () => {
  const server = await startTestServer(echo, { tls: true })
  const pool = await openPool({ targets: { it: targetOf(server) } })
  const first = await talk(pool, 'it')
  expect(isResumed(await server.connection())).toBe(false)
  const second = await talk(pool, 'it')
  expect(isResumed(await server.connection())).toBe(true)
  // What is told of the peer is the same.
  expect(second.tls).toEqual(first.tls)
  expect(second.tls).toMatchObject({ authorized: true })
})

test('a TLS session never serves a dial that differs in anything', async () => {
  const server = await startTestServer(echo, { tls: true })
  const { host, port, ca } = server
  const tls = { ca, servername: 'localhost' }
  const pool = await openPool({
    targets: {
      it: { host, port, tls },
      other: { host, port, tls: { ...tls, minVersion: 'TLSv1.3' } },
      // A session would pass over the certificate, which is for another name.
      wrong: { host, port, tls: { ca, servername: 'elsewhere.test' } },
    },
  })
  await talk(pool, 'it')
  await server.connection()
  await talk(pool, 'other')
  expect(isResumed(await server.connection())).toBe(false)
  for (let count = 0; count < 2; count++)
    await expect(talk(pool, 'wrong')).rejects.toMatchObject({ code: 'TLS_FAILED' })
})
