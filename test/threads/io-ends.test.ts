import { once } from 'node:events'
import { buffer } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { LIMITS } from '../../src/base/limits.ts'
import type { StreamWriter } from '../../src/streams/writing/stream-writer.ts'
import { poolCounts } from '../support/open-connections.ts'
import { PatternCheck, pattern } from '../support/pattern-check.ts'
import { openPool, targetOf } from '../support/pool-fixture.ts'
import { echo, refusingPort, startTestServer } from '../support/test-server.ts'
import { testCertificate } from '../support/tls-certs.ts'
import { until } from '../support/until.ts'

test.each([false, true])('FIN is EOF after the bytes before it (tls %s)', async tls => {
  const server = await startTestServer(socket => socket.end('last words'), { tls })
  const pool = await openPool({ targets: { it: targetOf(server) } })
  const { reader } = await pool.lease('it')
  expect((await reader.read()).toString()).toBe('last words')
  expect(reader.atEof()).toBe(true)
  expect(reader.exception()).toBeNull()
  expect((await reader.read(1)).length).toBe(0)
})

test('RST is CONNECTION_RESET after the bytes before it', async () => {
  const server = await startTestServer(() => {})
  const pool = await openPool({ targets: { it: targetOf(server) } })
  const lease = await pool.lease('it')
  const socket = await server.connection()
  socket.write('last words')
  await until('the bytes came', () => lease.reader.buffered === 10)
  socket.resetAndDestroy()
  await expect(lease.writer.waitClosed({ timeoutMs: 2_000 })).rejects.toMatchObject({
    code: 'CONNECTION_RESET',
  })
  expect(lease.gone).toBeNull()
  expect((await lease.reader.read(100)).toString()).toBe('last words')
  await expect(lease.reader.read(100)).rejects.toMatchObject({ code: 'CONNECTION_RESET' })
  expect(lease.reader.atEof()).toBe(false)
  expect(await lease.release()).toEqual({ outcome: 'closed', reason: 'policy' })
})

test('a reader with onReset raise hears of the RST before the bytes', async () => {
  const server = await startTestServer(() => {})
  const pool = await openPool({ targets: { it: targetOf(server) } })
  const { reader, writer } = await pool.lease('it', { onReset: 'raise' })
  const socket = await server.connection()
  socket.write('last words')
  await until('the bytes came', () => reader.buffered === 10)
  socket.resetAndDestroy()
  await expect(writer.waitClosed()).rejects.toMatchObject({ code: 'CONNECTION_RESET' })
  await expect(reader.read(100)).rejects.toMatchObject({ code: 'CONNECTION_RESET' })
})

test('garbage in a TLS stream is TLS_FAILED after the bytes before it', async () => {
  const server = await startTestServer(
    socket => {
      socket.write('last words', () => {
        // Below TLS: a record of nonsense on the bare connection.
        const bare = (socket as unknown as { _handle: { _parentWrap: { write(data: Buffer): void } | null } })
          ._handle._parentWrap
        if (bare === null) throw new Error('no socket below TLS')
        bare.write(Buffer.from('\x17\x03\x03\x00\x20this is no TLS record, believe me.'))
      })
    },
    { tls: true, tolerant: true },
  )
  const pool = await openPool({ targets: { it: targetOf(server) } })
  const { reader } = await pool.lease('it')
  expect((await reader.readExactly(10)).toString()).toBe('last words')
  const error = await reader.read(100, { timeoutMs: 2_000 }).catch(reason => reason)
  expect(['TLS_FAILED', 'CONNECTION_RESET']).toContain(error.code)
})

test('an authority that did not sign the certificate is TLS_FAILED with the reason', async () => {
  const server = await startTestServer(echo, { tls: true })
  const other = await testCertificate('elsewhere')
  const pool = await openPool({
    targets: { it: targetOf(server, { tls: { ca: other.cert, servername: 'localhost' } }) },
  })
  await expect(pool.lease('it')).rejects.toMatchObject({
    code: 'TLS_FAILED',
    reason: expect.stringMatching(/SIGN|CERT/),
  })
})

test('a certificate for another name is TLS_FAILED', async () => {
  const other = await testCertificate('elsewhere')
  const server = await startTestServer(echo, { tls: other })
  const pool = await openPool({
    targets: { it: targetOf(server, { tls: { ca: other.cert, servername: 'localhost' } }) },
  })
  await expect(pool.lease('it')).rejects.toMatchObject({
    code: 'TLS_FAILED',
    reason: 'ERR_TLS_CERT_ALTNAME_INVALID',
  })
})

test('a port on which nobody listens is CONNECT_REFUSED', async () => {
  const port = await refusingPort()
  const pool = await openPool({ targets: { it: { host: '127.0.0.1', port } } })
  await expect(pool.lease('it')).rejects.toMatchObject({ code: 'CONNECT_REFUSED', retryable: true })
  expect(poolCounts(pool)).toMatchObject({ connections: 0, waiters: 0 })
})

test('a TLS handshake that stalls is CONNECT_TIMEOUT', async () => {
  const server = await startTestServer(socket => socket.resume())
  const pool = await openPool({
    targets: {
      it: targetOf(server, { tls: { servername: 'localhost' }, pool: { connectTimeoutMs: 150 } }),
    },
  })
  const startedMs = performance.now()
  await expect(pool.lease('it')).rejects.toMatchObject({ code: 'CONNECT_TIMEOUT' })
  expect(performance.now() - startedMs).toBeLessThan(1_500)
})

test('an onConnect dialog that stalls is bounded by the connect timeout', async () => {
  const server = await startTestServer(socket => socket.resume())
  const onConnect = [{ send: 'HELLO\n' }, { expect: 'WELCOME\n' }]
  const pool = await openPool({
    targets: { it: targetOf(server, { onConnect, pool: { connectTimeoutMs: 150 } }) },
  })
  const startedMs = performance.now()
  await expect(pool.lease('it')).rejects.toMatchObject({ code: 'CONNECT_TIMEOUT' })
  expect(performance.now() - startedMs).toBeLessThan(1_500)
})

test('the end of our direction leaves the other open, and read goes on to EOF', async () => {
  const server = await startTestServer(
    socket => {
      void buffer(socket).then(all => socket.end(`${all.length} bytes came`))
    },
    { halfOpen: true },
  )
  const pool = await openPool({ targets: { it: targetOf(server) } })
  const { reader, writer } = await pool.lease('it')
  expect(writer.canWriteEof()).toBe(true)
  writer.write(pattern(0, 200_000))
  writer.writeEof()
  expect((await reader.read()).toString()).toBe('200000 bytes came')
  expect(() => writer.write('more')).toThrow(expect.objectContaining({ code: 'WRITE_CLOSED' }))
})

test("the end of the peer's direction leaves ours open", async () => {
  const server = await startTestServer(socket => socket.end('over to you'), { halfOpen: true })
  const pool = await openPool({ targets: { it: targetOf(server) } })
  const { reader, writer } = await pool.lease('it')
  const peer = await server.connection()
  const arrived = buffer(peer)
  expect((await reader.read()).toString()).toBe('over to you')
  for (let part = 0; part < 8; part++) {
    writer.write(pattern(part * 100_000, 100_000))
    await writer.drain()
  }
  writer.writeEof()
  const check = new PatternCheck()
  check.take(await arrived)
  expect(check.received).toBe(800_000)
})

/** Writes until neither the kernel nor the peer takes more, yet the whole of the rest lies in the ring; how much. */
async function writeUntilStuck(writer: StreamWriter): Promise<number> {
  for (let sent = 0; ; ) {
    writer.write(pattern(sent, 50_000))
    sent += 50_000
    const isTaken = until('the kernel took it', () => writer.buffered === 0, 200)
    const isStuck = await isTaken.then(
      () => false,
      () => true,
    )
    if (!isStuck) continue
    expect(writer.queued).toBe(0)
    return sent
  }
}

test('close sends what was written before it, though the peer sends meanwhile and takes its time', async () => {
  const server = await startTestServer(socket => socket.pause())
  const pool = await openPool({ targets: { it: targetOf(server, { reuse: 'clean' }) } })
  const lease = await pool.lease('it')
  const socket = await server.connection()
  const sent = await writeUntilStuck(lease.writer)
  socket.write('before')
  await until('it came', () => lease.reader.buffered === 6)
  lease.writer.close()
  expect(await lease.release()).toEqual({ outcome: 'closed', reason: 'half_closed' })
  socket.write(pattern(0, 100_000))
  const check = new PatternCheck()
  for await (const bytes of socket) check.take(bytes)
  expect(check.received).toBe(sent)
})

test('a peer that takes nothing holds a closed connection for no longer than the linger time', async () => {
  const server = await startTestServer(socket => socket.pause(), { tolerant: true })
  const pool = await openPool({ targets: { it: targetOf(server, { pool: { max: 1 } }) } })
  const lease = await pool.lease('it')
  await writeUntilStuck(lease.writer)
  lease.writer.close()
  await lease.release()
  const startedMs = performance.now()
  const next = await pool.lease('it', { waitMs: 3 * LIMITS.closeLingerMs })
  expect(performance.now() - startedMs).toBeGreaterThan(LIMITS.closeLingerMs / 2)
  await next.discard()
}, 40_000)

test('waitClosed resolves once the connection is gone', async () => {
  const server = await startTestServer(socket => socket.resume())
  const pool = await openPool({ targets: { it: targetOf(server) } })
  const { writer } = await pool.lease('it')
  expect(writer.isClosing()).toBe(false)
  writer.write('bye')
  writer.close()
  writer.close()
  expect(writer.isClosing()).toBe(true)
  await writer.waitClosed()
  await expect(writer.drain()).rejects.toMatchObject({ code: 'CONNECTION_RESET' })
})

test('abort drops what is buffered and closes at once', async () => {
  const server = await startTestServer(socket => socket.pause(), { tolerant: true })
  const pool = await openPool({ targets: { it: targetOf(server) } })
  const lease = await pool.lease('it')
  lease.writer.write(Buffer.alloc(20_000_000))
  lease.writer.abort()
  await lease.writer.waitClosed()
  expect(lease.writer.queued).toBe(0)
  expect(lease.writer.dropped).toBeGreaterThanOrEqual(0)
})

test.each([false, true])('64 MiB arrive in order at a slow reader, paced by drain (tls %s)', async tls => {
  const total = 64 * 1_048_576
  const check = new PatternCheck()
  const server = await startTestServer(
    socket => {
      socket.on('data', (bytes: Buffer) => {
        check.take(bytes)
        // Slow: every megabyte it rests for a turn of the poll phase.
        if (check.received % 1_048_576 < bytes.length) {
          socket.pause()
          setTimeout(() => socket.resume(), 1)
        }
      })
    },
    { tls },
  )
  const pool = await openPool({ targets: { it: targetOf(server) } })
  const { writer } = await pool.lease('it')
  let most = 0
  for (let sent = 0; sent < total; sent += 100_000) {
    writer.write(pattern(sent, Math.min(100_000, total - sent)))
    most = Math.max(most, writer.buffered)
    await writer.drain()
  }
  const ended = once(await server.connection(), 'end')
  writer.close()
  await Promise.all([writer.waitClosed(), ended])
  expect(check.received).toBe(total)
  expect(most).toBeLessThanOrEqual(65_536 + 100_000)
})
