import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { WebPair } from '../../../src/streams/adapters/web-pair.ts'
import { StreamReader } from '../../../src/streams/reading/stream-reader.ts'
import { StreamWriter } from '../../../src/streams/writing/stream-writer.ts'
import { ChannelPair } from '../../support/channel-pair.ts'

type Bench = {
  readonly channel: ChannelPair
  readonly reader: StreamReader
  readonly writer: StreamWriter
  readonly web: WebPair
  readonly onEnded: ReturnType<typeof vi.fn>
}

function open(options: { readonly allowHalfOpen?: boolean; readonly canWriteEof?: boolean } = {}): Bench {
  const { allowHalfOpen = true, canWriteEof = true } = options
  const channel = new ChannelPair({ inboundBytes: 262_144, outboundBytes: 65_536 })
  const reader = new StreamReader({ onReset: 'drain-then-raise' }, channel.source)
  const writer = new StreamWriter(channel.sink, { canWriteEof, readerException: () => reader.exception() })
  const onEnded = vi.fn()
  const web = new WebPair({ ends: { reader, writer }, allowHalfOpen, onEnded })
  onTestFinished(() => web.end())
  return { channel, reader, writer, web, onEnded }
}

const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

const textOf = (value: Uint8Array | undefined): string => Buffer.from(value ?? []).toString()

describe('WebPair.readable', () => {
  test('gives the bytes as they come, in memory of their own', async () => {
    const { channel, web } = open()
    const reader = web.readable.getReader()
    const first = reader.read()
    channel.receiveAll('one')
    const { value } = await first
    expect(textOf(value)).toBe('one')
    expect(value?.buffer.byteLength).toBe(3)
    channel.receiveAll('two')
    expect(textOf((await reader.read()).value)).toBe('two')
  })

  test('reads nothing that nobody asked for', async () => {
    const { channel, reader } = open()
    channel.receiveAll('kept')
    await turn()
    expect(reader.buffered).toBe(4)
  })

  test("fills a BYOB reader's own buffer and leaves the rest", async () => {
    const { channel, reader, web } = open()
    const byob = web.readable.getReader({ mode: 'byob' })
    channel.receiveAll('hello world')
    const { value } = await byob.read(new Uint8Array(5))
    expect(textOf(value)).toBe('hello')
    expect(reader.buffered).toBe(6)
  })

  test('ends at EOF, and gives a waiting BYOB reader its buffer back', async () => {
    const { channel, web } = open()
    const byob = web.readable.getReader({ mode: 'byob' })
    const last = byob.read(new Uint8Array(5))
    await turn()
    channel.endInbound('fin')
    const { done, value } = await last
    expect(done).toBe(true)
    expect(value?.buffer.byteLength).toBe(5)
  })

  test('fails with the error that broke the connection, after the received bytes', async () => {
    const { channel, web } = open()
    const reader = web.readable.getReader()
    channel.receiveAll('last')
    channel.close('reset')
    expect(textOf((await reader.read()).value)).toBe('last')
    await expect(reader.read()).rejects.toMatchObject({ code: 'CONNECTION_RESET' })
  })

  test('carries a megabyte through the pipes of the platform', async () => {
    const { channel, web } = open()
    const sent = Buffer.alloc(1_048_576, 'sockpool ')
    const received: Uint8Array[] = []
    const piped = web.readable.pipeTo(
      new WritableStream({ write: chunk => void received.push(chunk as Uint8Array) }),
    )
    for (let rest: Buffer = sent; rest.length > 0; rest = channel.receive(rest)) await turn()
    channel.endInbound('fin')
    await piped
    expect(Buffer.concat(received).equals(sent)).toBe(true)
  })
})

describe('WebPair.writable', () => {
  test.each([
    ['a string', 'é!'],
    ['bytes', Buffer.from('é!')],
    ['a buffer', new Uint8Array(Buffer.from('é!')).buffer],
    ['a view of part of it', new DataView(new Uint8Array(Buffer.from('xé!x')).buffer, 1, 3)],
  ])('takes %s', async (_what, chunk) => {
    const { channel, web } = open()
    await web.writable.getWriter().write(chunk)
    expect(channel.send(64)).toBe('é!')
  })

  test('fails with a TypeError for anything else', async () => {
    const { web } = open()
    await expect(web.writable.getWriter().write(7 as unknown as string)).rejects.toThrow(TypeError)
  })

  test('holds a write back while the ring is full', async () => {
    const { channel, web } = open()
    const writer = web.writable.getWriter()
    await writer.write(new Uint8Array(65_536))
    const settled = vi.fn()
    const second = writer.write(new Uint8Array(65_536)).then(settled)
    await turn()
    expect(settled).not.toHaveBeenCalled()
    for (let sent = 0; sent < 131_072; await turn()) sent += channel.send(16_384).length
    await second
  })

  test('ends the direction alone with close(), and reading goes on', async () => {
    const { channel, web, onEnded } = open()
    const writer = web.writable.getWriter()
    await writer.write('bye')
    await writer.close()
    expect(channel.channel.shut).toBe('finish')
    channel.receiveAll('answer')
    expect(textOf((await web.readable.getReader().read()).value)).toBe('answer')
    expect(onEnded).not.toHaveBeenCalled()
  })

  test('closes with close() where TLS has no half-close', async () => {
    const { channel, web } = open({ canWriteEof: false })
    await web.writable.close()
    expect(channel.channel.shut).toBe('close')
  })

  test('aborts the connection with abort()', async () => {
    const { channel, web } = open()
    await web.writable.abort()
    expect(channel.channel.shut).toBe('abort')
  })

  test('aborts the connection for a chunk that is none, and the readable fails after what was received', async () => {
    const { channel, web, onEnded } = open()
    channel.receiveAll('last')
    const refused = web.writable.getWriter().write(7 as unknown as string)
    await expect(refused).rejects.toThrow('a chunk must be bytes or a string')
    expect(channel.channel.shut).toBe('abort')
    channel.close('closed')
    const reader = web.readable.getReader()
    expect(textOf((await reader.read()).value)).toBe('last')
    await expect(reader.read()).rejects.toThrow('a chunk must be bytes or a string')
    await turn()
    expect(onEnded).toHaveBeenCalledOnce()
  })

  test('aborts the connection at once with abort(), though a write waits', async () => {
    const { channel, web } = open()
    const writer = web.writable.getWriter()
    const writing = writer.write(new Uint8Array(200_000))
    await turn()
    const aborted = writer.abort()
    expect(channel.channel.shut).toBe('abort')
    channel.close('closed')
    await expect(writing).rejects.toThrow()
    await aborted
  })

  test('does not abort a connection that closes in order for a write that comes too late', async () => {
    const { channel, web } = open({ allowHalfOpen: false })
    const writer = web.writable.getWriter()
    await writer.write('last words')
    channel.endInbound('fin')
    expect((await web.readable.getReader().read()).done).toBe(true)
    await expect(writer.write('late')).rejects.toMatchObject({ code: 'WRITE_CLOSED' })
    expect(channel.channel.shut).toBe('close')
    expect(channel.send(64)).toBe('last words')
  })

  test('hears of the end of the connection although nobody writes', async () => {
    const { channel, web } = open()
    const { closed } = web.writable.getWriter()
    channel.close('reset')
    await expect(closed).rejects.toMatchObject({ code: 'CONNECTION_RESET' })
  })
})

describe('WebPair', () => {
  test('closes the connection when both streams are done, once', async () => {
    const { channel, web, onEnded } = open()
    await web.writable.close()
    await web.readable.cancel()
    await turn()
    expect(onEnded).toHaveBeenCalledOnce()
    expect(channel.channel.shut).toBe('close')
  })

  test("closes the connection at the peer's end where it may not be half open", async () => {
    const { channel, web } = open({ allowHalfOpen: false })
    channel.endInbound('fin')
    expect((await web.readable.getReader().read()).done).toBe(true)
    expect(channel.channel.shut).toBe('close')
  })

  test('end(reason) fails both streams with it, locked as they are, and closes', async () => {
    const { channel, web, onEnded } = open()
    const reader = web.readable.getReader()
    const writer = web.writable.getWriter()
    await writer.write('last')
    const reading = reader.read()
    const reason = new Error('enough')
    web.end(reason)
    web.end(reason)
    await expect(reading).rejects.toBe(reason)
    await expect(writer.write('late')).rejects.toBe(reason)
    await turn()
    expect(channel.channel.shut).toBe('close')
    expect(channel.send(9)).toBe('last')
    expect(onEnded).toHaveBeenCalledOnce()
  })

  test('end() without a reason ends the readable in peace', async () => {
    const { web } = open()
    const reading = web.readable.getReader().read()
    web.end()
    expect(await reading).toEqual({ done: true, value: undefined })
  })

  test('letGo() leaves the connection open and its bytes unread', async () => {
    const { channel, reader, web, onEnded } = open()
    const reading = web.readable.getReader().read()
    await turn()
    web.letGo(new TypeError('gone'))
    expect((await reading).done).toBe(true)
    await expect(web.writable.getWriter().write('x')).rejects.toThrow('gone')
    channel.receiveAll('next')
    expect(String(await reader.read(9))).toBe('next')
    expect(channel.channel.shut).toBe('open')
    expect(onEnded).not.toHaveBeenCalled()
  })

  test('leaves the connection alone after letGo(), whatever becomes of its streams', async () => {
    const { channel, web, onEnded } = open()
    const writer = web.writable.getWriter()
    const writing = writer.write(new Uint8Array(200_000)).catch(error => error)
    await turn()
    web.letGo(new TypeError('gone'))
    const aborted = writer.abort(new Error('enough')).catch(error => error)
    await web.readable.cancel()
    await turn()
    expect(channel.channel.shut).toBe('open')
    channel.close('reset')
    await Promise.all([writing, aborted])
    await turn()
    expect(onEnded).not.toHaveBeenCalled()
  })

  test('tells once where there is no connection, and may be ended afterwards', async () => {
    const onEnded = vi.fn()
    const ends = Promise.reject<never>(new Error('refused'))
    const web = new WebPair({ ends, allowHalfOpen: true, onEnded })
    await turn()
    web.end()
    web.end(new Error('enough'))
    await turn()
    expect(onEnded).toHaveBeenCalledOnce()
    await expect(web.readable.getReader().read()).rejects.toThrow('refused')
    await expect(web.writable.getWriter().write('x')).rejects.toThrow('refused')
  })

  test('ends where the end cuts an element of a BYOB reader in two', async () => {
    const { channel, web, onEnded } = open()
    const reading = web.readable.getReader({ mode: 'byob' }).read(new Uint16Array(2))
    channel.receiveAll('x')
    await turn()
    web.end()
    await expect(reading).rejects.toThrow(TypeError)
    await turn()
    expect(onEnded).toHaveBeenCalledOnce()
  })

  test('waits for its connection, and fails both streams where there is none', async () => {
    const { reader, writer, channel } = open()
    const { promise, resolve, reject } = Promise.withResolvers<{
      reader: StreamReader
      writer: StreamWriter
    }>()
    const later = new WebPair({ ends: promise, allowHalfOpen: true, onEnded: () => {} })
    const written = later.writable.getWriter().write('early')
    const reading = later.readable.getReader().read()
    await turn()
    resolve({ reader, writer })
    await written
    expect(channel.send(9)).toBe('early')
    channel.receiveAll('answer')
    expect(textOf((await reading).value)).toBe('answer')
    reject(new Error('too late'))

    const failed = new WebPair({
      ends: Promise.reject(new Error('refused')),
      allowHalfOpen: true,
      adopt: error => new TypeError(`adopted: ${(error as Error).message}`),
      onEnded: () => {},
    })
    await expect(failed.readable.getReader().read()).rejects.toThrow('adopted: refused')
    await expect(failed.writable.getWriter().write('x')).rejects.toThrow('adopted: refused')
  })
})
