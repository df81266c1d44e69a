/** How TLS peers end: what a reader says of it, and what an exchange makes of it. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { describe, expect, onTestFinished, test } from 'vitest'
import { IncompleteReadError } from '../../src/base/errors.ts'
import type { StreamReader } from '../../src/streams/reading/stream-reader.ts'
import { attach } from '../support/attached.ts'
import { openPool } from '../support/pool-fixture.ts'
import { serve } from '../support/server-fixture.ts'
import { startTestServer } from '../support/test-server.ts'
import { testCertificate } from '../support/tls-certs.ts'
import { endAfter, startTlsEnder, type TlsEnderTraits } from '../support/tls-ender.ts'

const certificate = await testCertificate()

const WAYS = [
  ['close_notify', 'close_notify'],
  ['cut', 'truncated'],
] as const
const VERSIONS = ['TLSv1.2', 'TLSv1.3'] as const
/** More than a ring holds, so that the reading stops in between. */
const LARGE = 1_500_000

async function poolTo(traits: TlsEnderTraits, tls: object = {}) {
  const ender = await startTlsEnder(traits)
  const { host, port, trust } = ender
  const secure = traits.asked ? {} : { tls: { ...trust, ...tls } }
  return { ender, pool: await openPool({ targets: { it: { host, port, ...secure } } }) }
}

/** Reads to the end; how many bytes that were, and how it ended. */
async function readOut(reader: StreamReader): Promise<unknown[]> {
  const { length } = await reader.read()
  return [length, reader.atEof(), reader.ending]
}

describe.each(VERSIONS)('StreamReader.ending over %s', version => {
  test.each(WAYS.flatMap(([end, ending]) => [5, LARGE].map(size => ({ end, ending, size }))))(
    'of a lease whose peer sent $size bytes and then: $end',
    async ({ end, ending, size }) => {
      const { pool } = await poolTo({ end, reply: Buffer.alloc(size), version })
      const { reader, writer } = await pool.lease('it')
      expect(reader.ending).toBe(null)
      writer.write('x')
      expect(await readOut(reader)).toEqual([size, true, ending])
    },
  )

  test.each(WAYS)('of a connection that started TLS on the way, and then: %s', async (end, ending) => {
    const { ender, pool } = await poolTo({ end, reply: 'bye', version, asked: true })
    const { reader, writer } = await pool.lease('it')
    writer.write('STARTTLS\n')
    expect((await reader.readLine()).toString()).toBe('ready\n')
    await writer.startTls(ender.trust)
    writer.write('x')
    expect(await readOut(reader)).toEqual([3, true, ending])
  })

  test.each(WAYS)('of an accepted connection whose client then: %s', async (end, ending) => {
    const seen = Promise.withResolvers<unknown[]>()
    const { server } = await serve(
      async (reader, writer) => {
        readOut(reader).then(seen.resolve, seen.reject)
        await seen.promise
        writer.close()
      },
      { tls: certificate },
    )
    const raw = connect({ host: '127.0.0.1', port: server.address.port, allowHalfOpen: true })
    onTestFinished(() => void raw.destroy())
    const versions = { minVersion: version, maxVersion: version }
    const client = connectTls({ socket: raw, ca: certificate.cert, servername: 'localhost', ...versions })
    client.on('error', () => {}).resume()
    await once(client, 'secureConnect')
    endAfter(raw, client, end, 'hello')
    expect(await seen.promise).toEqual([5, true, ending])
  })

  test.each(WAYS)(
    'of a client that comes with its last word in one segment, and then: %s',
    async (end, ending) => {
      // Written before the handshake is over, it goes out behind the client's last word of it.
      const seen = Promise.withResolvers<unknown[]>()
      const { server } = await serve(reader => readOut(reader).then(seen.resolve, seen.reject), {
        tls: certificate,
      })
      const raw = connect({ host: '127.0.0.1', port: server.address.port, allowHalfOpen: true })
      onTestFinished(() => void raw.destroy())
      const versions = { minVersion: version, maxVersion: version }
      const client = connectTls({ socket: raw, ca: certificate.cert, servername: 'localhost', ...versions })
      client.on('error', () => {}).resume()
      endAfter(raw, client, end, 'hello')
      expect(await seen.promise).toEqual([5, true, ending])
    },
  )
})

describe('StreamReader.ending', () => {
  test('is fin over plain TCP, and reset where it broke', async () => {
    const server = await startTestServer(socket => {
      socket.once('data', ([first]) => (first === 0x65 ? socket.end('bye') : socket.resetAndDestroy()))
    })
    const { host, port } = server
    const pool = await openPool({ targets: { it: { host, port } } })
    const ended = await pool.lease('it')
    ended.writer.write('end')
    expect(await readOut(ended.reader)).toEqual([3, true, 'fin'])
    const broken = await pool.lease('it')
    broken.writer.write('reset')
    await expect(broken.reader.read()).rejects.toMatchObject({ code: 'CONNECTION_RESET' })
    expect([broken.reader.atEof(), broken.reader.ending]).toEqual([false, 'reset'])
  })

  test('is known while bytes are unread, and once the connection is gone', async () => {
    const { pool } = await poolTo({ end: 'cut', reply: 'abc' })
    const { reader, writer } = await pool.lease('it')
    writer.write('x')
    const ended = new Promise<void>(resolve => reader.onEnd(resolve))
    expect((await reader.readExactly(1)).toString()).toBe('a')
    await ended
    expect([reader.buffered, reader.ending]).toEqual([2, 'truncated'])
    await writer.waitClosed()
    expect(await readOut(reader)).toEqual([2, true, 'truncated'])
  })

  test.each(WAYS)('is told by the reader of a borrower, while and after: %s', async (end, ending) => {
    const { pool } = await poolTo({ end, reply: 'abc' })
    const lease = await pool.lease('it')
    lease.writer.write('x')
    const module = new URL('../fixtures/parse/read-out.ts', import.meta.url)
    expect(await lease.run(module)).toEqual({ text: 'abc', ending })
    await lease.writer.waitClosed()
    expect(await lease.run(module).catch(error => error.code)).toEqual({ text: '', ending })
  })

  test.each(WAYS)('is told by a blocking reader on an attached thread: %s', async (end, ending) => {
    const { pool } = await poolTo({ end, reply: 'abc' })
    const thread = attach(pool, 'readOut', { write: 'x' })
    expect(await thread.next()).toEqual({ text: 'abc', ending, atEof: true })
    expect(await thread.exited).toBe(0)
  })
})

const CUT = { code: 'INCOMPLETE_READ', reason: 'tls_truncated', bytesAccepted: 1, retryable: false }

describe('an exchange over TLS that reads to the end', () => {
  test.each(VERSIONS)('takes a reply that TLS has closed (%s)', async version => {
    const { pool } = await poolTo({ end: 'close_notify', reply: 'all', version })
    const reply = await pool.exchange('it', { write: 'x', read: { eof: true } })
    expect([reply.data.toString(), reply.eof, reply.ending]).toEqual(['all', true, 'close_notify'])
  })

  test.each(VERSIONS)('refuses a reply that was cut, and hands out what came (%s)', async version => {
    const { pool } = await poolTo({ end: 'cut', reply: 'half', version })
    const error = await pool.exchange('it', { write: 'x', read: { eof: true } }).catch(thrown => thrown)
    expect(error).toBeInstanceOf(IncompleteReadError)
    expect(error).toMatchObject({ ...CUT, expected: null })
    expect(error.partial.toString()).toBe('half')
    expect(error.message).toContain('close_notify')
  })

  test('takes a cut reply where the target says so, a described one too, but none without a byte', async () => {
    const { ender, pool } = await poolTo({ end: 'cut', reply: 'half' }, { allowTruncated: true })
    const toEnd = { write: 'x', read: { eof: true } } as const
    const reply = await pool.exchange('it', toEnd)
    expect([reply.data.toString(), reply.ending]).toEqual(['half', 'truncated'])
    const { host, port, trust } = ender
    const described = (allowTruncated: boolean) => ({ host, port, tls: { ...trust, allowTruncated } })
    await expect(pool.exchange(described(false), toEnd)).rejects.toMatchObject(CUT)
    expect((await pool.exchange(described(true), toEnd)).data.toString()).toBe('half')
    const mute = await poolTo({ end: 'cut', reply: '' }, { allowTruncated: true })
    await expect(mute.pool.exchange('it', toEnd)).rejects.toMatchObject({ code: 'INCOMPLETE_READ' })
  })

  test.each([
    { read: { line: true }, partial: 'half' },
    { read: { until: '--' }, partial: 'half' },
    { read: { exactly: 9 }, partial: 'half' },
  ] as const)('says that it was cut where it reads $read', async ({ read, partial }) => {
    const { pool } = await poolTo({ end: 'cut', reply: 'half' }, { allowTruncated: true })
    const error = await pool.exchange('it', { write: 'x', read }).catch(thrown => thrown)
    expect(error).toMatchObject(CUT)
    expect(error.partial.toString()).toBe(partial)
  })

  test('fails with a reset where it broke', async () => {
    const { pool } = await poolTo({ end: 'reset', reply: 'half' }, { allowTruncated: true })
    const exchange = pool.exchange('it', { write: 'x', read: { eof: true } })
    await expect(exchange).rejects.toMatchObject({ code: 'CONNECTION_RESET', retryable: false })
  })

  test('does the same on an attached thread, blocking or not', async () => {
    const toEnd = { write: 'x', read: { eof: true } }
    const closed = await poolTo({ end: 'close_notify', reply: 'all' })
    const whole = { text: 'all', ending: 'close_notify' }
    expect(await attach(closed.pool, 'exchangeBoth', toEnd).next()).toEqual([whole, whole])
    const cut = await poolTo({ end: 'cut', reply: 'half' })
    const refused = { ...CUT, partial: 'half' }
    expect(await attach(cut.pool, 'exchangeBoth', toEnd).next()).toMatchObject([refused, refused])
    const allowed = await poolTo({ end: 'cut', reply: 'half' }, { allowTruncated: true })
    const taken = { text: 'half', ending: 'truncated' }
    expect(await attach(allowed.pool, 'exchangeBoth', toEnd).next()).toEqual([taken, taken])
  })
})

test('allowTruncated is for the exchanges of a target: whoever starts TLS or serves it is told so', async () => {
  const { pool } = await poolTo({ end: 'cut', reply: '', asked: true })
  const { writer } = await pool.lease('it')
  const options = { allowTruncated: true } as object
  await expect(writer.startTls(options)).rejects.toMatchObject({
    code: 'INVALID_REQUEST',
    errors: [{ path: 'allowTruncated', message: 'is for the exchanges of a target' }],
  })
})

test('a handshake that fails says what OpenSSL says of it, and not where', async () => {
  const plain = await startTestServer(socket => void socket.resume().write('220 plain text\r\n'))
  const { host, port } = plain
  const pool = await openPool({ targets: { it: { host, port, tls: true } } })
  await expect(pool.lease('it')).rejects.toMatchObject({
    code: 'TLS_FAILED',
    reason: 'ERR_SSL_WRONG_VERSION_NUMBER',
    message: 'SSL: wrong version number',
  })
})
