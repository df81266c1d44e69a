import { once } from 'node:events'
import type { Socket } from 'node:net'
import { connect as connectTls, createServer } from 'node:tls'
import { expect, test } from 'vitest'
import { startServer } from '../../src/library/start-server.ts'
import type { Lease } from '../../src/pool/lease/lease.ts'
import { clientCertificate } from '../support/client-certificate.ts'
import { PatternCheck, pattern } from '../support/pattern-check.ts'
import { openPool, targetOf } from '../support/pool-fixture.ts'
import { allOf, closed, dial, serve } from '../support/server-fixture.ts'
import { startDeafPeer, startTlsPeer } from '../support/start-tls-peer.ts'
import { startTestServer, type TestServer } from '../support/test-server.ts'
import { testCertificate } from '../support/tls-certs.ts'
import { until } from '../support/until.ts'

const certificate = await testCertificate()

async function leaseOf(server: TestServer): Promise<Lease> {
  const pool = await openPool({ targets: { it: targetOf(server, { reuse: 'clean', pool: { max: 1 } }) } })
  return await pool.lease('it')
}

async function askForTls({ reader, writer }: Lease): Promise<void> {
  writer.write('STARTTLS\n')
  expect((await reader.readLine()).toString()).toBe('ready\n')
}

test('test_start_tls: plain text, then TLS, on both of our ends', async () => {
  const { pool, server } = await serve(async (reader, writer) => {
    writer.write(await reader.readLine())
    await writer.startTls(certificate)
    writer.write(await reader.readLine())
    writer.close()
  })
  const { port } = server.address
  const { reader, writer, connection, release } = await leaseHere(pool, port)
  writer.write('plain\n')
  expect((await reader.readLine()).toString()).toBe('plain\n')
  expect([connection().tls, writer.getExtraInfo('ssl'), writer.canWriteEof()]).toEqual([null, null, true])
  await writer.startTls({ ca: certificate.cert, servername: 'localhost' })
  expect(connection().tls).toMatchObject({ protocol: 'TLSv1.3', servername: 'localhost', authorized: true })
  expect([writer.getExtraInfo('cipher'), writer.canWriteEof()]).toEqual([expect.any(String), false])
  writer.write('secret\n')
  expect((await reader.read()).toString()).toBe('secret\n')
  await release()
})

async function leaseHere(pool: Awaited<ReturnType<typeof openPool>>, port: number) {
  const lease = await pool.lease({ host: '127.0.0.1', port })
  const { reader, writer } = lease
  return { reader, writer, connection: () => lease.connection, release: () => lease.release() }
}

test('a lease whose connection was upgraded is never reused', async () => {
  const server = await startTlsPeer()
  const lease = await leaseOf(server)
  await askForTls(lease)
  await lease.writer.startTls({ ca: certificate.cert, servername: 'localhost' })
  lease.writer.write('ping\n')
  expect((await lease.reader.readLine()).toString()).toBe('ping\n')
  expect(await lease.release()).toEqual({ outcome: 'closed', reason: 'upgraded' })
})

test('without a servername the certificate must be that of the host that was dialled', async () => {
  const server = await startTlsPeer()
  const lease = await leaseOf(server)
  await askForTls(lease)
  await lease.writer.startTls({ ca: certificate.cert })
  expect(lease.connection.tls).toMatchObject({ authorized: true, servername: null })
})

test.each([
  ['an unknown authority', { servername: 'localhost' }, /SELF_SIGNED|UNABLE|DEPTH_ZERO/],
  ['another name', { servername: 'elsewhere', ca: certificate.cert }, /ALTNAME/],
])(
  'a certificate of %s is TLS_FAILED for the caller, the reader and the writer',
  async (_name, tls, reason) => {
    const server = await startTlsPeer({ secured: () => {} })
    const lease = await leaseOf(server)
    await askForTls(lease)
    const { reader, writer } = lease
    const starting = writer.startTls(tls)
    writer.write('never in plain text')
    await expect(starting).rejects.toMatchObject({
      code: 'TLS_FAILED',
      reason: expect.stringMatching(reason),
    })
    await expect(reader.read(1)).rejects.toMatchObject({ code: 'TLS_FAILED' })
    await expect(writer.drain()).rejects.toMatchObject({ code: 'TLS_FAILED' })
    expect(await lease.release()).toMatchObject({ outcome: 'closed' })
  },
)

test('a peer that does not speak TLS gets no plain text afterwards', async () => {
  const { server, received } = await startDeafPeer()
  const lease = await leaseOf(server)
  await askForTls(lease)
  const starting = lease.writer.startTls({ servername: 'localhost' })
  lease.writer.write('PASSWORD')
  await expect(starting).rejects.toMatchObject({ code: 'TLS_FAILED' })
  lease.writer.write('PASSWORD')
  await until('the peer saw the end', () => server.sockets.size === 0)
  expect(received()).not.toContain('PASSWORD')
})

test('bytes that came before the handshake are STARTTLS_INJECTION on the client’s side', async () => {
  const server = await startTestServer(socket => {
    socket.once('data', () => socket.write('ready\n250 injected\n'))
  })
  const lease = await leaseOf(server)
  await askForTls(lease)
  await until('the injection came', () => lease.reader.buffered > 0)
  const starting = lease.writer.startTls({ servername: 'localhost' })
  await expect(starting).rejects.toMatchObject({ code: 'STARTTLS_INJECTION' })
  await expect(lease.reader.readLine()).rejects.toMatchObject({ code: 'STARTTLS_INJECTION' })
  await expect(lease.writer.drain()).rejects.toMatchObject({ code: 'STARTTLS_INJECTION' })
  await until('the connection was destroyed', () => server.sockets.size === 0)
  expect(await lease.release()).toMatchObject({ outcome: 'closed' })
})

test('test_start_tls_buffered_data: on the server’s side early bytes are the beginning of the handshake', async () => {
  const { server } = await serve(async (reader, writer) => {
    const line = await reader.readLine()
    await until('the hello came with it', () => reader.buffered > 0)
    await writer.startTls(certificate)
    writer.write(line)
    writer.write(await reader.readLine())
    writer.close()
  })
  // The first line and the ClientHello in one segment.
  const plain = await dial(server)
  await plain.cork()
  plain.write('PROXY\n')
  const client = connectTls({ socket: plain, ca: certificate.cert, servername: 'localhost' })
  plain.uncork()
  client.write('hello\n')
  expect(await allOf(client)).toBe('PROXY\nhello\n')
  await closed(plain)
})

test('a client that fails the handshake is TLS_FAILED in the handler', async () => {
  const errors: unknown[] = []
  const { server } = await serve(async (reader, writer) => {
    await reader.readLine()
    await writer.startTls(certificate).catch(error => errors.push(error))
    await reader.read(1).catch(error => errors.push(error))
  })
  const client = await dial(server)
  client.write('STARTTLS\nthis is no handshake\n')
  await closed(client)
  await until('the handler saw both', () => errors.length === 2)
  expect(errors).toEqual([
    expect.objectContaining({ code: 'TLS_FAILED', reason: expect.stringMatching(/^ERR_SSL/) }),
    expect.objectContaining({ code: 'TLS_FAILED' }),
  ])
})

test('a handshake that stalls is TLS_FAILED or CONNECT_TIMEOUT, whichever clock is first', async () => {
  const server = await startTestServer(socket => socket.once('data', () => socket.write('ready\n')))
  const lease = await leaseOf(server)
  await askForTls(lease)
  const startedMs = performance.now()
  const error = await lease.writer
    .startTls({ servername: 'localhost', timeoutMs: 100 })
    .catch(reason => reason)
  expect(['CONNECT_TIMEOUT', 'TLS_FAILED']).toContain(error.code)
  expect(performance.now() - startedMs).toBeLessThan(5_000)
  await until('the connection was destroyed', () => server.sockets.size === 0)
})

test('startTls that is aborted destroys the connection', async () => {
  const server = await startTestServer(socket => socket.once('data', () => socket.write('ready\n')))
  const lease = await leaseOf(server)
  await askForTls(lease)
  const stop = new AbortController()
  const starting = lease.writer.startTls({ servername: 'localhost', signal: stop.signal })
  stop.abort()
  await expect(starting).rejects.toMatchObject({ code: 'ABORTED' })
  await expect(lease.reader.read(1)).rejects.toMatchObject({ code: 'ABORTED' })
  await until('the connection was destroyed', () => server.sockets.size === 0)
})

test('a full write queue goes out in plain text before the handshake, later writes after it', async () => {
  const before = 3_000_000
  const check = new PatternCheck()
  const tlsServer = createServer(certificate, socket => {
    socket.on('data', bytes => socket.write(bytes))
  })
  const server = await startTestServer(socket => {
    const take = (): void => {
      for (let chunk = socket.read(); chunk !== null; chunk = socket.read()) {
        check.take(chunk.subarray(0, before - check.received))
        if (check.received < before) continue
        socket.off('readable', take)
        tlsServer.emit('connection', socket)
        return
      }
    }
    socket.on('readable', take)
  })
  const lease = await leaseOf(server)
  lease.writer.write(pattern(0, before))
  expect(lease.writer.queued).toBeGreaterThan(0)
  const starting = lease.writer.startTls({ ca: certificate.cert, servername: 'localhost' })
  lease.writer.write('encrypted\n')
  await starting
  expect(check.received).toBe(before)
  expect((await lease.reader.readLine()).toString()).toBe('encrypted\n')
})

test('8 MiB each way go through an upgraded connection', async () => {
  const total = 8 * 1_048_576
  const server = await startTlsPeer()
  const lease = await leaseOf(server)
  await askForTls(lease)
  const { reader, writer } = lease
  await writer.startTls({ ca: certificate.cert, servername: 'localhost' })
  const check = new PatternCheck()
  const reading = (async () => {
    while (check.received < total) check.take(await reader.read(100_000))
  })()
  for (let sent = 0; sent < total; sent += 131_072) {
    writer.write(pattern(sent, 131_072))
    await writer.drain()
  }
  await reading
})

test('startTls refuses what cannot be, and the connection goes on', async () => {
  const server = await startTestServer(socket => socket.on('data', bytes => socket.write(bytes)))
  const lease = await leaseOf(server)
  const { reader, writer } = lease
  const broken = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----'
  for (const ca of ['no PEM', broken, `${certificate.cert}${broken}`])
    await expect(writer.startTls({ ca })).rejects.toMatchObject({
      code: 'INVALID_REQUEST',
      errors: [{ path: 'ca' }],
    })
  const reading = reader.readLine()
  await expect(writer.startTls({ servername: 'localhost' })).rejects.toMatchObject({ code: 'READ_BUSY' })
  writer.write('still plain\n')
  expect((await reading).toString()).toBe('still plain\n')
  writer.writeEof()
  await expect(writer.startTls()).rejects.toMatchObject({ code: 'WRITE_CLOSED' })
})

test('startTls on a TLS connection is INVALID_REQUEST', async () => {
  const server = await startTestServer(socket => socket.pipe(socket), { tls: true })
  const lease = await leaseOf(server)
  await expect(lease.writer.startTls()).rejects.toMatchObject({ code: 'INVALID_REQUEST' })
})

test('a TLS server speaks TLS from the first byte, with ALPN, and serves no stranger where it asks for certificates', async () => {
  const pool = await openPool()
  const [friend, stranger] = [await clientCertificate('friend'), await clientCertificate('stranger')]
  const served: unknown[] = []
  const server = await startServer(
    (_reader, writer) => {
      served.push(writer.getExtraInfo('ssl'))
      writer.write('welcome')
      writer.close()
    },
    '127.0.0.1',
    0,
    { pool, tls: { ...certificate, alpn: ['echo'], ca: friend.cert, requestCert: true } },
  )
  const { port } = server.address
  const read = async (own: object): Promise<string> => {
    const tls = { ca: certificate.cert, servername: 'localhost', alpn: ['echo'], ...own }
    const lease = await pool.lease({ host: '127.0.0.1', port, tls })
    return (await lease.reader.read()).toString()
  }
  expect(await read(friend)).toBe('welcome')
  expect(served).toEqual([
    expect.objectContaining({ authorized: true, alpnProtocol: 'echo', servername: 'localhost' }),
  ])
  // In TLS 1.3 a client learns of the refusal only when it reads.
  for (const own of [stranger, {}]) expect(await read(own).catch(() => 'refused')).not.toBe('welcome')
  expect(served).toHaveLength(1)
})

test('a client that does not shake hands is disconnected after the handshake time', async () => {
  const { server } = await serve(() => {}, { tls: certificate, handshakeTimeoutMs: 50 })
  const client: Socket = await dial(server)
  await Promise.all([once(client, 'close'), client.resume()])
  expect(server.stats().clients).toBe(0)
})
