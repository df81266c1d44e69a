import { once } from 'node:events'
import { PassThrough } from 'node:stream'
import { finished, pipeline } from 'node:stream/promises'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { SocketDuplex, type SocketTraits } from '../../../src/streams/adapters/socket-duplex.ts'
import { StreamReader } from '../../../src/streams/reading/stream-reader.ts'
import { StreamWriter } from '../../../src/streams/writing/stream-writer.ts'
import { ChannelPair } from '../../support/channel-pair.ts'

const TRAITS: SocketTraits = {
  localAddress: '127.0.0.1',
  localPort: 40_001,
  remoteAddress: '::1',
  remotePort: 6_379,
  tls: null,
}

const SIZES = { inboundBytes: 262_144, outboundBytes: 65_536 }

type Bench = {
  readonly pair: ChannelPair
  readonly duplex: SocketDuplex
  readonly writer: StreamWriter
  readonly onDestroyed: ReturnType<typeof vi.fn>
  readonly keepAlive: ReturnType<typeof vi.fn>
}

function open(traits: Partial<SocketTraits> = {}, sizes = SIZES): Bench {
  const pair = new ChannelPair(sizes)
  const reader = new StreamReader({ onReset: 'drain-then-raise' }, pair.source)
  const writer = new StreamWriter(pair.sink, {
    canWriteEof: !traits.tls,
    readerException: () => reader.exception(),
  })
  const onDestroyed = vi.fn()
  const keepAlive = vi.fn()
  const duplex = new SocketDuplex({
    reader,
    writer,
    traits: { ...TRAITS, ...traits },
    keepAlive,
    onDestroyed,
  })
  onTestFinished(() => void duplex.destroy())
  return { pair, duplex, writer, onDestroyed, keepAlive }
}

/** Which of the events came, in order. */
function record(duplex: SocketDuplex, ...names: string[]): string[] {
  const seen: string[] = []
  for (const name of names)
    duplex.on(name, (first: unknown) => seen.push(typeof first === 'boolean' ? `${name} ${first}` : name))
  return seen
}

const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

describe('SocketDuplex as a socket', () => {
  test('knows the addresses, and that it is open and plain', () => {
    const { duplex } = open()
    expect(duplex).toMatchObject({
      connecting: false,
      pending: false,
      readyState: 'open',
      localAddress: '127.0.0.1',
      localPort: 40_001,
      localFamily: 'IPv4',
      remoteAddress: '::1',
      remotePort: 6_379,
      remoteFamily: 'IPv6',
      encrypted: undefined,
      authorized: undefined,
      alpnProtocol: undefined,
    })
    expect(duplex.address()).toEqual({ address: '127.0.0.1', port: 40_001, family: 'IPv4' })
  })

  test('tells what TLS came to', () => {
    const tls = { alpnProtocol: 'h2', authorized: true }
    expect(open({ tls }).duplex).toMatchObject({ encrypted: true, authorized: true, alpnProtocol: 'h2' })
    const without = { alpnProtocol: null, authorized: false }
    expect(open({ tls: without }).duplex).toMatchObject({ authorized: false, alpnProtocol: false })
  })

  test('accepts the socket options, each answering with the duplex', () => {
    const { duplex, keepAlive } = open()
    expect(duplex.setNoDelay().setKeepAlive().setTimeout(0).ref().unref()).toBe(duplex)
    expect(keepAlive.mock.calls).toEqual([[true], [false]])
  })

  test("emits 'connect' and 'ready' after connect(), never within it, and calls its listener", async () => {
    const { duplex } = open()
    const seen = record(duplex, 'connect', 'ready')
    const listener = vi.fn()
    expect(duplex.connect(6_379, 'elsewhere.test', listener)).toBe(duplex)
    expect(seen).toEqual([])
    await once(duplex, 'ready')
    expect(seen).toEqual(['connect', 'ready'])
    expect(listener).toHaveBeenCalledOnce()
  })

  test("emits no 'connect' once it is destroyed", async () => {
    const { duplex } = open()
    const seen = record(duplex, 'connect')
    duplex.connect().destroy()
    await turn()
    expect(seen).toEqual([])
  })

  test('hears of its end after connect(), though nobody listens for data', async () => {
    const { pair, duplex } = open()
    duplex.connect()
    await once(duplex, 'connect')
    const [error] = await Promise.all([
      once(duplex, 'error').then(([first]) => first),
      turn().then(() => pair.close('reset')),
    ])
    expect(error).toMatchObject({ code: 'ECONNRESET' })
  })
})

describe('SocketDuplex reading', () => {
  test('begins only when somebody wants bytes', async () => {
    const { pair, duplex } = open()
    pair.receiveAll('early')
    await turn()
    expect(pair.source.available).toBe(5)
    const [chunk] = await once(duplex, 'data')
    expect(String(chunk)).toBe('early')
    expect(duplex.bytesRead).toBe(5)
  })

  test("serves 'readable' and read()", async () => {
    const { pair, duplex } = open()
    const readable = once(duplex, 'readable')
    pair.receiveAll('hello')
    await readable
    expect(String(duplex.read(2))).toBe('he')
    expect(String(duplex.read())).toBe('llo')
    expect(duplex.read()).toBeNull()
  })

  test('stops taking bytes while nobody reads them, and goes on afterwards', async () => {
    const { pair, duplex } = open()
    const total = 262_000
    pair.receiveAll(Buffer.alloc(total, 7))
    duplex.once('readable', () => {})
    for (let turns = 0; turns < 20; turns++) await turn()
    expect(duplex.readableLength).toBeGreaterThanOrEqual(65_536)
    expect(duplex.readableLength).toBeLessThanOrEqual(131_072)
    expect(pair.source.available + duplex.readableLength).toBe(total)
    let count = 0
    const all = new Promise<void>(resolve =>
      duplex.on('data', (chunk: Buffer) => {
        count += chunk.length
        if (count === total) resolve()
      }),
    )
    await all
    expect(duplex.bytesRead).toBe(total)
  })

  test("ends once at the peer's FIN, ends its own direction, and closes without an error", async () => {
    const { pair, duplex, onDestroyed } = open()
    const seen = record(duplex, 'data', 'end', 'finish', 'close', 'error')
    pair.receiveAll('last')
    pair.endInbound('fin')
    await once(duplex, 'close')
    expect(seen).toEqual(['data', 'end', 'finish', 'close false'])
    expect(pair.channel.shut).toBe('close')
    expect(onDestroyed).toHaveBeenCalledOnce()
    expect(duplex.readyState).toBe('closed')
  })

  test.each([
    ['reset', 'ECONNRESET', 'CONNECTION_RESET'],
    ['timedOut', 'ETIMEDOUT', 'CONNECTION_RESET'],
    ['workerLost', 'ECONNRESET', 'WORKER_LOST'],
    ['killed', 'ECONNRESET', 'LEASE_GONE'],
    ['tls', 'ECONNRESET', 'TLS_FAILED'],
  ] as const)(
    'of a connection that was %s fails with %s after the received bytes',
    async (how, code, cause) => {
      const { pair, duplex, onDestroyed } = open()
      const seen = record(duplex, 'data', 'end', 'error', 'close')
      const failed = once(duplex, 'error')
      pair.receiveAll('last')
      pair.close(how)
      // `once` for 'error' resolves with it.
      const [error] = await failed
      expect(error).toMatchObject({ code, syscall: 'read', cause: { code: cause } })
      await turn()
      expect(seen).toEqual(['data', 'error', 'close true'])
      expect(onDestroyed).toHaveBeenCalledOnce()
    },
  )
})

describe('SocketDuplex writing', () => {
  test('puts small writes into the ring within the call', () => {
    const { pair, duplex } = open()
    const written = vi.fn()
    expect(duplex.write('one ')).toBe(true)
    expect(duplex.write(Buffer.from('two '))).toBe(true)
    duplex.write('dHdv', 'base64', written)
    expect(pair.outbound.readable).toBe(11)
    expect(duplex.bytesWritten).toBe(11)
    expect(pair.send(64)).toBe('one two two')
  })

  test('gathers what was corked', async () => {
    const { pair, duplex } = open()
    duplex.cork()
    duplex.write('a')
    duplex.write('b')
    expect(pair.outbound.readable).toBe(0)
    expect(duplex.bytesWritten).toBe(2)
    duplex.uncork()
    await turn()
    expect(pair.send(64)).toBe('ab')
    expect(duplex.bytesWritten).toBe(2)
  })

  test('holds the caller back while the ring is full, and drains as the kernel takes it', async () => {
    const { pair, duplex } = open()
    const chunk = Buffer.alloc(65_536, 1)
    expect(duplex.write(chunk)).toBe(true)
    const written = vi.fn()
    expect(duplex.write(chunk, written)).toBe(false)
    await turn()
    expect(written).not.toHaveBeenCalled()
    expect(duplex.bytesWritten).toBe(131_072)
    const drained = once(duplex, 'drain')
    let sent = 0
    const all = (async () => {
      while (sent < 131_072) {
        sent += pair.send(16_384).length
        await turn()
      }
    })()
    await Promise.all([drained, all])
    expect(written).toHaveBeenCalledOnce()
  })

  test('keeps one piece of a huge chunk in the writer at a time', async () => {
    const { pair, duplex, writer } = open()
    const total = 80 * 1024 * 1024
    let held = 0
    let sent = 0
    const written = new Promise(resolve => duplex.write(Buffer.alloc(total, 3), resolve))
    while (sent < total - 16_384) {
      held = Math.max(held, writer.buffered)
      sent += pair.send(65_536).length
      await turn()
    }
    expect(await written).toBeFalsy()
    expect(held).toBeLessThanOrEqual(1_200_000)
  }, 30_000)

  test('end() finishes the direction after all that was written, and reading goes on', async () => {
    const { pair, duplex } = open()
    duplex.end('bye')
    await once(duplex, 'finish')
    expect(pair.channel.shut).toBe('finish')
    expect(duplex.readyState).toBe('readOnly')
    pair.receiveAll('answer')
    const [chunk] = await once(duplex, 'data')
    expect(String(chunk)).toBe('answer')
    pair.endInbound('fin')
    await once(duplex, 'close')
  })

  test('end() closes a TLS connection, which has no half-close, after all that was written', async () => {
    const { pair, duplex } = open({ tls: { alpnProtocol: null, authorized: true } })
    duplex.end('bye')
    await once(duplex, 'finish')
    expect(pair.channel.shut).toBe('close')
    expect(pair.send(9)).toBe('bye')
  })

  test('to a lost connection fails the callback and the duplex', async () => {
    const { pair, duplex } = open()
    const failed = once(duplex, 'error')
    pair.close('reset')
    const written = new Promise<Error | null | undefined>(resolve => duplex.write('late', resolve))
    expect(await written).toMatchObject({ code: 'ECONNRESET', syscall: 'write' })
    expect((await failed)[0]).toMatchObject({ code: 'ECONNRESET' })
  })
})

describe('SocketDuplex ending', () => {
  test('destroy() sends what the ring has taken, closes, and says so once', async () => {
    const { pair, duplex, onDestroyed } = open()
    const seen = record(duplex, 'close', 'error')
    duplex.write('QUIT\r\n')
    duplex.destroy()
    duplex.destroy()
    await once(duplex, 'close')
    await turn()
    expect(pair.channel.shut).toBe('close')
    expect(pair.send(64)).toBe('QUIT\r\n')
    expect(seen).toEqual(['close false'])
    expect(onDestroyed).toHaveBeenCalledOnce()
  })

  test('destroy() in the midst of a write that found no room aborts', async () => {
    const { pair, duplex } = open()
    duplex.write(Buffer.alloc(200_000))
    duplex.destroy()
    await once(duplex, 'close')
    expect(pair.channel.shut).toBe('abort')
  })

  test("destroy(error) emits the error, then 'close' with hadError", async () => {
    const { duplex } = open()
    const seen = record(duplex, 'error', 'close')
    duplex.destroy(new Error('enough'))
    await turn()
    expect(seen).toEqual(['error', 'close true'])
  })

  test('destroySoon() ends first', async () => {
    const { pair, duplex } = open()
    const seen = record(duplex, 'finish', 'close')
    duplex.write('last')
    duplex.destroySoon()
    await once(duplex, 'close')
    expect(seen).toEqual(['finish', 'close false'])
    expect(pair.send(9)).toBe('last')
  })

  test('resetAndDestroy() drops what is not sent', async () => {
    const { pair, duplex } = open()
    duplex.write('dropped')
    duplex.resetAndDestroy()
    await once(duplex, 'close')
    expect(pair.channel.shut).toBe('abort')
  })

  test('detach() ends the duplex and leaves the connection open', async () => {
    const { pair, duplex, onDestroyed } = open()
    const seen = record(duplex, 'end', 'error', 'close')
    duplex.resume()
    await turn()
    duplex.detach()
    await turn()
    pair.receiveAll('for somebody else')
    await turn()
    expect(seen).toEqual(['close false'])
    expect(pair.channel.shut).toBe('open')
    expect(onDestroyed).not.toHaveBeenCalled()
  })

  test('is finished for stream.finished and pipeline as any stream', async () => {
    const { pair, duplex } = open()
    const done = finished(duplex)
    pair.endInbound('fin')
    duplex.resume()
    await done
    const other = open()
    other.pair.endInbound('fin')
    await pipeline(
      other.duplex,
      async function* swallow(source: AsyncIterable<Buffer>) {
        for await (const chunk of source) yield chunk
      },
      async (source: AsyncIterable<Buffer>) => {
        for await (const chunk of source) expect(chunk).toBeDefined()
      },
    )
  })
})

describe('SocketDuplex of which nobody reads', () => {
  test.each([
    ['fin', ['end', 'finish', 'close false']],
    ['reset', ['error', 'close true']],
  ] as const)('tells whoever listens that the connection ended (%s)', async (how, expected) => {
    const { pair, duplex } = open()
    const seen = record(duplex, 'end', 'finish', 'error', 'close')
    if (how === 'fin') pair.endInbound('fin')
    else pair.close(how)
    await once(duplex, 'close').catch(() => {})
    await turn()
    expect(seen).toEqual(expected)
  })

  test('fails no process where nobody listens, and tells who listens later', async () => {
    const { pair, duplex } = open()
    pair.close('reset')
    await turn()
    expect(duplex.destroyed).toBe(false)
    const [error] = await once(duplex, 'error')
    expect(error).toMatchObject({ code: 'ECONNRESET' })
  })

  test('keeps what was received for who reads later', async () => {
    const { pair, duplex } = open()
    const seen = record(duplex, 'end', 'close')
    pair.receiveAll('last')
    pair.endInbound('fin')
    await turn()
    expect(seen).toEqual([])
    expect(String((await once(duplex, 'data'))[0])).toBe('last')
    await once(duplex, 'close')
  })
})

describe('SocketDuplex under a layer', () => {
  /** What Node's wrapper does to a stream that a layer is put on. */
  function layOn(duplex: SocketDuplex): void {
    duplex.pause()
    duplex.on('error', () => {})
    duplex.on('data', () => {})
    duplex.once('end', () => {})
    duplex.once('close', () => {})
    duplex.resume()
  }

  test("leaves its own side open at the peer's end, and closes when the layer destroys it", async () => {
    const { pair, duplex, onDestroyed } = open()
    layOn(duplex)
    const seen = record(duplex, 'end', 'finish', 'close', 'error')
    pair.endInbound('fin')
    await once(duplex, 'end')
    await turn()
    expect(seen).toEqual(['end'])
    expect(pair.channel.shut).toBe('open')
    duplex.write('farewell')
    expect(pair.send(64)).toBe('farewell')
    duplex.end()
    await once(duplex, 'finish')
    await turn()
    // Both sides have ended: the connection is free, and the layer may still have something to deliver.
    expect(pair.channel.shut).toBe('close')
    expect(onDestroyed).toHaveBeenCalledOnce()
    expect(seen).toEqual(['end', 'finish'])
    duplex.destroy()
    await once(duplex, 'close')
    expect(seen).toEqual(['end', 'finish', 'close false'])
    expect(onDestroyed).toHaveBeenCalledOnce()
  })

  test('closes where the layer destroys it as soon as its end is sent', async () => {
    const { pair, duplex } = open()
    layOn(duplex)
    const seen = record(duplex, 'end', 'finish', 'close')
    pair.endInbound('fin')
    await once(duplex, 'end')
    duplex.end(() => duplex.destroy())
    await once(duplex, 'close')
    await turn()
    expect(seen).toEqual(['end', 'finish', 'close false'])
  })

  test('gives the connection back 10 s after the peer ended, or after the last word to it', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    onTestFinished(() => void vi.useRealTimers())
    const { pair, duplex, onDestroyed } = open()
    layOn(duplex)
    const seen = record(duplex, 'end', 'finish', 'close', 'error')
    pair.endInbound('fin')
    await once(duplex, 'end')
    vi.advanceTimersByTime(9_000)
    duplex.write('word')
    vi.advanceTimersByTime(9_000)
    expect(onDestroyed).not.toHaveBeenCalled()
    vi.advanceTimersByTime(1_000)
    expect(onDestroyed).toHaveBeenCalledOnce()
    expect(pair.channel.shut).toBe('close')
    expect(pair.send(64)).toBe('word')
    // The layer does not notice: what it says from now on goes nowhere.
    const written = new Promise(resolve => duplex.write('late', resolve))
    expect(await written).toBeFalsy()
    await new Promise(resolve => duplex.end(resolve))
    expect(pair.send(64)).toBe('')
    expect(seen).toEqual(['end', 'finish'])
    duplex.destroy()
    await once(duplex, 'close')
    expect(onDestroyed).toHaveBeenCalledOnce()
    expect(vi.getTimerCount()).toBe(0)
  })

  test.each<[string, (duplex: SocketDuplex) => void | Promise<void>]>([
    [
      'a pipeline that resumes it',
      duplex => {
        duplex.pause()
        pipeline(duplex, new PassThrough().resume()).catch(() => {})
      },
    ],
    [
      'a pipe that resumes it',
      duplex => {
        duplex.pause()
        duplex.pipe(new PassThrough().resume())
      },
    ],
    [
      'listeners of another kind',
      duplex => {
        duplex.pause()
        duplex.on('error', () => {})
        duplex.on('data', () => {})
        duplex.on('end', () => {})
        duplex.on('close', () => {})
        duplex.resume()
      },
    ],
    [
      'the same listeners, and a resume() later',
      async duplex => {
        duplex.pause()
        duplex.on('error', () => {})
        duplex.on('data', () => {})
        duplex.once('end', () => {})
        duplex.once('close', () => {})
        await turn()
        duplex.resume()
      },
    ],
  ])('is ordinary under %s', async (_what, use) => {
    const { pair, duplex } = open()
    await use(duplex)
    pair.endInbound('fin')
    await once(duplex, 'close')
    expect(pair.channel.shut).toBe('close')
  })
})

describe('SocketDuplex.setTimeout', () => {
  test("emits 'timeout' after so long without traffic, and destroys nothing", async () => {
    const { duplex } = open()
    const listener = vi.fn()
    duplex.setTimeout(20, listener)
    expect(duplex.timeout).toBe(20)
    await once(duplex, 'timeout')
    expect(listener).toHaveBeenCalledOnce()
    expect(duplex.destroyed).toBe(false)
  })

  test('counts anew with each byte that comes or goes', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    onTestFinished(() => void vi.useRealTimers())
    const { pair, duplex } = open()
    const seen = record(duplex, 'timeout')
    duplex.resume()
    duplex.setTimeout(100)
    vi.advanceTimersByTime(80)
    duplex.write('x')
    pair.send(9)
    vi.advanceTimersByTime(80)
    pair.receiveAll('y')
    await turn()
    vi.advanceTimersByTime(80)
    expect(seen).toEqual([])
    vi.advanceTimersByTime(30)
    expect(seen).toEqual(['timeout'])
  })

  test('does not fire while the kernel still takes what was written', () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    onTestFinished(() => void vi.useRealTimers())
    const { pair, duplex } = open()
    const seen = record(duplex, 'timeout')
    duplex.setTimeout(100)
    duplex.write(Buffer.alloc(60_000))
    pair.send(1_000)
    vi.advanceTimersByTime(110)
    expect(seen).toEqual([])
    vi.advanceTimersByTime(110)
    expect(seen).toEqual(['timeout'])
  })

  test('of 0 withdraws it and its listener, and refuses what is no time', async () => {
    const { duplex } = open()
    const listener = vi.fn()
    duplex.setTimeout(1, listener)
    duplex.setTimeout(0, listener)
    expect(duplex.listenerCount('timeout')).toBe(0)
    expect(() => duplex.setTimeout(-1)).toThrow(RangeError)
    expect(() => duplex.setTimeout(Number.NaN)).toThrow(RangeError)
  })

  test('leaves no timer behind when it is destroyed', () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    onTestFinished(() => void vi.useRealTimers())
    const { duplex } = open()
    duplex.setTimeout(1)
    expect(vi.getTimerCount()).toBe(1)
    duplex.destroy()
    duplex.setTimeout(1)
    expect(vi.getTimerCount()).toBe(0)
  })
})
