/** The named options that go beyond asyncio, flow control, and what errors and readers look like. */
import { inspect } from 'node:util'
import { expect } from 'vitest'
import {
  IncompleteReadError,
  LimitOverrunError,
  reviveError,
  type SockpoolError,
} from '../../../src/base/errors.ts'
import { LIMITS } from '../../../src/base/limits.ts'
import { StreamReader } from '../../../src/streams/stream-reader.ts'
import { asText, holding, rejected, testCase, wholeLink } from '../links.ts'
import type { Case } from '../transport.ts'

/** A transport that tells what it was told. */
function recordingTransport(): { calls: string[]; pauseReading: () => void; resumeReading: () => void } {
  const calls: string[] = []
  return {
    calls,
    pauseReading: () => calls.push('pause'),
    resumeReading: () => calls.push('resume'),
  }
}

const overTheWire = (error: SockpoolError): SockpoolError => reviveError(JSON.parse(JSON.stringify(error)))
const overAThread = (error: SockpoolError): SockpoolError => reviveError(structuredClone(error.toJSON()))

export const optionCases: readonly Case[] = [
  testCase("limit: a call has its own, above or below the reader's", [], async transport => {
    const { reader } = await holding(transport, '12345\n12345\n', { limit: 3 })
    expect(await rejected(reader.readUntil('\n', { limit: 4 }))).toMatchObject({ consumed: 5 })
    expect(await asText(reader.readUntil('\n', { limit: 5 }))).toBe('12345\n')
    expect(await asText(reader.readLine({ limit: 5 }))).toBe('12345\n')
  }),
  testCase('peek: looks without taking, waits for its bytes, gives less at the end', [], async transport => {
    const link = await holding(transport, 'abc')
    expect(await asText(link.reader.peek(2))).toBe('ab')
    const peeking = link.reader.peek(5)
    await link.arrive('de')
    expect(await asText(peeking)).toBe('abcde')
    await link.finish()
    expect(await asText(link.reader.peek(9))).toBe('abcde')
    expect(await asText(link.reader.read())).toBe('abcde')
  }),
  testCase(
    'lineBatches: the lines that are there; none is lost before an overlong one',
    ['whole'],
    async transport => {
      const link = await wholeLink(transport, 'a\nb\nc', { limit: 4 })
      const batches = link.reader.lineBatches()
      expect((await batches.next()).value?.map(String)).toEqual(['a\n', 'b\n'])
      await link.arrive('\nd\nmuch too long\ne\n')
      expect((await batches.next()).value?.map(String)).toEqual(['c\n', 'd\n'])
      expect(await rejected(batches.next())).toMatchObject({ code: 'LIMIT_OVERRUN' })
      await link.finish()
      const rest: string[][] = []
      for await (const batch of link.reader.lineBatches()) rest.push(batch.map(String))
      expect(rest).toEqual([['e\n']])
    },
  ),
  testCase(
    'onOverrun discard-line: reported once, the rest of the line skipped',
    ['whole'],
    async transport => {
      const link = await wholeLink(transport, 'much too', { limit: 4 })
      const discard = { onOverrun: 'discard-line' } as const
      expect(await rejected(link.reader.readLine(discard))).toMatchObject({ code: 'LIMIT_OVERRUN' })
      const next = link.reader.readLine(discard)
      await link.arrive(' long, and longer')
      await link.arrive(' still\nok\nagain too long\nfine\n')
      expect(await asText(next)).toBe('ok\n')
      expect(await rejected(link.reader.readLine(discard))).toMatchObject({ code: 'LIMIT_OVERRUN' })
      expect(await asText(link.reader.readLine(discard))).toBe('fine\n')
    },
  ),
  testCase(
    'onReset drain-then-raise: the bytes that came first, then the error',
    ['whole'],
    async transport => {
      const link = await wholeLink(transport, 'one\ntwo')
      await link.break()
      const { reader } = link
      const drain = { onReset: 'drain-then-raise' } as const
      expect(await asText(reader.readLine(drain))).toBe('one\n')
      await rejected(reader.readLine(drain))
      await rejected(reader.read(1))
      expect(await asText(reader.read(9, drain))).toBe('two')
      await rejected(reader.read(9, drain))
    },
  ),
  testCase(
    'flow control: pause at 2 x limit + 1, not at 2 x limit; resume at the limit',
    ['memory'],
    async () => {
      const transport = recordingTransport()
      const reader = new StreamReader({ limit: 8, transport })
      reader.feedData(Buffer.alloc(16))
      expect(transport.calls).toEqual([])
      reader.feedData(Buffer.alloc(1))
      expect(transport.calls).toEqual(['pause'])
      await reader.read(8)
      expect(transport.calls).toEqual(['pause'])
      await reader.read(1)
      expect(transport.calls).toEqual(['pause', 'resume'])
      expect(() => reader.setTransport(transport)).toThrow('Transport already set')
    },
  ),
  testCase('flow control: a read that must wait resumes first', ['memory'], async () => {
    const transport = recordingTransport()
    const reader = new StreamReader({ limit: 8 })
    reader.setTransport(transport)
    reader.feedData(Buffer.alloc(17))
    const reading = reader.readExactly(80)
    expect(transport.calls).toEqual(['pause', 'resume'])
    for (let fed = 17; fed < 80; fed++) {
      reader.feedData(Buffer.alloc(1))
      expect(transport.calls.at(-1)).toBe('resume')
    }
    expect(await reading).toHaveLength(80)
  }),
  testCase('flow control: an overlong line that is dropped resumes', ['memory'], async () => {
    const transport = recordingTransport()
    const reader = new StreamReader({ limit: 4, transport })
    reader.feedData(Buffer.from('much too long'))
    await rejected(reader.readLine())
    expect(transport.calls).toEqual(['pause', 'resume'])
  }),
  ...[2 * 65_536 + 1, 10 * 65_536].map(count =>
    testCase(`flow control: readexactly(${count}) does not deadlock`, [], async transport => {
      const link = await transport.open()
      const reading = link.reader.readExactly(count)
      link.send(Buffer.alloc(count, 'x'))
      expect(await reading).toHaveLength(count)
    }),
  ),
  testCase(
    'flow control: a peer that sends on is stopped, and loses nothing',
    ['socket'],
    async transport => {
      const link = await wholeLink(transport)
      const text = Buffer.alloc(4_194_304, 'abcdefg\n')
      link.send(text)
      let got = 0
      while (got < text.length) {
        expect(link.reader.buffered).toBeLessThanOrEqual(LIMITS.inboundRingBytes)
        got += (await link.reader.read(50_000)).length
      }
    },
  ),
  testCase('test_IncompleteReadError_pickleable: over a thread and through JSON', ['memory'], async () => {
    const error = new IncompleteReadError(Buffer.from('abc'), 10, { bytesDelivered: 0 })
    for (const copy of [overAThread(error), overTheWire(error)]) {
      expect(copy).toBeInstanceOf(IncompleteReadError)
      const { message, partial } = error
      expect(copy).toMatchObject({
        code: 'INCOMPLETE_READ',
        message,
        partial,
        expected: 10,
        bytesDelivered: 0,
      })
    }
    expect(overTheWire(new IncompleteReadError(Buffer.alloc(0), null))).toMatchObject({ expected: null })
  }),
  testCase('test_LimitOverrunError_pickleable: over a thread and through JSON', ['memory'], async () => {
    const error = new LimitOverrunError('message', 10)
    for (const copy of [overAThread(error), overTheWire(error)]) {
      expect(copy).toBeInstanceOf(LimitOverrunError)
      expect(copy).toMatchObject({ code: 'LIMIT_OVERRUN', message: 'message', consumed: 10 })
    }
  }),
  testCase('test_streamreader_constructor: the defaults', ['memory'], async () => {
    const reader = new StreamReader()
    expect([reader.limit, reader.buffered, reader.atEof(), reader.exception()]).toEqual([
      65_536,
      0,
      false,
      null,
    ])
  }),
  testCase('test___repr__: and its kin', ['memory'], async () => {
    const reader = new StreamReader()
    expect(inspect(reader)).toBe('<StreamReader>')
    expect(inspect(new StreamReader({ limit: 123 }))).toBe('<StreamReader limit=123>')
    const transport = { ...recordingTransport(), [inspect.custom]: () => '<Transport>' }
    expect(inspect(new StreamReader({ transport }))).toBe('<StreamReader transport=<Transport>>')
    const reading = reader.readExactly(9)
    expect(inspect(reader)).toBe('<StreamReader waiter=<readexactly() pending>>')
    reader.feedData(Buffer.from('data'))
    expect(inspect({ reader })).toContain('<StreamReader 4 bytes waiter=')
    const failure = rejected(reading)
    reader.feedEof()
    await failure
    expect(inspect(reader)).toBe('<StreamReader eof>')
    const broken = new StreamReader()
    broken.setException(new RangeError('broken'))
    expect(inspect(broken)).toBe("<StreamReader exception=RangeError('broken')>")
  }),
]
