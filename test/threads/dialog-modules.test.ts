/** Dialogs that a module speaks, in the I/O worker. */
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { expect, test } from 'vitest'
import type { TargetInput } from '../../src/config/target-input.ts'
import type { Pool } from '../../src/pool/pool.ts'
import { startLineServer } from '../support/line-server.ts'
import { poolCounts } from '../support/open-connections.ts'
import { openPool } from '../support/pool-fixture.ts'
import { startTestServer, type TestServer } from '../support/test-server.ts'
import { testCertificate } from '../support/tls-certs.ts'
import { until } from '../support/until.ts'

const MODULE = new URL('../fixtures/dialogs/answers.ts', import.meta.url).href

function poolTo({ host, port }: TestServer, more: Partial<TargetInput> = {}): Promise<Pool> {
  return openPool({ targets: { it: { host, port, onConnect: { module: MODULE }, ...more } } })
}

test('a module reads and writes, and what it leaves unread is for the first lease', async () => {
  const server = await startLineServer(
    (line, socket) => void socket.write(line === 'hello you' ? 'ok\nwelcome\n' : `${line}\n`),
    {
      greeting: 'you\n',
    },
  )
  const pool = await poolTo(server)
  const lease = await pool.lease('it')
  expect(String(await lease.reader.readLine())).toBe('welcome\n')
  lease.writer.write('echo\n')
  expect(String(await lease.reader.readLine())).toBe('echo\n')
  await lease.release()
})

test('a module writes more than the socket takes at once, and all of it goes before the lease', async () => {
  let got = 0
  const server = await startTestServer(socket => {
    socket.write('bulk\n')
    socket.on('data', (bytes: Buffer) => {
      got += bytes.length
    })
  })
  const pool = await poolTo(server)
  const lease = await pool.lease('it')
  await until('all came', () => got === 300_004)
  await lease.release()
})

test('a module starts TLS, and takes no plain text behind it', async () => {
  const certificate = await testCertificate()
  const ca = Buffer.from(certificate.cert).toString('base64')
  const serve = (socket: Socket, answer: string): void => {
    socket.write(`tls ${ca}\n`)
    socket.once('data', () => {
      socket.write(answer)
      const secured = new TLSSocket(socket, { isServer: true, ...certificate })
      secured.on('error', () => socket.destroy())
      secured.on('data', (bytes: Buffer) => secured.write(bytes))
    })
  }
  const options = { tolerant: true }
  const honest = await startTestServer(socket => serve(socket, 'ready\n'), options)
  const lease = await (await poolTo(honest)).lease('it')
  expect(lease.connection.tls).toMatchObject({ authorized: true })
  await lease.release()
  const injecting = await startTestServer(socket => serve(socket, 'ready\nwelcome\n'), options)
  const pool = await poolTo(injecting)
  await expect(pool.lease('it')).rejects.toMatchObject({ code: 'STARTTLS_INJECTION', step: 1 })
})

test.each([
  ['throws', 'throw hunter2\n', 'threw'],
  ['closes', 'close\n', 'closed'],
  ['takes too long', 'read\n', 'timeout'],
])('a module that %s fails the dial', async (_what, greeting, reason) => {
  const server = await startTestServer(socket => socket.write(greeting), { tolerant: true })
  const pool = await poolTo(server, { pool: { connectTimeoutMs: 600 } })
  const error = await pool.lease('it').catch(thrown => thrown)
  const code = reason === 'timeout' ? 'CONNECT_TIMEOUT' : 'DIALOG_FAILED'
  expect(error).toMatchObject(reason === 'timeout' ? { code } : { code, step: 1, reason })
  expect(`${error.message} ${JSON.stringify(error)}`).not.toContain('hunter2')
  expect(poolCounts(pool)).toMatchObject({ connections: 0 })
})

test('a module fails the dial where its peer hangs up, or sends without end', async () => {
  const closing = await startTestServer(socket => socket.end('read\n'))
  await expect((await poolTo(closing)).lease('it')).rejects.toMatchObject({ step: 1, reason: 'closed' })
  const flooding = await startTestServer(socket => socket.write(Buffer.alloc(2_000_000, 'x')), {
    tolerant: true,
  })
  await expect((await poolTo(flooding)).lease('it')).rejects.toMatchObject({ code: 'DIALOG_FAILED', step: 1 })
})

test('a module that is not there, or has no function, fails the dial', async () => {
  const server = await startTestServer(() => {})
  for (const name of ['none.ts', '../thrown.ts']) {
    const module = new URL(`../fixtures/dialogs/${name}`, import.meta.url).href
    const pool = await poolTo(server, { onConnect: { module } })
    await expect(pool.lease('it')).rejects.toMatchObject({
      code: 'DIALOG_FAILED',
      step: 1,
      reason: 'no_module',
    })
  }
})

test("a module's writer is of no use once the dialog is over", async () => {
  let got = ''
  const server = await startTestServer(socket => {
    socket.write('late\n')
    socket.on('data', (bytes: Buffer) => {
      got += bytes
      if (got.endsWith('ask\n')) socket.write('answer\n')
    })
  })
  const pool = await poolTo(server)
  const lease = await pool.lease('it')
  lease.writer.write('ask\n')
  expect(String(await lease.reader.readLine())).toBe('answer\n')
  expect(got).toBe('ok\nask\n')
  await lease.release()
})
