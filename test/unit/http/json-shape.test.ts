import { describe, expect, test } from 'vitest'
import { LIMITS } from '../../../src/base/limits.ts'
import { JsonShape } from '../../../src/http/bytes/json-shape.ts'

/** Takes a body in pieces of so many bytes; the bytes that were looked at, and the refusal. */
function take(text: string, pieceBytes: number): { taken: number; refusal: string | null } {
  const shape = new JsonShape()
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length; at += pieceBytes)
    try {
      shape.take(bytes.subarray(at, at + pieceBytes))
    } catch (error) {
      return { taken: at, refusal: (error as Error).message }
    }
  return { taken: bytes.length, refusal: null }
}

describe('JsonShape', () => {
  test.each([1, 7, 65_536])('passes large texts, whatever they hold, in pieces of %i bytes', size => {
    const odd = '[{,:]}\\" \\\\'.repeat(5_000)
    expect(take(`{"write":{"text":"${odd}"},"read":["\\\\","\\""]}`, size).refusal).toBeNull()
  })

  test('passes as many short texts as there may be values', () => {
    expect(take(`[${'"",'.repeat(400_000)}""]`, 65_536).refusal).toBeNull()
  })

  test.each([
    ['empty objects', `[${'{},'.repeat(1_000_000)}{}]`, /fields, lists and objects/],
    ['empty lists', `[${'[],'.repeat(1_000_000)}[]]`, /fields, lists and objects/],
    ['fields', `{${'"a":1,'.repeat(1_000_000)}"b":1}`, /fields, lists and objects/],
    ['texts', `[${'"",'.repeat(1_500_000)}""]`, /lists more than/],
    ['digits', '1'.repeat(LIMITS.jsonBareBytesMax + 100_000), /outside of its texts/],
    ['levels', '['.repeat(100_000), /nested deeper/],
    [
      'levels that close again',
      `[${'['.repeat(65)}${']'.repeat(65)},${'"",'.repeat(90_000)}]`,
      /nested deeper/,
    ],
  ])('refuses a body of too many %s before it has seen all of it', (_title, text, expected) => {
    const { taken, refusal } = take(text, 4_096)
    expect(refusal).toMatch(expected)
    expect(taken).toBeLessThan(text.length)
  })

  test('counts a depth that one piece opens and closes', () => {
    expect(take(`${'['.repeat(65)}${']'.repeat(65)}`, 1_000).refusal).toMatch(/nested deeper/)
    expect(take(`${'['.repeat(64)}${']'.repeat(64)}`, 1_000).refusal).toBeNull()
  })
})
