/** StreamWriter and connecting, after CPython's test_streams.py. */
import { inspect } from 'node:util'
import { expect, onTestFinished } from 'vitest'
import { openConnection } from '../../../src/open-connection.ts'
import { refusingPort } from '../../support/test-server.ts'
import { until } from '../../support/until.ts'
import { asText, isSettled, rejected, testCase, writerLink } from '../links.ts'
import type { Case } from '../transport.ts'

/** More than rings, kernel buffers and a writer's marks hold together. */
const FLOOD = Buffer.alloc(16_777_216, 'x')

export const writeCases: readonly Case[] = [
  testCase('test_open_connection: a request and its answer', ['socket'], async transport => {
    const { reader, writer, peer, arrive } = await writerLink(transport)
    writer.write('GET / HTTP/1.0\r\n\r\n')
    expect(await peer.receive(18)).toBe('GET / HTTP/1.0\r\n\r\n')
    await arrive('HTTP/1.0 200 OK\r\n')
    expect(await asText(reader.readLine())).toBe('HTTP/1.0 200 OK\r\n')
    const [address, port] = writer.getExtraInfo('peername') as [string, number]
    expect([address, port > 0]).toEqual(['127.0.0.1', true])
    expect(writer.getExtraInfo('sockname')).toHaveLength(2)
    expect(writer.getExtraInfo('ssl') === null).toBe(transport.name === 'tcp')
    expect([writer.getExtraInfo('nothing'), writer.getExtraInfo('toString', 7)]).toEqual([null, 7])
  }),
  testCase('test_open_connection_error: nobody listens', ['socket'], async () => {
    const port = await refusingPort()
    expect(await rejected(openConnection('127.0.0.1', port))).toMatchObject({ code: 'CONNECT_REFUSED' })
  }),
  testCase(
    'test_eof_feed_when_closing_writer: the reader ends with the writer',
    ['socket'],
    async transport => {
      const { reader, writer } = await writerLink(transport)
      const reading = reader.read()
      writer.close()
      await writer.waitClosed()
      expect(await reading).toHaveLength(0)
      expect([reader.atEof(), reader.exception()]).toEqual([true, null])
    },
  ),
  testCase('test_multiple_drain: ten wait together', ['writer'], async transport => {
    const { writer, peer } = await writerLink(transport)
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
    ['writer'],
    async transport => {
      const broken = await writerLink(transport)
      broken.writer.write(FLOOD)
      const failing = [rejected(broken.writer.drain()), rejected(broken.writer.drain())]
      await broken.break()
      for (const failure of failing) expect(await failure).toMatchObject({ code: 'CONNECTION_RESET' })
      const closed = await writerLink(transport)
      closed.writer.write(FLOOD)
      const draining = closed.writer.drain()
      closed.writer.abort()
      if (!transport.traits.has('socket')) await closed.peer.close()
      await draining
    },
  ),
  testCase('drain returns at once up to the high mark', ['writer'], async transport => {
    const { writer } = await writerLink(transport)
    writer.write(Buffer.alloc(65_536))
    await writer.drain()
  }),
  testCase('test_wait_closed_on_close: what was written is sent first', ['writer'], async transport => {
    const { writer, peer } = await writerLink(transport)
    writer.write('last words')
    writer.close()
    writer.close()
    expect(writer.isClosing()).toBe(true)
    expect(await peer.receive(10)).toBe('last words')
    await peer.ended()
    await peer.close()
    await writer.waitClosed()
  }),
  testCase('test_wait_closed_on_close_with_unread_data', ['writer'], async transport => {
    const { reader, writer, peer, arrive } = await writerLink(transport)
    await arrive('unread data')
    writer.close()
    await peer.ended()
    await peer.close()
    await writer.waitClosed()
    expect(reader.exception()).toBeNull()
  }),
  testCase('test_async_writer_api: write, drain, close, wait_closed', ['writer'], async transport => {
    const { reader, writer, peer, arrive } = await writerLink(transport)
    for (const text of ['one ', 'two']) {
      writer.write(text)
      await writer.drain()
    }
    writer.writeLines([' three', Buffer.from(' four'), ''])
    expect(await peer.receive(18)).toBe('one two three four')
    await arrive('answer\n')
    expect(await asText(reader.readLine())).toBe('answer\n')
    writer.close()
    await peer.ended()
    await peer.close()
    await writer.waitClosed()
    await writer.waitClosed()
  }),
  testCase('test_async_writer_api_exception_after_close: a drain tells', ['writer'], async transport => {
    const { writer, peer } = await writerLink(transport)
    writer.close()
    await peer.ended()
    await peer.close()
    await writer.waitClosed()
    writer.write('data')
    expect(writer.dropped).toBe(4)
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
      expect(() => writer.write(5 as unknown as string)).toThrow(TypeError)
      expect(() => writer.writeLines(['a', 5 as unknown as string])).toThrow(TypeError)
      expect(writer.offset).toBe(0)
    },
  ),
  testCase('writes to a lost connection are dropped, and the fifth warns', ['socket'], async transport => {
    const { writer } = await writerLink(transport)
    writer.abort()
    await writer.waitClosed()
    const warnings: Error[] = []
    const note = (warning: Error): unknown => warnings.push(warning)
    process.on('warning', note)
    onTestFinished(() => void process.off('warning', note))
    for (let count = 0; count < 4; count++) writer.write('x')
    await new Promise(resolve => setImmediate(resolve))
    expect(warnings).toEqual([])
    writer.write('x')
    await until('it warned', () => warnings.length > 0)
    expect(warnings[0]?.message).toBe('socket.send() raised exception.')
    expect(writer.dropped).toBe(5)
  }),
  testCase(
    'write_eof: all that was written, then the end; reading goes on',
    ['half-close'],
    async transport => {
      const { reader, writer, peer, arrive } = await writerLink(transport)
      expect(writer.canWriteEof()).toBe(true)
      writer.write('question')
      writer.writeEof()
      writer.writeEof()
      expect(await peer.receive(8)).toBe('question')
      await peer.ended()
      await arrive('answer')
      expect(await asText(reader.read(9))).toBe('answer')
      expect(writer.isClosing()).toBe(false)
    },
  ),
  testCase('write after write_eof is WRITE_CLOSED, after close too', ['half-close'], async transport => {
    const { writer } = await writerLink(transport)
    writer.writeEof()
    for (let round = 0; round < 2; round++) {
      expect(() => writer.write('a')).toThrow('Cannot call write() after write_eof()')
      expect(() => writer.writeLines(['a'])).toThrow('Cannot call writelines() after write_eof()')
      writer.close()
    }
  }),
  testCase('half-close by the peer: writing goes on, then read to EOF', ['half-close'], async transport => {
    const link = await writerLink(transport)
    await link.arrive('bye')
    await link.finish()
    link.writer.write('still here')
    expect(await link.peer.receive(10)).toBe('still here')
    expect(await asText(link.reader.read())).toBe('bye')
    expect(link.writer.isClosing()).toBe(false)
  }),
  testCase('TLS cannot end one direction, and a peer that does ends both', ['socket'], async transport => {
    if (transport.traits.has('half-close')) return
    const link = await writerLink(transport)
    expect(link.writer.canWriteEof()).toBe(false)
    expect(() => link.writer.writeEof()).toThrow('TLS cannot end one direction alone')
    await link.finish()
    expect(await link.reader.read()).toHaveLength(0)
    await link.writer.waitClosed()
    expect(link.writer.isClosing()).toBe(true)
  }),
  testCase('abort drops what is queued, and the end is none', ['socket'], async transport => {
    const { reader, writer } = await writerLink(transport)
    writer.write(FLOOD)
    writer.abort()
    await writer.waitClosed()
    expect([reader.exception(), writer.isClosing()]).toEqual([null, true])
  }),
  testCase('a writer looks like what it is', ['writer'], async transport => {
    const { writer } = await writerLink(transport)
    expect(inspect(writer)).toBe('<StreamWriter open 0 bytes>')
    writer.close()
    expect(inspect(writer)).toBe('<StreamWriter closing 0 bytes>')
  }),
]
