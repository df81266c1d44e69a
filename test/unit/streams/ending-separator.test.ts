import { describe, expect, test } from 'vitest'
import { endingSeparator } from '../../../src/streams/reading/ending-separator.ts'
import { StreamReader } from '../../../src/streams/reading/stream-reader.ts'

const bytes = (...texts: string[]): Buffer[] => texts.map(text => Buffer.from(text))

describe('endingSeparator', () => {
  test.each([
    ['abc\r\n', ['\r\n', '\n'], 1],
    ['abc\r\n', ['\n', '\r\n'], 0],
    ['abc;', ['\n', ';'], 1],
    ['ABCDE', ['DEF', 'BCDE'], 1],
    ['x', ['x', 'x'], 0],
    ['x', ['long', 'x'], 1],
  ])('of %j by %j is %i', (data, separators, match) => {
    expect(endingSeparator(Buffer.from(data), bytes(...separators))).toBe(match)
  })
})

describe('StreamReader.readUntil withMatch', () => {
  const open = (text: string): StreamReader => {
    const reader = new StreamReader({ limit: 8 })
    reader.feedData(Buffer.from(text))
    return reader
  }

  test('says which separator ended the read', async () => {
    const reader = open('a;b\nc')
    const separators = ['\n', Buffer.from(';')]
    expect(await reader.readUntil(separators, { withMatch: true })).toEqual({
      data: Buffer.from('a;'),
      match: 1,
    })
    expect(await reader.readUntil(separators, { withMatch: true })).toMatchObject({ match: 0 })
    expect(reader.offset).toBe(4)
  })

  test('waits like any other read, for a separator that comes in pieces', async () => {
    const reader = open('a-')
    const reading = reader.readUntil(['--', '\n'], { withMatch: true, timeoutMs: 1_000 })
    reader.feedData(Buffer.from('-b'))
    const { data, match } = await reading
    expect([data.toString(), match]).toEqual(['a--', 0])
  })

  test('is 0 for the one separator there is, which is a newline by default', async () => {
    const reader = open('a\nb\n')
    expect(await reader.readUntil('\n', { withMatch: true })).toMatchObject({ match: 0 })
    expect(await reader.readUntil(undefined, { withMatch: true })).toMatchObject({ match: 0 })
  })

  test('false gives the bytes alone', async () => {
    const data: Buffer = await open('a\n').readUntil(['\n'], { withMatch: false })
    expect(data.toString()).toBe('a\n')
  })

  test('fails as any other read', async () => {
    const matched = { withMatch: true } as const
    await expect(open('much too long').readUntil('\n', matched)).rejects.toMatchObject({
      code: 'LIMIT_OVERRUN',
    })
    await expect(open('').readUntil([], matched)).rejects.toMatchObject({ code: 'INVALID_SEPARATOR' })
    const ended = open('abc')
    ended.feedEof()
    await expect(ended.readUntil('\n', matched)).rejects.toMatchObject({ partial: Buffer.from('abc') })
  })
})
