/** What readers and writers do beyond asyncio's, over real sockets. */
import { once } from 'node:events'
import { connect as connectTls } from 'node:tls'
import { beforeAll, describe, expect, test } from 'vitest'
import type { SockpoolError } from '../../src/base/errors.ts'
import { openConnection } from '../../src/library/open-connection.ts'
import { PatternCheck, pattern } from '../support/pattern-check.ts'
import { openPool, targetOf } from '../support/pool-fixture.ts'
import { allOf, closed, dial, serve } from '../support/server-fixture.ts'
import { echo, refusingPort, startTestServer } from '../support/test-server.ts'
import { testCertificate } from '../support/tls-certs.ts'
import { until } from '../support/until.ts'

// The one default pool outlives each test; its threads are there before the first looks for what is left behind.
beforeAll(async () => {
  await openConnection('127.0.0.1', await refusingPort()).catch(error => error)
})

const LARGE = 8 * 1_048_576

describe('readUntil withMatch', () => {
  test('says over a socket which separator came first', async () => {
    const server = await startTestServer(socket => socket.end('250-first\r\n250 last\r\n'))
    const [reader, writer] = await openConnection(server.host, server.port)
    const { match } = await reader.readUntil([' ', '-'], { withMatch: true })
    expect([match, `${await reader.readLine()}`]).toEqual([1, 'first\r\n'])
    const last = await reader.readUntil([' ', '-'], { withMatch: true })
    expect([`${last.data}`, last.match]).toEqual(['250 ', 0])
    writer.close()
    await writer.waitClosed()
  })
})

describe('unread', () => {
  test('gives a parse worker what was looked at first', async () => {
    const server = await startTestServer(socket => socket.write('{"a":1}\n{"b":2}\n'))
    const pool = await openPool({ targets: { it: targetOf(server) } })
    const lease = await pool.lease('it')
    const { reader } = lease
    reader.unread(await reader.readExactly(3))
    expect([reader.offset, await lease.parse('ndjson')]).toEqual([0, { a: 1 }])
    expect([reader.offset, `${await reader.readLine()}`]).toEqual([8, '{"b":2}\n'])
  })

  test('gives TLS the first bytes of a handshake that a server has looked at', async () => {
    const certificate = await testCertificate()
    const { server } = await serve(async (reader, writer) => {
      const first = await reader.readExactly(1)
      reader.unread(first)
      // 22 begins a TLS handshake.
      if (first[0] === 22) await writer.startTls(certificate)
      writer.write(await reader.readLine())
      writer.close()
    })
    const plain = await dial(server)
    plain.write('plain\n')
    expect(await allOf(plain)).toBe('plain\n')
    const { port } = server.address
    const secure = connectTls({ port, host: '127.0.0.1', ca: certificate.cert, servername: 'localhost' })
    secure.write('secret\n')
    expect(await allOf(secure)).toBe('secret\n')
    await closed(secure)
  })

  test('leaves a lease with unread bytes, and its connection is not reused', async () => {
    const server = await startTestServer(echo)
    const pool = await openPool({ targets: { it: targetOf(server, { reuse: 'clean' }) } })
    const lease = await pool.lease('it')
    lease.writer.write('one\n')
    const line = await lease.reader.readLine()
    lease.reader.unread(line)
    expect(await lease.release()).toEqual({ outcome: 'closed', reason: 'unread' })
    const next = await pool.lease('it')
    next.writer.write('two\n')
    next.reader.unread(await next.reader.readLine())
    expect(`${await next.reader.readLine()}`).toBe('two\n')
    expect(await next.release()).toEqual({ outcome: 'reused', reason: 'clean' })
  })

  test('answers no question that was asked after it: the connection is closed as unanswered', async () => {
    const server = await startTestServer(socket => {
      socket.once('data', first => {
        socket.write(first)
        socket.resume()
      })
    })
    const pool = await openPool({ targets: { it: targetOf(server, { reuse: 'clean' }) } })
    const lease = await pool.lease('it')
    const { reader, writer } = lease
    writer.write('one\n')
    reader.unread(await reader.readLine())
    await writer.send('two\n', { until: 'flushed' })
    expect(`${await reader.readLine()}`).toBe('one\n')
    expect(await lease.release()).toEqual({ outcome: 'closed', reason: 'unanswered' })
  })
})

describe('send', () => {
  test.each([{ tls: false }, { tls: true }])(
    'until flushed waits for the peer, says how far it came, and goes on (tls: $tls)',
    async ({ tls }) => {
      const server = await startTestServer(socket => socket.pause(), { tls })
      const security = tls ? { tls: { ca: server.ca, servername: 'localhost' } } : {}
      const [, writer] = await openConnection(server.host, server.port, security)
      const peer = await server.connection()
      await writer.send(pattern(0, 1_000), { until: 'flushed', timeoutMs: 5_000 })
      const error = (await writer
        .send(pattern(1_000, 2 * LARGE), { until: 'flushed', timeoutMs: 300 })
        .catch((reason: unknown) => reason)) as SockpoolError
      expect(error).toMatchObject({ code: 'DRAIN_TIMEOUT', bytesAccepted: 2 * LARGE })
      expect(error.bytesDelivered).toBeGreaterThan(0)
      expect(error.bytesDelivered).toBeLessThan(2 * LARGE)
      const check = new PatternCheck()
      peer.on('data', bytes => check.take(bytes))
      peer.resume()
      await writer.send(pattern(1_000 + 2 * LARGE, 1_000), { until: 'flushed' })
      expect(writer.buffered).toBe(0)
      writer.close()
      await writer.waitClosed()
      await until('all came', () => check.received === 2_000 + 2 * LARGE)
    },
  )

  test('until flushed that is under way when TLS starts is flushed in plain text, a later one encrypted', async () => {
    const certificate = await testCertificate()
    const { server } = await serve(async (reader, writer) => {
      expect(`${await reader.readLine()}`).toBe('before\n')
      await writer.startTls(certificate)
      writer.write(await reader.readLine())
      writer.close()
    })
    const [reader, writer] = await openConnection('127.0.0.1', server.address.port)
    const before = writer.send('before\n', { until: 'flushed' })
    const starting = writer.startTls({ ca: certificate.cert, servername: 'localhost' })
    const after = writer.send('after\n', { until: 'flushed' })
    await Promise.all([before, starting, after])
    expect(`${await reader.read()}`).toBe('after\n')
    writer.close()
    await writer.waitClosed()
  })

  test('until flushed on a connection that the peer resets is CONNECTION_RESET, with its counts', async () => {
    const server = await startTestServer(socket => socket.pause())
    const [, writer] = await openConnection(server.host, server.port)
    const sending = writer.send(Buffer.alloc(2 * LARGE), { until: 'flushed' })
    const peer = await server.connection()
    peer.resetAndDestroy()
    await expect(sending).rejects.toMatchObject({ code: 'CONNECTION_RESET', bytesAccepted: 2 * LARGE })
    await expect(writer.send('more')).rejects.toMatchObject({ code: 'CONNECTION_RESET', bytesAccepted: 0 })
  })
})

describe('waitClosed', () => {
  test('has a bound, after which the connection still closes', async () => {
    const server = await startTestServer(socket => socket.pause())
    const [, writer] = await openConnection(server.host, server.port)
    writer.write(Buffer.alloc(2 * LARGE))
    writer.close()
    await expect(writer.waitClosed({ timeoutMs: 20 })).rejects.toMatchObject({ code: 'DRAIN_TIMEOUT' })
    const peer = await server.connection()
    peer.resume()
    await writer.waitClosed({ timeoutMs: 5_000 })
  })
})

describe('openConnection with allowHalfOpen', () => {
  test('false ends its direction with the peer’s, after what was written, and loses nothing that came', async () => {
    const server = await startTestServer(() => {}, { halfOpen: true })
    const options = { allowHalfOpen: false }
    const [reader, writer] = await openConnection(server.host, server.port, options)
    const peer = await server.connection()
    let received = 0
    peer.on('data', bytes => (received += bytes.length))
    writer.write(Buffer.alloc(LARGE))
    peer.end('bye')
    await once(peer, 'end')
    expect([received, writer.isClosing()]).toEqual([LARGE, true])
    await writer.waitClosed({ timeoutMs: 5_000 })
    expect([`${await reader.read()}`, reader.atEof()]).toEqual(['bye', true])
  })

  test('true, the default, goes on writing', async () => {
    const server = await startTestServer(() => {}, { halfOpen: true })
    const [reader, writer] = await openConnection(server.host, server.port)
    const peer = await server.connection()
    peer.end('bye')
    expect(`${await reader.read()}`).toBe('bye')
    expect(writer.isClosing()).toBe(false)
    const received = allOf(peer)
    writer.write('still here')
    writer.close()
    expect(await received).toBe('still here')
  })

  test('false is no other end where the connection breaks', async () => {
    const server = await startTestServer(() => {})
    const [reader, writer] = await openConnection(server.host, server.port, { allowHalfOpen: false })
    const peer = await server.connection()
    peer.resetAndDestroy()
    await expect(reader.read()).rejects.toMatchObject({ code: 'CONNECTION_RESET' })
    await expect(writer.waitClosed()).rejects.toMatchObject({ code: 'CONNECTION_RESET' })
  })
})
