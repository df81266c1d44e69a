import { describe, expect, test } from 'vitest'
import { allocateDoorbell } from '../../../src/channel/doorbell.ts'
import { allocateLoan, LoanWords } from '../../../src/channel/loan-words.ts'
import { BlockingReader } from '../../../src/streams/blocking/blocking-reader.ts'
import { BlockingWriter, type BlockingWriterOptions } from '../../../src/streams/blocking/blocking-writer.ts'
import {
  BlockingChannelSink,
  BlockingChannelSource,
} from '../../../src/streams/channel-ends/blocking-ends.ts'
import { borrowSource } from '../../../src/streams/channel-ends/lent-source.ts'
import { ChannelPair } from '../../support/channel-pair.ts'

const RING_BYTES = 4_096

function writerOf(options: BlockingWriterOptions = {}, lookAround: () => void = () => {}) {
  const pair = new ChannelPair({ inboundBytes: RING_BYTES, outboundBytes: RING_BYTES })
  const sink = new BlockingChannelSink(pair.channel, pair.ringer, pair.channel.epoch, lookAround)
  return { pair, sink, writer: new BlockingWriter(sink, options) }
}

describe('BlockingWriter', () => {
  test('accepts what fits without blocking, text as UTF-8', () => {
    const { pair, writer } = writerOf()
    writer.write('grüße')
    writer.writeLines(['a', Buffer.from('b')])
    expect(writer.offset).toBe(9)
    expect(pair.send(100)).toBe('grüßeab')
    expect(writer.buffered).toBe(0)
  })

  test('times out on a full ring, says what it accepted, and goes on from there', () => {
    let written = 0
    const { pair, writer } = writerOf({ onWrite: () => written++ })
    const bytes = Buffer.alloc(RING_BYTES + 10, 'x')
    expect(() => writer.write(bytes, { timeoutMs: 5 })).toThrow(
      expect.objectContaining({ code: 'DRAIN_TIMEOUT', bytesAccepted: RING_BYTES }),
    )
    expect(writer.interrupted).toBe(true)
    expect(written).toBe(1)
    expect(pair.send(RING_BYTES)).toHaveLength(RING_BYTES)
    writer.write('rest')
    expect(pair.send(10)).toBe('rest')
    expect(writer.offset).toBe(RING_BYTES + 4)
  })

  test('takes the time-out of its options where a call names none', () => {
    const { writer } = writerOf({ timeoutMs: 5 })
    expect(() => writer.writeLines([Buffer.alloc(RING_BYTES), 'more'])).toThrow(/took longer than 5 ms/)
  })

  test('refuses writes after writeEof, and sends the end after the bytes', () => {
    const { pair, writer } = writerOf()
    writer.write('last')
    writer.writeEof()
    writer.writeEof()
    expect(pair.channel.shut).toBe('finish')
    expect(writer.eofWritten).toBe(true)
    expect(() => writer.write('more')).toThrow(expect.objectContaining({ code: 'WRITE_CLOSED' }))
    writer.close()
    expect(pair.channel.shut).toBe('close')
    expect(writer.eofWritten).toBe(true)
  })

  test('says what it accepted when its lease ends while it blocks', () => {
    const pair = new ChannelPair({ inboundBytes: RING_BYTES, outboundBytes: RING_BYTES })
    class OvertakenSink extends BlockingChannelSink {
      override waitFor(level: number, timeoutMs: number): boolean {
        pair.channel.advanceEpoch()
        return super.waitFor(level, timeoutMs)
      }
    }
    const sink = new OvertakenSink(pair.channel, pair.ringer, pair.channel.epoch, () => {})
    const writer = new BlockingWriter(sink)
    expect(() => writer.write(Buffer.alloc(RING_BYTES + 10, 'x'))).toThrow(
      expect.objectContaining({ code: 'LEASE_GONE', bytesAccepted: RING_BYTES }),
    )
    expect(writer.dropped).toBe(0)
  })

  test('cannot end one direction alone on TLS', () => {
    const { writer } = writerOf({ canWriteEof: false })
    expect(writer.canWriteEof()).toBe(false)
    expect(() => writer.writeEof()).toThrow(expect.objectContaining({ code: 'WRITE_CLOSED' }))
  })

  test('drops and counts what comes after close, and after the connection is lost', () => {
    const { pair, writer } = writerOf()
    writer.close()
    writer.write('gone')
    expect([writer.dropped, writer.offset, writer.isClosing()]).toEqual([4, 0, true])
    const other = writerOf()
    other.pair.close('reset')
    other.writer.write('gone')
    expect([other.writer.dropped, other.writer.isClosing()]).toEqual([4, true])
    expect(() => other.writer.drain()).toThrow(expect.objectContaining({ code: 'CONNECTION_RESET' }))
    pair.close('closed')
    expect(() => writer.drain()).toThrow(expect.objectContaining({ code: 'CONNECTION_RESET' }))
  })

  test('drain throws what broke the reading half first', () => {
    const { writer } = writerOf({ readerException: () => new Error('the reading half') })
    expect(() => writer.drain()).toThrow('the reading half')
  })

  test('waitClosed times out on a connection that stays, returns on one that is gone, throws of one that broke', () => {
    const { pair, writer } = writerOf()
    expect(() => writer.waitClosed({ timeoutMs: 5 })).toThrow(
      expect.objectContaining({ code: 'DRAIN_TIMEOUT' }),
    )
    pair.close('closed')
    writer.waitClosed()
    const broken = writerOf()
    broken.pair.close('reset')
    expect(() => broken.writer.waitClosed()).toThrow(expect.objectContaining({ code: 'CONNECTION_RESET' }))
  })

  test('abort drops what is buffered', () => {
    const { pair, writer } = writerOf()
    writer.write('never')
    writer.abort()
    expect(pair.channel.shut).toBe('abort')
    expect(writer.isClosing()).toBe(true)
  })

  test('getExtraInfo knows the peer, else the fallback', () => {
    const { writer } = writerOf({ extraInfo: { peername: ['::1', 1] } })
    expect(writer.getExtraInfo('peername')).toEqual(['::1', 1])
    expect([writer.getExtraInfo('sockname'), writer.getExtraInfo('x', 1)]).toEqual([null, 1])
  })

  test('takes bytes and text only', () => {
    const { writer } = writerOf()
    expect(() => writer.write(1 as unknown as string)).toThrow(TypeError)
    expect(() => writer.writeLines(['a', null as unknown as string])).toThrow(TypeError)
    expect(writer.offset).toBe(0)
  })
})

describe('a blocking reader and writer over a channel', () => {
  test('look around while they block, and a look that throws ends the wait', () => {
    const lost = (): never => {
      throw new Error('nobody is there')
    }
    const { pair, writer } = writerOf({}, lost)
    expect(() => writer.write(Buffer.alloc(RING_BYTES + 1))).toThrow('nobody is there')
    expect(writer.interrupted).toBe(true)
    const reader = new BlockingReader(
      new BlockingChannelSource(pair.channel, pair.ringer, pair.channel.epoch, lost),
    )
    expect(() => reader.read(1)).toThrow('nobody is there')
    expect(reader.interrupted).toBe(true)
  })

  test('remember for ever that a wait was in vain', () => {
    const { pair } = writerOf()
    const reader = new BlockingReader(
      new BlockingChannelSource(pair.channel, pair.ringer, pair.channel.epoch, () => {}),
    )
    expect(() => reader.read(1, { timeoutMs: 2 })).toThrow('took longer')
    expect(reader.interrupted).toBe(true)
    pair.receive('ab')
    expect(reader.peek(1).toString()).toBe('a')
    expect(reader.interrupted).toBe(true)
    reader.read(1)
    expect([reader.interrupted, reader.offset]).toEqual([true, 1])
    expect(reader.read(1).toString()).toBe('b')
    expect(reader.offset).toBe(2)
  })

  test('count bytes that were put back once', () => {
    const { pair } = writerOf()
    const reader = new BlockingReader(
      new BlockingChannelSource(pair.channel, pair.ringer, pair.channel.epoch, () => {}),
    )
    pair.receive('abcd')
    reader.unread(reader.read(3))
    expect([reader.offset, reader.seen, reader.buffered]).toEqual([0, 3, 4])
    expect(() => reader.readExactly(5, { timeoutMs: 2 })).toThrow('took longer')
    expect(reader.read(3).toString()).toBe('abc')
    expect([reader.offset, reader.seen, reader.interrupted]).toEqual([3, 3, true])
    reader.read(1)
    expect([reader.offset, reader.seen, reader.interrupted]).toEqual([4, 4, true])
  })

  test('give a lent reader back with what was put back in it', () => {
    const { pair } = writerOf()
    pair.receive('abcde')
    const doorbell = allocateDoorbell()
    const position = { replay: 0, kept: new Uint8Array(0), aside: [] }
    const { memory, epoch } = pair.channel
    const lent = { memory, epoch, doorbell, position, onReset: 'raise' } as const
    const source = borrowSource(lent, LoanWords.of(allocateLoan()))
    const reader = new BlockingReader(source)
    reader.unread(reader.read(4).subarray(2))
    const { count, position: left } = source.giveBack()
    expect([count, Buffer.concat(left.aside).toString()]).toEqual([2, 'cd'])
  })
})
