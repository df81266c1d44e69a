/** StreamWriter and connecting, after CPython's test_streams.py. */
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer } from 'node:tls'
import { inspect } from 'node:util'
import { expect } from 'vitest'
import { openConnection } from '../../../src/library/open-connection.ts'
import { refusingPort } from '../../support/test-server.ts'
import { testCertificate } from '../../support/tls-certs.ts'
import { until } from '../../support/until.ts'
import { asText, asyncWriterLink, failed, isSettled, rejected, testCase, writerLink } from '../links.ts'
import { onCaseFinished } from '../surface.ts'
import type { Case, Transport, WriterLink } from '../transport.ts'

/** More than rings, kernel buffers and a writer's marks hold together. */
const FLOOD = Buffer.alloc(16_777_216, 'x')

/** A request of which the peer hears all, and the first line of its answer. */
async function askAndHear(transport: Transport): Promise<WriterLink> {
  const link = await writerLink(transport)
  await link.writer.write('GET / HTTP/1.0\r\n\r\n')
  expect(await link.peer.receive(18)).toBe('GET / HTTP/1.0\r\n\r\n')
  await link.arrive('HTTP/1.0 200 OK\r\n')
  expect(await asText(link.reader.readLine())).toBe('HTTP/1.0 200 OK\r\n')
  return link
}

export const writeCases: readonly Case[] = [
  testCase('test_open_connection: a request and its answer', ['socket'], async transport => {
    const { reader, writer, peer, arrive } = await askAndHear(transport)
    await arrive('\r\nTest message')
    expect(await asText(reader.readLine())).toBe('\r\n')
    await writer.close()
    await peer.ended()
    const [address, port] = (await writer.getExtraInfo('peername')) as [string, number]
    expect([address, port > 0]).toEqual(['127.0.0.1', true])
    expect(await writer.getExtraInfo('sockname')).toHaveLength(2)
    expect([await writer.getExtraInfo('nothing'), await writer.getExtraInfo('toString', 7)]).toEqual([
      null,
      7,
    ])
  }),
  testCase('test_open_connection_no_loop_ssl: to the end, encrypted', ['socket', 'tls'], async transport => {
    const link = await askAndHear(transport)
    await link.arrive('\r\nTest message')
    await link.finish()
    expect(await asText(link.reader.read())).toBe('\r\nTest message')
    expect(await link.writer.getExtraInfo('ssl')).toMatchObject({ protocol: 'TLSv1.3', authorized: true })
    expect(await link.writer.getExtraInfo('cipher')).toEqual(expect.any(String))
  }),
  testCase('test_open_unix_connection_no_loop_ssl: by path, encrypted', ['own', 'tls'], async () => {
    const { cert, key } = await testCertificate()
    const folder = await mkdtemp(join(tmpdir(), 'sockpool-test-'))
    onCaseFinished(() => rm(folder, { recursive: true }))
    const path = join(folder, 'a.sock')
    const server = createServer({ cert, key }, socket => {
      socket.once('data', () => socket.end('HTTP/1.0 200 OK\r\n\r\nTest message'))
    })
    server.listen(path)
    await once(server, 'listening')
    onCaseFinished(() => new Promise(resolve => server.close(resolve)))
    const [reader, writer] = await openConnection({ path }, { tls: { ca: cert, servername: 'localhost' } })
    writer.write('GET / HTTP/1.0\r\n\r\n')
    expect(await asText(reader.read())).toBe('HTTP/1.0 200 OK\r\n\r\nTest message')
    expect(writer.getExtraInfo('ssl')).toMatchObject({ authorized: true })
    writer.close()
    await writer.waitClosed()
  }),
  testCase('test_open_connection_error: it breaks, or nobody listens', ['socket'], async transport => {
    const link = await transport.open()
    await link.break()
    expect(await rejected(link.reader.read())).toMatchObject({ code: 'CONNECTION_RESET' })
    const port = await refusingPort()
    expect(await failed(() => transport.dial?.(port))).toMatchObject({ code: 'CONNECT_REFUSED' })
  }),
  testCase(
    'test_buffered_connectable: connect, write, two counts of what comes',
    ['socket'],
    async transport => {
      const { reader, writer, peer, arrive } = await writerLink(transport)
      await writer.write('abcd')
      await arrive(await peer.receive(4))
      expect(await asText(reader.readExactly(2))).toBe('ab')
      expect(await asText(reader.readExactly(2))).toBe('cd')
    },
  ),
  testCase(
    'test_buffered_stream: two counts, then the end of writing alone, then of both',
    ['half-close'],
    async transport => {
      const { reader, writer, peer, arrive } = await writerLink(transport)
      await arrive('abcd')
      expect(await asText(reader.readExactly(2))).toBe('ab')
      expect(await asText(reader.readExactly(2))).toBe('cd')
      await writer.writeEof()
      expect(await failed(() => writer.write('abc'))).toMatchObject({ code: 'WRITE_CLOSED' })
      await peer.ended()
      expect(await reader.atEof()).toBe(false)
      await writer.close()
      await peer.close()
      await writer.waitClosed()
      expect(await reader.read(1)).toHaveLength(0)
    },
  ),
  testCase(
    'test_buffered_stream_receive_invalid_max_bytes: refused, and the stream goes on',
    ['writer'],
    async transport => {
      const { reader, writer, peer, arrive } = await writerLink(transport)
      for (const limit of [0, -1])
        expect(await failed(() => reader.readUntil('\n', { limit }))).toMatchObject({
          message: 'Limit cannot be <= 0',
        })
      await writer.write('abcd')
      await arrive(await peer.receive(4))
      expect(await asText(reader.read(9))).toBe('abcd')
    },
  ),
  testCase(
    'test_eof_feed_when_closing_writer: the reader ends with the writer',
    ['socket'],
    async transport => {
      const { reader, writer } = await writerLink(transport)
      await writer.close()
      await writer.waitClosed()
      expect(await reader.atEof()).toBe(true)
      expect(await reader.read()).toHaveLength(0)
      expect(await reader.exception()).toBeNull()
    },
  ),
  testCase('a read that waits ends when the writer closes', ['async', 'socket'], async transport => {
    const { reader, writer } = await asyncWriterLink(transport)
    const reading = reader.read()
    writer.close()
    await writer.waitClosed()
    expect(await reading).toHaveLength(0)
    expect([reader.atEof(), reader.exception()]).toEqual([true, null])
  }),
  testCase('test_multiple_drain: ten wait together', ['async', 'writer'], async transport => {
    const { writer, peer } = await asyncWriterLink(transport)
    writer.write(FLOOD)
    const drains = Array.from({ length: 10 }, () => writer.drain())
    expect(await isSettled(Promise.race(drains))).toBe(false)
    await peer.receive(FLOOD.length - 16_384)
    await Promise.all(drains)
  }),
  testCase('test_drain_raises: the error that broke the connection', ['writer'], async transport => {
    const link = await writerLink(transport)
    await link.break()
    await rejected(link.writer.drain())
    await rejected(link.writer.waitClosed())
  }),
  testCase(
    'a drain that waits rejects with the error, or resolves when there was none',
    ['async', 'writer'],
    async transport => {
      const broken = await asyncWriterLink(transport)
      broken.writer.write(FLOOD)
      const failing = [rejected(broken.writer.drain()), rejected(broken.writer.drain())]
      await broken.break()
      for (const failure of failing) expect(await failure).toMatchObject({ code: 'CONNECTION_RESET' })
      const closed = await asyncWriterLink(transport)
      closed.writer.write(FLOOD)
      const draining = closed.writer.drain()
      closed.writer.abort()
      // Where no I/O worker is, the peer has both ends.
      if (transport.dial === undefined) await closed.peer.close()
      await draining
    },
  ),
  testCase('drain returns at once up to the high mark', ['writer'], async transport => {
    const { writer } = await writerLink(transport)
    await writer.write(Buffer.alloc(65_536))
    await writer.drain()
  }),
  testCase('test_wait_closed_on_close: what was written is sent first', ['writer'], async transport => {
    const { writer, peer } = await writerLink(transport)
    await writer.write('last words')
    await writer.close()
    await writer.close()
    expect(await writer.isClosing()).toBe(true)
    expect(await peer.receive(10)).toBe('last words')
    await peer.ended()
    await peer.close()
    await writer.waitClosed()
  }),
  testCase('test_wait_closed_on_close_with_unread_data', ['writer'], async transport => {
    const { reader, writer, peer, arrive } = await writerLink(transport)
    await arrive('unread data')
    await writer.close()
    await peer.ended()
    await peer.close()
    await writer.waitClosed()
    expect(await reader.exception()).toBeNull()
  }),
  testCase('test_async_writer_api: write, drain, close, wait_closed', ['writer'], async transport => {
    const { reader, writer, peer, arrive } = await writerLink(transport)
    for (const text of ['one ', 'two']) {
      await writer.write(text)
      await writer.drain()
    }
    await writer.writeLines([' three', Buffer.from(' four'), ''])
    expect(await peer.receive(18)).toBe('one two three four')
    await arrive('answer\n')
    expect(await asText(reader.readLine())).toBe('answer\n')
    await writer.close()
    await peer.ended()
    await peer.close()
    await writer.waitClosed()
    await writer.waitClosed()
  }),
  testCase('test_async_writer_api_exception_after_close: a drain tells', ['writer'], async transport => {
    const { writer, peer } = await writerLink(transport)
    await writer.close()
    await peer.ended()
    await peer.close()
    await writer.waitClosed()
    await writer.write('data')
    expect(await writer.dropped).toBe(4)
    expect(await rejected(writer.drain())).toMatchObject({
      code: 'CONNECTION_RESET',
      message: 'Connection lost',
    })
  }),
  testCase(
    'what is not bytes is a TypeError, and a list is taken whole or not at all',
    ['writer'],
    async transport => {
      const { writer } = await writerLink(transport)
      const five = 5 as unknown as string
      expect(await failed(() => writer.write(five))).toBeInstanceOf(TypeError)
      expect(await failed(() => writer.writeLines(['a', five]))).toBeInstanceOf(TypeError)
      expect(await writer.offset).toBe(0)
    },
  ),
  testCase('writes to a lost connection are dropped and counted', ['socket'], async transport => {
    const { writer } = await writerLink(transport)
    await writer.abort()
    await writer.waitClosed()
    for (let count = 0; count < 4; count++) await writer.write('x')
    expect([await writer.dropped, await writer.offset]).toEqual([4, 0])
  }),
  testCase('the fifth write to a lost connection warns', ['own', 'async'], async transport => {
    const { writer } = await asyncWriterLink(transport)
    writer.abort()
    await writer.waitClosed()
    const warnings: Error[] = []
    const note = (warning: Error): unknown => warnings.push(warning)
    process.on('warning', note)
    onCaseFinished(() => process.off('warning', note))
    for (let count = 0; count < 4; count++) writer.write('x')
    await new Promise(resolve => setImmediate(resolve))
    expect(warnings).toEqual([])
    writer.write('x')
    await until('it warned', () => warnings.length > 0)
    expect(warnings[0]?.message).toBe('socket.send() raised exception.')
  }),
  testCase(
    'write_eof: all that was written, then the end; reading goes on to EOF',
    ['half-close'],
    async transport => {
      const link = await writerLink(transport)
      const { reader, writer, peer } = link
      expect(await writer.canWriteEof()).toBe(true)
      await writer.write('question')
      await writer.writeEof()
      await writer.writeEof()
      expect(await peer.receive(8)).toBe('question')
      await peer.ended()
      await link.arrive('answer')
      expect(await asText(reader.read(9))).toBe('answer')
      expect(await writer.isClosing()).toBe(false)
      await link.arrive('and more')
      await link.finish()
      expect(await asText(reader.read())).toBe('and more')
    },
  ),
  testCase('write after write_eof is WRITE_CLOSED, after close too', ['half-close'], async transport => {
    const { writer } = await writerLink(transport)
    await writer.writeEof()
    for (let round = 0; round < 2; round++) {
      expect(await failed(() => writer.write('a'))).toMatchObject({
        code: 'WRITE_CLOSED',
        message: 'Cannot call write() after write_eof()',
      })
      expect(await failed(() => writer.writeLines(['a']))).toMatchObject({
        code: 'WRITE_CLOSED',
        message: 'Cannot call writelines() after write_eof()',
      })
      await writer.close()
    }
  }),
  testCase('half-close by the peer: writing goes on, then read to EOF', ['half-close'], async transport => {
    const link = await writerLink(transport)
    await link.arrive('bye')
    await link.finish()
    await link.writer.write('still here')
    expect(await link.peer.receive(10)).toBe('still here')
    expect(await asText(link.reader.read())).toBe('bye')
    expect(await link.writer.isClosing()).toBe(false)
  }),
  testCase('TLS cannot end one direction, and a peer that does ends both', ['tls'], async transport => {
    const link = await writerLink(transport)
    expect(await link.writer.canWriteEof()).toBe(false)
    expect(await failed(() => link.writer.writeEof())).toMatchObject({
      code: 'WRITE_CLOSED',
      message: 'TLS cannot end one direction alone',
    })
    await link.finish()
    expect(await link.reader.read()).toHaveLength(0)
    await link.writer.waitClosed()
    expect(await link.writer.isClosing()).toBe(true)
  }),
  testCase('abort drops what is queued, and the end is none', ['async', 'socket'], async transport => {
    const { reader, writer } = await asyncWriterLink(transport)
    writer.write(FLOOD)
    writer.abort()
    await writer.waitClosed()
    expect([reader.exception(), writer.isClosing()]).toEqual([null, true])
  }),
  testCase('abort ends the connection at once, and without an error', ['socket'], async transport => {
    const { reader, writer } = await writerLink(transport)
    await writer.write(Buffer.alloc(60_000))
    await writer.abort()
    await writer.waitClosed()
    expect([await reader.exception(), await writer.isClosing()]).toEqual([null, true])
  }),
  testCase('a writer looks like what it is', ['async', 'writer'], async transport => {
    const { writer } = await asyncWriterLink(transport)
    expect(inspect(writer)).toBe('<StreamWriter open 0 bytes>')
    writer.close()
    expect(inspect(writer)).toBe('<StreamWriter closing 0 bytes>')
  }),
]
