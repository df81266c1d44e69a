import { afterEach, describe, expect, test, vi } from 'vitest'
import { SockpoolError } from '../../../src/base/errors.ts'
import { thrown } from '../../fixtures/thrown.ts'
import type { ChannelPair } from '../../support/channel-pair.ts'
import { isSettled, letters, smallWriter } from '../../support/small-writer.ts'

/** What the kernel gets if it takes `step` bytes a time for as long as there are any. */
function drainRing(pair: ChannelPair, step: number): string {
  let all = ''
  for (let part = pair.send(step); part !== ''; part = pair.send(step)) all += part
  return all
}

afterEach(() => {
  vi.useRealTimers()
})

describe('StreamWriter.write', () => {
  test('copies bytes and strings into the ring and rings an I/O worker that asks for it', () => {
    const { pair, writer } = smallWriter()
    pair.outbound.wish(1)
    const bytes = Buffer.from('ab')
    writer.write(bytes)
    bytes.fill(0)
    writer.write('é')
    expect(pair.ioWasRung).toBe(true)
    expect(pair.send(9)).toBe('abé')
    expect(writer.offset).toBe(4)
  })

  test('of nothing does nothing, of something else is a TypeError', () => {
    const { pair, writer } = smallWriter()
    writer.write('')
    expect(writer.buffered).toBe(0)
    expect(() => writer.write(5 as unknown as string)).toThrow(TypeError)
    expect(pair.outbound.readable).toBe(0)
  })

  test.each([1, 7, 64])(
    'keeps what the ring does not hold, and sends it in order (kernel takes %i)',
    step => {
      const { pair, writer } = smallWriter()
      const bytes = letters(1_000)
      for (let at = 0; at < bytes.length; at += 90) writer.write(bytes.slice(at, at + 90))
      expect(writer.buffered).toBe(1_000)
      expect(drainRing(pair, step)).toBe(bytes)
      expect(writer.buffered).toBe(0)
    },
  )

  test('is WRITE_OVERFLOW beyond its bound and accepts nothing of it', () => {
    const { pair, writer } = smallWriter({ maxBufferedBytes: 100 })
    writer.write(letters(64))
    writer.write(letters(100))
    expect(thrown(() => writer.write('x'))).toMatchObject({ code: 'WRITE_OVERFLOW', bytesAccepted: 0 })
    expect(writer.offset).toBe(164)
    pair.send(40)
    writer.write('x')
    expect(drainRing(pair, 64)).toBe(`${letters(64).slice(40)}${letters(100)}x`)
  })

  test('after close and on a lost connection drops and counts', () => {
    const { pair, writer } = smallWriter()
    writer.close()
    writer.write('abc')
    expect(writer.dropped).toBe(3)
    const lost = smallWriter()
    lost.pair.close('reset')
    lost.writer.write('ab')
    expect(lost.writer.dropped).toBe(2)
    expect([pair.outbound.readable, lost.pair.outbound.readable]).toEqual([0, 0])
  })

  test('of a list takes all or nothing', () => {
    const { pair, writer } = smallWriter({ maxBufferedBytes: 100 })
    expect(() => writer.writeLines(['a', 5 as unknown as string])).toThrow(TypeError)
    writer.write(letters(65))
    expect(thrown(() => writer.writeLines([letters(60), letters(60)]))).toMatchObject({
      code: 'WRITE_OVERFLOW',
    })
    expect(writer.offset).toBe(65)
    writer.writeLines([letters(60), '', letters(39)])
    expect(drainRing(pair, 64)).toBe(letters(65) + letters(60) + letters(39))
  })

  test('tells of each write that goes nowhere', () => {
    const { pair, writer } = smallWriter()
    const onFutileWrite = vi.fn()
    writer.onFutileWrite = onFutileWrite
    writer.write('a')
    pair.close('closed')
    writer.write('b')
    writer.writeLines(['c', 'd'])
    expect(onFutileWrite.mock.calls).toEqual([[1], [2]])
    expect(writer.dropped).toBe(3)
  })

  test('after writeEof is WRITE_CLOSED, in words of asyncio, after close too', () => {
    const { writer } = smallWriter()
    writer.writeEof()
    writer.close()
    expect(thrown(() => writer.write('a'))).toMatchObject({
      code: 'WRITE_CLOSED',
      message: 'Cannot call write() after write_eof()',
    })
    expect(thrown(() => writer.writeLines(['a']))).toMatchObject({
      message: 'Cannot call writelines() after write_eof()',
    })
  })

  test('tells its owner of each write that was accepted', () => {
    const onWrite = vi.fn()
    const { writer } = smallWriter({ onWrite })
    writer.writeLines(['a', 'b'])
    writer.writeLines([''])
    writer.write('')
    writer.write('c')
    expect(onWrite).toHaveBeenCalledTimes(2)
  })
})

describe('StreamWriter.drain', () => {
  test('returns at the high mark and waits above it, down to the low mark', async () => {
    const { pair, writer } = smallWriter()
    writer.write(letters(32))
    await writer.drain()
    writer.write('x')
    const draining = writer.drain()
    pair.send(24)
    expect(await isSettled(draining)).toBe(false)
    pair.send(1)
    await draining
    expect(writer.buffered).toBe(8)
  })

  test('watches the queue beyond the ring as well', async () => {
    const { pair, writer } = smallWriter()
    writer.write(letters(300))
    const draining = writer.drain()
    let sent = ''
    while (sent.length < 291) sent += pair.send(Math.min(13, 291 - sent.length))
    expect(await isSettled(draining)).toBe(false)
    sent += pair.send(1)
    await draining
    expect(sent).toBe(letters(292))
  })

  test('lets any number wait together', async () => {
    const { pair, writer } = smallWriter()
    writer.write(letters(100))
    const drains = Array.from({ length: 10 }, () => writer.drain())
    drainRing(pair, 64)
    await Promise.all(drains)
  })

  test('is not forgotten when the marks rise while it waits', async () => {
    const { pair, writer } = smallWriter()
    writer.write(letters(60))
    const draining = writer.drain()
    writer.setWriteBufferLimits(1_000, 20)
    expect(await isSettled(draining)).toBe(false)
    pair.send(40)
    await draining
  })

  test('rejects with the error that the connection was lost by, and resolves when it just closed', async () => {
    const { pair, writer } = smallWriter()
    writer.write(letters(60))
    const drains = [writer.drain(), writer.drain()]
    pair.close('reset')
    for (const drain of drains) await expect(drain).rejects.toMatchObject({ code: 'CONNECTION_RESET' })
    const other = smallWriter()
    other.writer.write(letters(60))
    const draining = other.writer.drain()
    other.pair.close('closed')
    await draining
  })

  test('afterwards is CONNECTION_RESET, or first of all the error of the reader', async () => {
    const { pair, writer } = smallWriter()
    pair.close('closed')
    await expect(writer.drain()).rejects.toMatchObject({
      code: 'CONNECTION_RESET',
      message: 'Connection lost',
    })
    const broken = new SockpoolError('TLS_FAILED', 'broken')
    const other = smallWriter({ readerException: () => broken })
    await expect(other.writer.drain()).rejects.toBe(broken)
  })

  test('gives a closing connection a turn to report its loss', async () => {
    const { pair, writer } = smallWriter()
    writer.close()
    const draining = writer.drain()
    pair.close('closed')
    await expect(draining).rejects.toMatchObject({ message: 'Connection lost' })
  })

  test('ends by time or signal with its own error, and writing goes on', async () => {
    const { pair, writer } = smallWriter()
    writer.write(letters(60))
    await expect(writer.drain({ timeoutMs: 5 })).rejects.toMatchObject({
      code: 'DRAIN_TIMEOUT',
      bytesAccepted: 60,
    })
    await expect(writer.drain({ signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ABORTED' })
    expect(drainRing(pair, 64)).toBe(letters(60))
  })
})

describe('StreamWriter.close', () => {
  test('comes after all that was written', () => {
    const { pair, writer } = smallWriter()
    writer.write(letters(200))
    writer.close()
    writer.close()
    expect(writer.isClosing()).toBe(true)
    expect(pair.channel.shut).toBe('open')
    expect(drainRing(pair, 50)).toBe(letters(200))
    expect(pair.channel.shut).toBe('close')
    expect(pair.ioWasRung).toBe(true)
  })

  test('supersedes an end of writing that still waits', () => {
    const { pair, writer } = smallWriter()
    writer.write(letters(200))
    writer.writeEof()
    writer.close()
    drainRing(pair, 64)
    expect(pair.channel.shut).toBe('close')
  })

  test('is overtaken by abort, which drops what waits', () => {
    const { pair, writer } = smallWriter()
    writer.write(letters(200))
    writer.close()
    writer.abort()
    expect(pair.channel.shut).toBe('abort')
    expect(writer.buffered).toBe(64)
    expect(drainRing(pair, 64)).toBe(letters(64))
  })

  test('lets waitClosed resolve when the connection is gone, and reject when it broke', async () => {
    const { pair, writer } = smallWriter()
    writer.close()
    const closed = [writer.waitClosed(), writer.waitClosed()]
    expect(await isSettled(Promise.race(closed))).toBe(false)
    pair.close('closed')
    await Promise.all(closed)
    await writer.waitClosed()
    const broken = smallWriter()
    const waiting = broken.writer.waitClosed()
    broken.pair.close('reset')
    await expect(waiting).rejects.toMatchObject({ code: 'CONNECTION_RESET' })
    await expect(broken.writer.waitClosed()).rejects.toMatchObject({ code: 'CONNECTION_RESET' })
  })

  test('leaves waitClosed a bound of its own', async () => {
    const { writer } = smallWriter()
    await expect(writer.waitClosed({ timeoutMs: 5 })).rejects.toMatchObject({ code: 'DRAIN_TIMEOUT' })
  })
})

describe('StreamWriter.writeEof', () => {
  test('comes after all that was written, once, and leaves the connection open', () => {
    const { pair, writer } = smallWriter()
    writer.write(letters(100))
    writer.writeEof()
    writer.writeEof()
    expect(pair.channel.shut).toBe('open')
    drainRing(pair, 64)
    expect(pair.channel.shut).toBe('finish')
    expect([writer.eofWritten, writer.isClosing()]).toEqual([true, false])
  })

  test('is refused where one direction cannot end alone', () => {
    const { pair, writer } = smallWriter({ canWriteEof: false })
    expect(writer.canWriteEof()).toBe(false)
    expect(thrown(() => writer.writeEof())).toMatchObject({ code: 'WRITE_CLOSED' })
    expect(pair.channel.shut).toBe('open')
  })
})

describe('StreamWriter.setWriteBufferLimits', () => {
  test('derives the mark that is missing', async () => {
    const { pair, writer } = smallWriter()
    writer.setWriteBufferLimits(undefined, 5)
    writer.write(letters(20))
    await writer.drain()
    writer.write('x')
    const draining = writer.drain()
    pair.send(15)
    expect(await isSettled(draining)).toBe(false)
    pair.send(1)
    await draining
  })

  test.each([
    [1, 2],
    [-4, undefined],
  ])('refuses a high mark of %i over a low one of %s', (high, low) => {
    expect(thrown(() => smallWriter().writer.setWriteBufferLimits(high, low))).toMatchObject({
      code: 'INVALID_REQUEST',
    })
  })
})

test('StreamWriter.getExtraInfo knows what it was given, else the fallback', () => {
  const { writer } = smallWriter({ extraInfo: { peername: ['127.0.0.1', 80], ssl: null } })
  expect(writer.getExtraInfo('peername')).toEqual(['127.0.0.1', 80])
  expect(writer.getExtraInfo('ssl')).toBeNull()
  expect(writer.getExtraInfo('nothing', 'else')).toBe('else')
  expect(writer.getExtraInfo('sockname')).toBeNull()
})

describe('ChannelSink', () => {
  test('wakes once, as soon as few enough bytes are pending', () => {
    const { pair } = smallWriter()
    pair.sink.write(Buffer.from(letters(40)))
    const wake = vi.fn()
    expect(pair.sink.request(40, wake)).toBe(false)
    expect(pair.sink.request(20, wake)).toBe(true)
    pair.send(19)
    pair.ringHolder()
    expect(wake).not.toHaveBeenCalled()
    pair.send(1)
    expect(wake).toHaveBeenCalledOnce()
    pair.send(1)
    pair.ringHolder()
    expect(wake).toHaveBeenCalledOnce()
  })

  test('detached takes nothing, holds nothing and tells its end', () => {
    const { pair } = smallWriter()
    pair.sink.write(Buffer.from(letters(40)))
    const [wake, ended] = [vi.fn(), vi.fn()]
    pair.sink.onEnd(ended)
    pair.sink.request(0, wake)
    pair.sink.detach({ kind: 'closed' })
    pair.sink.detach({ kind: 'fin' })
    expect([wake, ended].map(listener => listener.mock.calls.length)).toEqual([1, 1])
    expect(pair.sink.write(Buffer.from('a'))).toBe(0)
    pair.sink.shut('abort')
    expect([pair.sink.pending, pair.channel.shut]).toEqual([0, 'open'])
    expect(pair.sink.end).toEqual({ kind: 'closed' })
  })
})
