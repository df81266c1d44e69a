import { array, assert, asyncProperty, constantFrom, integer, tuple } from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { MemorySource } from '../../../src/streams/reading/memory-source.ts'
import { ReplaySource } from '../../../src/streams/reading/replay-source.ts'
import { StreamReader } from '../../../src/streams/reading/stream-reader.ts'

function open(old: string, there = ''): { fed: MemorySource; source: ReplaySource; reader: StreamReader } {
  const fed = new MemorySource()
  fed.feed(Buffer.from(there))
  const source = new ReplaySource(Buffer.from(old), fed)
  return { fed, source, reader: new StreamReader({}, source) }
}

const text = async (read: Promise<Buffer>): Promise<string> => (await read).toString()

describe('ReplaySource', () => {
  test('takes nothing from the source while old bytes are enough', async () => {
    const { fed, source, reader } = open('one\ntwo\n', 'three\n')
    expect(await text(reader.readLine())).toBe('one\n')
    expect(await text(reader.readExactly(4))).toBe('two\n')
    expect([source.fresh, fed.available]).toEqual([0, 6])
  })

  test('goes on into what is there, and then into what comes', async () => {
    const { fed, source, reader } = open('be', 'gun\nnext')
    expect(await text(reader.readLine())).toBe('begun\n')
    expect(source.fresh).toBe(4)
    const reading = reader.readLine()
    fed.feed(Buffer.from(' line\n'))
    expect(await text(reading)).toBe('next line\n')
    expect([source.fresh, fed.available]).toEqual([14, 0])
  })

  test('finds a separator that lies in old and new bytes', async () => {
    const { fed, reader } = open('head\r\n\r', '')
    const reading = reader.readUntil('\r\n\r\n')
    fed.feed(Buffer.from('\nbody'))
    expect(await text(reading)).toBe('head\r\n\r\n')
    expect(fed.available).toBe(4)
  })

  test('holds old and new bytes together against the limit', async () => {
    const { fed, source, reader } = open('12345', '67')
    const overrun = { code: 'LIMIT_OVERRUN', consumed: 6 }
    await expect(reader.readUntil('!', { limit: 5 })).rejects.toMatchObject({ ...overrun, consumed: 7 })
    expect([source.fresh, source.available]).toEqual([0, 7])
    // As asyncio's, an overlong line is dropped, the new part of it too.
    await expect(reader.readLine({ limit: 5 })).rejects.toMatchObject({ ...overrun, consumed: 7 })
    expect([source.fresh, fed.available]).toEqual([2, 0])
  })

  test('ends as its source does, once all of it was read', async () => {
    const { fed, source, reader } = open('old', 'new')
    fed.finish({ kind: 'fin' })
    expect(reader.atEof()).toBe(false)
    await expect(reader.readExactly(9)).rejects.toMatchObject({ expected: 9, partial: Buffer.from('oldnew') })
    expect([reader.atEof(), reader.ending, source.fresh]).toEqual([true, 'fin', 3])
  })

  test('takes nothing where a read times out, and withdraws its wish', async () => {
    const { fed, source, reader } = open('half', '')
    await expect(reader.readLine({ timeoutMs: 1 })).rejects.toMatchObject({ code: 'READ_TIMEOUT' })
    expect([source.fresh, reader.interrupted]).toEqual([0, true])
    const wake = vi.fn()
    fed.request(1, wake)
    fed.feed(Buffer.from('\n'))
    expect(wake).toHaveBeenCalledOnce()
    expect(fed.available).toBe(1)
  })

  test('puts back to the source what came from there, and keeps the rest', async () => {
    const { fed, source, reader } = open('old ', 'new')
    const bytes = await reader.readExactly(7)
    reader.unread(bytes)
    expect([source.fresh, fed.available, source.available]).toEqual([0, 3, 7])
    expect(await text(reader.readExactly(6))).toBe('old ne')
    reader.unread(Buffer.from('e'))
    expect([source.fresh, fed.available]).toEqual([1, 2])
    const end = vi.fn()
    source.onEnd(end)
    fed.finish({ kind: 'fin' })
    expect(end).toHaveBeenCalledOnce()
  })

  test('gives the same as one stream would, wherever it is cut', async () => {
    const reads = array(
      tuple(constantFrom('line', 'exactly', 'until', 'skip'), integer({ min: 0, max: 9 })),
      {
        maxLength: 12,
      },
    )
    const letters = array(constantFrom('a', 'b', '\n'), { maxLength: 40 })
    const cases = asyncProperty(letters, integer({ min: 0, max: 40 }), reads, async (stream, cut, calls) => {
      const bytes = stream.join('')
      const whole = new StreamReader()
      whole.feedData(Buffer.from(bytes))
      whole.feedEof()
      const { fed, source, reader } = open(bytes.slice(0, cut), bytes.slice(cut))
      fed.finish({ kind: 'fin' })
      const outcomeOf = async (
        [call, count]: (typeof calls)[number],
        from: StreamReader,
      ): Promise<unknown> => {
        const limit = 1 + count
        const read =
          call === 'line'
            ? from.readLine({ limit })
            : call === 'exactly'
              ? from.readExactly(count)
              : call === 'until'
                ? from.readUntil(['ab', '\n'], { limit })
                : from.readLine({ limit, onOverrun: 'discard-line' })
        return await read.then(String, ({ code, partial, consumed }) => ({
          code,
          partial: String(partial),
          consumed,
        }))
      }
      for (const call of calls) expect(await outcomeOf(call, reader)).toEqual(await outcomeOf(call, whole))
      expect(source.fresh).toBe(Math.max(0, reader.offset - Math.min(cut, bytes.length)))
    })
    await assert(cases, { numRuns: 500 })
  })
})
