import { describe, expect, test, vi } from 'vitest'
import { ChannelSource } from '../../../src/streams/channel-ends/channel-source.ts'
import { StreamReader } from '../../../src/streams/reading/stream-reader.ts'
import { ChannelPair } from '../../support/channel-pair.ts'

const SIZES = { inboundBytes: 16, outboundBytes: 16 }

function open(replay = 0): { pair: ChannelPair; reader: StreamReader } {
  const pair = new ChannelPair(SIZES, replay)
  return { pair, reader: new StreamReader({}, pair.source) }
}

const text = (length: number): string =>
  Array.from({ length }, (_, index) => String.fromCharCode(97 + (index % 26))).join('')

describe('ChannelSource.request', () => {
  test('is false where the bytes are there, and forgets the wish', () => {
    const { pair } = open()
    pair.receive('abc')
    const wake = vi.fn()
    expect(pair.source.request(3, wake)).toBe(false)
    pair.receive('def')
    pair.ringHolder()
    expect(wake).not.toHaveBeenCalled()
  })

  test('wakes once, when as many bytes are there and not before', () => {
    const { pair } = open()
    const wake = vi.fn()
    expect(pair.source.request(3, wake)).toBe(true)
    pair.receive('ab')
    pair.ringHolder()
    expect(wake).not.toHaveBeenCalled()
    pair.receive('c')
    expect(wake).toHaveBeenCalledOnce()
    pair.receive('d')
    pair.ringHolder()
    expect(wake).toHaveBeenCalledOnce()
  })

  test('is replaced by the next wish and withdrawn by null', () => {
    const { pair } = open()
    const [first, second] = [vi.fn(), vi.fn()]
    pair.source.request(1, first)
    pair.source.request(2, second)
    pair.receive('ab')
    expect(first).not.toHaveBeenCalled()
    expect(second).toHaveBeenCalledOnce()
    pair.source.request(3, first)
    expect(pair.source.request(0, null)).toBe(false)
    pair.receive('cdef')
    pair.ringHolder()
    expect(first).not.toHaveBeenCalled()
  })

  test('wakes when the stream ends, and is false ever after', () => {
    const { pair } = open()
    const wake = vi.fn()
    pair.source.request(3, wake)
    pair.endInbound('fin')
    expect(wake).toHaveBeenCalledOnce()
    expect(pair.source.end).toEqual({ kind: 'fin' })
    expect(pair.source.request(3, wake)).toBe(false)
  })

  test('for more than the ring holds sets bytes aside, so that the peer can go on', () => {
    const { pair } = open()
    const wake = vi.fn()
    pair.receiveAll(text(10))
    expect(pair.source.request(100, wake)).toBe(true)
    expect(pair.inbound.free).toBe(16)
    pair.receiveAll(text(89))
    expect(wake).not.toHaveBeenCalled()
    pair.receiveAll('z')
    expect(wake).toHaveBeenCalledOnce()
    expect(pair.source.take(100).toString()).toBe(`${text(10)}${text(89)}z`)
  })

  test('for more than the ring holds has the bytes gathered where they are handed out, to the last', () => {
    const { pair } = open()
    pair.receiveAll(text(16))
    pair.source.request(100, () => {})
    pair.receiveAll(text(84))
    const bytes = pair.source.take(100)
    expect(bytes.toString()).toBe(`${text(16)}${text(84)}`)
    // Another copy would lie in the memory that small Buffers share.
    expect(bytes.buffer.byteLength).toBe(100)
  })

  test('works over a ring of one byte', () => {
    const pair = new ChannelPair({ inboundBytes: 1, outboundBytes: 1 })
    const wake = vi.fn()
    expect(pair.source.request(5, wake)).toBe(true)
    pair.receiveAll('abcde')
    expect(wake).toHaveBeenCalledOnce()
    expect(pair.source.take(5).toString()).toBe('abcde')
  })
})

describe('ChannelSource', () => {
  test('takes and skips across what is set aside and what is in the ring', () => {
    const { pair } = open()
    pair.receiveAll(text(12))
    pair.source.request(20, () => {})
    pair.receiveAll('0123')
    expect(pair.source.available).toBe(16)
    expect(Buffer.concat([...pair.source.views()]).toString()).toBe(`${text(12)}0123`)
    expect(pair.source.take(10).toString()).toBe(text(10))
    pair.source.skip(3)
    expect(pair.source.take(3).toString()).toBe('123')
    expect(pair.source.available).toBe(0)
  })

  test('rings the I/O worker when a read made the room it waits for', () => {
    const { pair } = open()
    pair.receive(text(16))
    expect(pair.inbound.wishRoom(8)).toBe(true)
    pair.source.take(7)
    expect(pair.ioWasRung).toBe(false)
    pair.source.take(1)
    expect(pair.ioWasRung).toBe(true)
    pair.source.take(8)
    expect(pair.ioWasRung).toBe(false)
  })

  test.each([0, 6])('goes to another thread and back with all its bytes (replay %i)', replay => {
    const { pair } = open(replay)
    pair.receiveAll(text(10))
    expect(pair.source.take(4).toString()).toBe('abcd')
    pair.source.request(30, () => {})
    const lent = structuredClone(pair.source.suspend())
    expect(lent).toMatchObject({ replay, kept: new Uint8Array(0) })
    expect(pair.source.available).toBe(0)
    const borrowed = new ChannelSource(pair.channel, pair.ringer, pair.channel.epoch, lent)
    expect(borrowed.take(3).toString()).toBe('efg')
    pair.receiveAll('0123')
    expect(borrowed.take(5).toString()).toBe('hij01')
    const kept = borrowed.window?.last(borrowed.window.length)
    pair.source.resume({ ...borrowed.suspend(), ...(kept && { kept }) })
    pair.receiveAll('4')
    expect(pair.source.take(3).toString()).toBe('234')
    const { window } = pair.source
    expect(window?.last(window.length).toString()).toBe(replay === 0 ? undefined : 'j01234')
  })

  test('detached of an ended connection keeps what was received, on its own', () => {
    const { pair } = open()
    pair.receiveAll('abcdef')
    const wake = vi.fn()
    pair.source.request(9, wake)
    pair.source.detach({ kind: 'closed' })
    expect(wake).toHaveBeenCalledOnce()
    pair.channel.reset()
    const next = pair.channel.inboundProducer(pair.channel.connectionTenure(pair.channel.generation))
    next.publish(next.fill(Buffer.from('XXXXXXXXXXXXXXXX')))
    expect(pair.source.end).toEqual({ kind: 'closed' })
    expect(pair.source.available).toBe(6)
    expect(pair.source.take(6).toString()).toBe('abcdef')
    expect(pair.source.request(1, wake)).toBe(false)
  })

  test('detached keeps the end that it knows already', () => {
    const { pair } = open()
    pair.endInbound('fin')
    pair.source.detach({ kind: 'closed' })
    expect(pair.source.end).toEqual({ kind: 'fin' })
  })

  test('blocks no longer than it may, and not at all for bytes that are there', () => {
    const { pair } = open()
    expect(pair.source.waitFor(1, 5)).toBe(false)
    pair.receive('a')
    expect(pair.source.waitFor(1, 60_000)).toBe(true)
    pair.endInbound('fin')
    expect(pair.source.waitFor(9, 60_000)).toBe(true)
  })
})

describe('StreamReader over a channel', () => {
  test('readExactly passes a multiple of the ring', async () => {
    const { pair, reader } = open()
    const reading = reader.readExactly(100)
    pair.receiveAll(text(103))
    expect((await reading).toString()).toBe(text(100))
    expect(reader.buffered).toBe(3)
    expect(reader.offset).toBe(100)
  })

  test.each(Array.from({ length: 16 }, (_, before) => before))(
    'readUntil finds a separator wherever the ring wraps (%i bytes before)',
    async before => {
      const { pair, reader } = open()
      pair.receiveAll('x'.repeat(before))
      if (before > 0) expect(await reader.read(16)).toHaveLength(before)
      const reading = reader.readUntil('\r\n')
      pair.receiveAll('abc\r')
      pair.receiveAll('\nrest')
      expect((await reading).toString()).toBe('abc\r\n')
      expect((await reader.read(9)).toString()).toBe('rest')
    },
  )

  test('read to the end passes a multiple of the ring', async () => {
    const { pair, reader } = open()
    const reading = reader.read()
    pair.receiveAll(text(90))
    pair.endInbound('fin')
    expect((await reading).toString()).toBe(text(90))
    expect(reader.atEof()).toBe(true)
  })

  test('gives the bytes before a FIN first, and then the end', async () => {
    const { pair, reader } = open()
    pair.receiveAll('last')
    pair.endInbound('fin')
    expect(reader.atEof()).toBe(false)
    expect((await reader.read(10)).toString()).toBe('last')
    expect(await reader.read(10)).toHaveLength(0)
  })

  test('a reset fails a waiting read and every later one, as asyncio does', async () => {
    const { pair, reader } = open()
    const reading = reader.readExactly(10)
    pair.receiveAll('last')
    pair.endInbound('reset')
    await expect(reading).rejects.toMatchObject({ code: 'CONNECTION_RESET' })
    await expect(reader.read(1)).rejects.toMatchObject({ code: 'CONNECTION_RESET' })
    expect((await reader.read(9, { onReset: 'drain-then-raise' })).toString()).toBe('last')
    await expect(reader.read(9, { onReset: 'drain-then-raise' })).rejects.toMatchObject({
      code: 'CONNECTION_RESET',
    })
  })

  test('a read that gave up leaves all bytes, set aside or not', async () => {
    const { pair, reader } = open()
    const caller = new AbortController()
    const reading = reader.readExactly(60, { signal: caller.signal })
    pair.receiveAll(text(50))
    caller.abort()
    await expect(reading).rejects.toMatchObject({ code: 'ABORTED' })
    expect(reader.interrupted).toBe(true)
    expect((await reader.readExactly(50)).toString()).toBe(text(50))
    // What came for it may be the answer to what was asked before: a later read proves nothing.
    expect(reader.interrupted).toBe(true)
  })

  test.each(['workerLost', 'killed', 'timedOut', 'tls', 'poisoned'] as const)(
    'the end %s is an error of its own',
    async how => {
      const { pair, reader } = open()
      pair.endInbound(how)
      const code = { workerLost: 'WORKER_LOST', killed: 'LEASE_GONE', tls: 'TLS_FAILED' }[how as 'tls']
      await expect(reader.read(1)).rejects.toMatchObject({ code: code ?? 'CONNECTION_RESET' })
      expect(reader.atEof()).toBe(false)
    },
  )
})
