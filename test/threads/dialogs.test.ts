/** Dialogs on connections of the pool, with peers that speak TLS from the middle on. */
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { expect, test } from 'vitest'
import type { DialogInput } from '../../src/config/target-input.ts'
import { startLineServer } from '../support/line-server.ts'
import { poolCounts } from '../support/open-connections.ts'
import { openPool } from '../support/pool-fixture.ts'
import { startTestServer, type TestServer } from '../support/test-server.ts'
import { type TestCertificate, testCertificate } from '../support/tls-certs.ts'

/** Answers STARTTLS as it is told, and goes on by TLS; `serve` gets the secured socket. */
function startUpgrading(
  certificate: TestCertificate,
  agree: (socket: Socket) => void,
  serve: (secured: TLSSocket) => void,
): Promise<TestServer> {
  return startTestServer(
    socket => {
      socket.once('data', () => {
        agree(socket)
        const secured = new TLSSocket(socket, { isServer: true, ...certificate })
        secured.on('error', () => socket.destroy())
        serve(secured)
      })
    },
    { tolerant: true },
  )
}

const agree = (socket: Socket): void => void socket.write('ready\n')

function upgrading(ca: string): DialogInput {
  return [
    { send: 'STARTTLS\n' },
    { expect: 'ready\n' },
    { tls: { ca, servername: 'localhost' } },
    { send: 'HELLO\n' },
    { expect: { pattern: '^hello (\\w+)\\n' }, capture: 'name' },
    { send: 'I am {{name}}\n' },
    { expect: 'ok\n' },
  ]
}

test('a dialog starts TLS, goes on over it, and leaves the greeting behind it to the first lease', async () => {
  const certificate = await testCertificate()
  const server = await startUpgrading(certificate, agree, secured => {
    secured.on('data', (bytes: Buffer) => {
      if (String(bytes) === 'HELLO\n') secured.write('hello you\n')
      else if (String(bytes) === 'I am you\n') secured.write('ok\nwelcome\n')
      else secured.write(bytes)
    })
  })
  const pool = await openPool({
    targets: { it: { host: server.host, port: server.port, onConnect: upgrading(certificate.cert) } },
  })
  const lease = await pool.lease('it')
  expect(lease.connection.tls).toMatchObject({ authorized: true, servername: 'localhost' })
  expect(String(await lease.reader.readLine())).toBe('welcome\n')
  lease.writer.write('echo\n')
  expect(String(await lease.reader.readLine())).toBe('echo\n')
  await lease.release()
})

test.each<[string, (socket: Socket) => void]>([
  ['in one with the answer', socket => void socket.write('ready\nwelcome\n')],
  ['right behind the answer', socket => void socket.write('ready\n', () => socket.write('welcome\n'))],
])('a dialog takes no plain text for what was said over TLS: %s', async (_when, inject) => {
  const certificate = await testCertificate()
  const server = await startTestServer(socket => socket.once('data', () => inject(socket)), {
    tolerant: true,
  })
  const pool = await openPool({
    targets: { it: { host: server.host, port: server.port, onConnect: upgrading(certificate.cert) } },
  })
  const error = await pool.lease('it').catch(reason => reason)
  expect(error).toMatchObject({ step: 3 })
  expect(['STARTTLS_INJECTION', 'DIALOG_FAILED']).toContain(error.code)
  expect(poolCounts(pool)).toMatchObject({ connections: 0 })
})

test('a dialog whose peer shows a certificate of another authority fails at that step, with the reason', async () => {
  const server = await startUpgrading(await testCertificate(), agree, () => {})
  const { cert } = await testCertificate('elsewhere')
  const pool = await openPool({
    targets: { it: { host: server.host, port: server.port, onConnect: upgrading(cert) } },
  })
  await expect(pool.lease('it')).rejects.toMatchObject({
    code: 'DIALOG_FAILED',
    step: 3,
    reason: expect.stringMatching(/SIGN|CERT/),
  })
})

test('a dialog whose handshake stalls ends with its step, or with the time of the dial', async () => {
  const { cert } = await testCertificate()
  const server = await startTestServer(socket => socket.once('data', () => agree(socket)), { tolerant: true })
  const { host, port } = server
  const slow = upgrading(cert).map(step => ('tls' in step ? { ...step, timeoutMs: 50 } : step))
  const pool = await openPool({
    targets: {
      step: { host, port, onConnect: slow },
      dial: { host, port, onConnect: upgrading(cert), pool: { connectTimeoutMs: 50 } },
    },
  })
  await expect(pool.lease('step')).rejects.toMatchObject({
    code: 'DIALOG_FAILED',
    step: 3,
    reason: 'timeout',
  })
  await expect(pool.lease('dial')).rejects.toMatchObject({ code: 'CONNECT_TIMEOUT' })
  expect(poolCounts(pool)).toMatchObject({ connections: 0 })
})

test('a dialog whose peer hangs up fails at the step under way', async () => {
  const server = await startLineServer((_line, socket) => socket.end())
  const onConnect: DialogInput = [{ send: 'x\n' }, { wait: '1m' }]
  const pool = await openPool({ targets: { it: { host: server.host, port: server.port, onConnect } } })
  await expect(pool.lease('it')).rejects.toMatchObject({ code: 'DIALOG_FAILED', step: 2, reason: 'closed' })
})
