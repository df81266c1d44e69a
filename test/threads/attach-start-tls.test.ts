import { createServer } from 'node:tls'
import { expect, test } from 'vitest'
import type { Pool } from '../../src/pool/pool.ts'
import { attach } from '../support/attached.ts'
import { echoLine, startLineServer } from '../support/line-server.ts'
import { PatternCheck } from '../support/pattern-check.ts'
import { openPool, targetOf } from '../support/pool-fixture.ts'
import { startDeafPeer, startTlsPeer } from '../support/start-tls-peer.ts'
import { echo, startTestServer, type TestServer } from '../support/test-server.ts'
import { testCertificate } from '../support/tls-certs.ts'
import { until } from '../support/until.ts'

const certificate = await testCertificate()
const TRUSTED = { ca: certificate.cert, servername: 'localhost' }

function poolOf(server: TestServer): Promise<Pool> {
  return openPool({ targets: { it: targetOf(server, { reuse: 'clean', pool: { max: 1 } }) } })
}

test('BlockingWriter.startTls blocks until TLS stands, and its lease is never reused', async () => {
  const thread = attach(await poolOf(await startTlsPeer()), 'blockingTls', TRUSTED)
  expect(await thread.next()).toBe('ready\n')
  expect(await thread.next()).toEqual({
    before: { tls: null, ssl: null, eof: true },
    after: { protocol: 'TLSv1.3', servername: 'localhost', authorized: true, eof: false },
    cipher: expect.any(String),
    line: 'secret\n',
    again: expect.objectContaining({ code: 'INVALID_REQUEST' }),
  })
  expect(await thread.next()).toEqual({ outcome: 'closed', reason: 'upgraded' })
  expect(await thread.exited).toBe(0)
})

test('BlockingWriter.startTls without a servername wants the certificate of the host that was dialled', async () => {
  const thread = attach(await poolOf(await startTlsPeer()), 'blockingTls', { ca: certificate.cert })
  await thread.next()
  expect(await thread.next()).toMatchObject({ after: { servername: null, authorized: true } })
})

test('a lease does not expire while its holder blocks on a handshake', async () => {
  const thread = attach(await poolOf(await startTlsPeer({ afterMs: 700 })), 'blockingTls', TRUSTED)
  await thread.next()
  expect(await thread.next()).toMatchObject({ line: 'secret\n' })
})

test.each([
  ['an unknown authority', { servername: 'localhost' }, /SELF_SIGNED|UNABLE|DEPTH_ZERO/],
  ['another name', { servername: 'elsewhere', ca: certificate.cert }, /ALTNAME/],
])('a certificate of %s is TLS_FAILED for the caller and both blocking ends', async (_name, tls, reason) => {
  const server = await startTlsPeer()
  const thread = attach(await poolOf(server), 'failingTls', { tls })
  await thread.next()
  const failure = { code: 'TLS_FAILED', reason: expect.stringMatching(reason) }
  for (let call = 0; call < 3; call++) expect(await thread.next()).toMatchObject(failure)
  await until('the connection was destroyed', () => server.sockets.size === 0)
  thread.worker.postMessage('release')
  expect(await thread.next()).toEqual({ outcome: 'closed', reason: 'upgraded' })
})

test('a peer that does not speak TLS is TLS_FAILED, and gets no plain text afterwards', async () => {
  const { server, received } = await startDeafPeer()
  const thread = attach(await poolOf(server), 'failingTls', { tls: TRUSTED })
  await thread.next()
  for (let call = 0; call < 3; call++) expect(await thread.next()).toMatchObject({ code: 'TLS_FAILED' })
  await until('the peer saw the end', () => server.sockets.size === 0)
  expect(received()).not.toBe('')
  expect(received()).not.toContain('PASSWORD')
})

test('a peer that hangs up in the handshake is TLS_FAILED', async () => {
  const server = await startTestServer(socket => {
    socket.once('data', () => {
      socket.write('ready\n')
      socket.once('data', () => socket.destroy())
    })
  })
  const thread = attach(await poolOf(server), 'failingTls', { tls: TRUSTED })
  await thread.next()
  expect(await thread.next()).toMatchObject({ code: 'TLS_FAILED', reason: 'ECONNRESET' })
})

test('bytes that came before the handshake are STARTTLS_INJECTION, and nobody reads them', async () => {
  const server = await startTestServer(socket => {
    socket.once('data', () => socket.write('ready\n250 injected\n'))
  })
  const thread = attach(await poolOf(server), 'failingTls', { tls: TRUSTED, awaitsMore: true })
  await thread.next()
  for (let call = 0; call < 3; call++)
    expect(await thread.next()).toMatchObject({ code: 'STARTTLS_INJECTION' })
  await until('the connection was destroyed', () => server.sockets.size === 0)
  thread.worker.postMessage('release')
  expect(await thread.next()).toEqual({ outcome: 'closed', reason: 'upgraded' })
})

test('a handshake that stalls is CONNECT_TIMEOUT, and the connection is destroyed', async () => {
  const server = await startTestServer(socket => socket.once('data', () => socket.write('ready\n')))
  const thread = attach(await poolOf(server), 'failingTls', { tls: { ...TRUSTED, timeoutMs: 100 } })
  await thread.next()
  for (let call = 0; call < 3; call++)
    expect(await thread.next()).toMatchObject({
      code: 'CONNECT_TIMEOUT',
      message: 'startTls() took longer than 100 ms',
    })
  await until('the connection was destroyed', () => server.sockets.size === 0)
})

test('a lease that is released while its last plain bytes go out before TLS closes its connection', async () => {
  const server = await startTestServer(socket => void socket.resume())
  const pool = await openPool({ targets: { it: targetOf(server, { reuse: 'clean', pool: { max: 20 } }) } })
  const thread = attach(pool, 'leavingTls', TRUSTED)
  for (let turn = 0; turn < 20; turn++) {
    expect(await thread.next()).toEqual({ outcome: 'closed', reason: 'upgraded' })
    expect(await thread.next()).toMatchObject({ code: expect.any(String) })
  }
  await until('no connection is left', () => pool.connections().length === 0)
})

test('Pool.close ends a blocked handshake with an error', async () => {
  const server = await startTestServer(socket => socket.once('data', () => socket.write('ready\n')))
  const pool = await poolOf(server)
  const thread = attach(pool, 'failingTls', { tls: TRUSTED })
  const peer = await server.connection()
  await thread.next()
  await until('the handshake had begun', () => peer.bytesRead > 'STARTTLS\n'.length)
  await pool.close()
  expect(await thread.next()).toMatchObject({ code: 'LEASE_GONE' })
})

test('BlockingWriter.startTls sends what was written before in plain text', async () => {
  const check = new PatternCheck()
  const tlsServer = createServer(certificate, socket => void socket.pipe(socket))
  const server = await startTestServer(socket => void socket.pause())
  const other = await startLineServer(echoLine)
  const pool = await openPool({
    ioWorkers: 1,
    targets: { it: targetOf(server), other: targetOf(other, { reuse: 'clean' }) },
  })
  const thread = attach(pool, 'bulkTls', TRUSTED)
  const written = (await thread.next()) as { flood: object; accepted: number; left: boolean }
  expect(written).toMatchObject({ flood: { code: 'DRAIN_TIMEOUT' }, left: true })
  // Whatever the upgrade asks of the I/O worker before all is sent has been heard by then.
  for (let round = 0; round < 2; round++)
    await pool.exchange('other', { write: 'ping\n', read: { line: true } })
  const socket = await server.connection()
  const take = (): void => {
    for (let chunk = socket.read(); chunk !== null; chunk = socket.read()) {
      // The client's hello may come in one piece with the last plain bytes.
      const left = written.accepted - check.received
      check.take(chunk.subarray(0, left))
      if (check.received < written.accepted) continue
      socket.off('readable', take)
      if (chunk.length > left) socket.unshift(chunk.subarray(left))
      tlsServer.emit('connection', socket)
      return
    }
  }
  socket.on('readable', take)
  expect(await thread.next()).toBe('encrypted\n')
  expect(check.received).toBe(written.accepted)
})

test('BlockingWriter.startTls refuses what cannot be, and the connection goes on', async () => {
  const thread = attach(await poolOf(await startTestServer(echo)), 'refusedTls')
  expect(await thread.next()).toMatchObject({ code: 'INVALID_REQUEST', errors: [{ path: 'ca' }] })
  expect(await thread.next()).toBe('still plain\n')
  expect(await thread.next()).toMatchObject({ code: 'WRITE_CLOSED' })
  expect(await thread.next()).toEqual({ outcome: 'closed', reason: 'half_closed' })
})

test('BlockingWriter.startTls on a TLS connection is INVALID_REQUEST', async () => {
  const thread = attach(await poolOf(await startTestServer(echo, { tls: true })), 'refusedTls')
  await thread.next()
  expect(await thread.next()).toBe('still plain\n')
  expect(await thread.next()).toMatchObject({ code: 'INVALID_REQUEST' })
  expect(await thread.next()).toEqual({ outcome: 'reused', reason: 'clean' })
})
