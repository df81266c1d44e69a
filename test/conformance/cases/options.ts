/** The named options that go beyond asyncio, and flow control. */
import { expect } from 'vitest'
import { LIMITS } from '../../../src/base/limits.ts'
import { StreamReader } from '../../../src/streams/reading/stream-reader.ts'
import { PatternCheck, pattern } from '../../support/pattern-check.ts'
import { asText, asyncLink, failed, holding, rejected, testCase } from '../links.ts'
import { recordingTransport } from '../recording-transport.ts'
import type { Case } from '../transport.ts'

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
  testCase('withMatch: says which separator ended the read', [], async transport => {
    const link = await holding(transport, 'one;two\r\nthree\n')
    const read = (): Promise<{ data: Buffer; match: number }> =>
      link.reader.readUntil([';', '\r\n', '\n'], { withMatch: true })
    expect(await read()).toEqual({ data: Buffer.from('one;'), match: 0 })
    // Both of the last end here: the shorter is the match, as it is for `consumed`.
    expect(await read()).toEqual({ data: Buffer.from('two\r\n'), match: 2 })
    expect(await read()).toEqual({ data: Buffer.from('three\n'), match: 2 })
    await link.finish()
    expect(await rejected(read())).toMatchObject({ code: 'INCOMPLETE_READ' })
  }),
  testCase('unread: what was taken is read again, and the offset is as before', [], async transport => {
    const link = await holding(transport, 'abc\nde')
    const { reader } = link
    expect(await failed(() => reader.unread(Buffer.from('x')))).toMatchObject({ code: 'INVALID_REQUEST' })
    const line = await reader.readLine()
    await reader.unread(line.subarray(1))
    expect(await reader.offset).toBe(1)
    expect(await asText(reader.peek(4))).toBe('bc\nd')
    expect(await asText(reader.readLine())).toBe('bc\n')
    await reader.unread(Buffer.from('BC\n'))
    const rest = reader.readExactly(6)
    await link.arrive('f')
    expect(await asText(rest)).toBe('BC\ndef')
    expect(await reader.offset).toBe(7)
    await link.break()
    expect(await failed(() => reader.unread(Buffer.from('f')))).toBeInstanceOf(Error)
  }),
  testCase(
    'lineBatches: the lines that are there; none is lost before an overlong one',
    ['async'],
    async transport => {
      const link = await asyncLink(transport, 'a\nb\nc', { limit: 4 })
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
  testCase('onOverrun discard-line: reported once, the rest of the line skipped', [], async transport => {
    const link = await holding(transport, 'much too', { limit: 4 })
    const discard = { onOverrun: 'discard-line' } as const
    expect(await rejected(link.reader.readLine(discard))).toMatchObject({ code: 'LIMIT_OVERRUN' })
    const next = link.reader.readLine(discard)
    await link.arrive(' long, and longer')
    await link.arrive(' still\nok\nagain too long\nfine\n')
    expect(await asText(next)).toBe('ok\n')
    expect(await rejected(link.reader.readLine(discard))).toMatchObject({ code: 'LIMIT_OVERRUN' })
    expect(await asText(link.reader.readLine(discard))).toBe('fine\n')
  }),
  testCase('onReset drain-then-raise: the bytes that came first, then the error', [], async transport => {
    const link = await holding(transport, 'one\ntwo')
    await link.break()
    const { reader } = link
    const drain = { onReset: 'drain-then-raise' } as const
    expect(await asText(reader.readLine(drain))).toBe('one\n')
    await rejected(reader.readLine(drain))
    await rejected(reader.readExactly(4, drain))
    await rejected(reader.peek(4, drain))
    await rejected(reader.read(1))
    expect(await reader.read(0, drain)).toHaveLength(0)
    expect(await asText(reader.peek(3, drain))).toBe('two')
    expect(await asText(reader.read(9, drain))).toBe('two')
    await rejected(reader.read(9, drain))
    expect(await reader.atEof()).toBe(false)
  }),
  testCase(
    'flow control: pause at 2 x limit + 1, not at 2 x limit; resume at the limit',
    ['fed'],
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
  testCase('flow control: a read that must wait resumes first', ['fed'], async () => {
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
  testCase('flow control: an overlong line that is dropped resumes', ['fed'], async () => {
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
  testCase('flow control: a peer that sends on loses nothing', [], async transport => {
    const link = await transport.open()
    const count = 1_500_000
    const reading = link.reader.readExactly(1_000)
    link.send(pattern(0, count))
    const check = new PatternCheck()
    check.take(await reading)
    while (check.received < count) check.take(await link.reader.read(50_000))
  }),
  testCase('flow control: a peer that sends on is stopped', ['async', 'socket'], async transport => {
    const link = await asyncLink(transport)
    const most = Math.max(LIMITS.inboundRingBytes, LIMITS.wideRingBytes)
    const count = 3 * most
    link.send(Buffer.alloc(count, 'x'))
    for (let got = 0; got < count; ) {
      expect(link.reader.buffered).toBeLessThanOrEqual(most)
      got += (await link.reader.read(500_000)).length
    }
  }),
]
