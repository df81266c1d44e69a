import { deserialize } from 'node:v8'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { LIMITS } from '../../../src/base/limits.ts'
import { packValue, unpackValue } from '../../../src/base/value-parcel.ts'

const MANY = LIMITS.cloneValuesMax * 3

/** Lists and records of every shape, many of them too large for one piece. */
const LARGE: readonly (readonly [string, unknown])[] = [
  ['a flat list', Array.from({ length: MANY }, (_, index) => index)],
  ['a list of empty records', [Array.from({ length: MANY }, () => ({}))]],
  ['a record', Object.fromEntries(Array.from({ length: MANY }, (_, index) => [`key ${index}`, [index]]))],
  [
    'large parts among small ones',
    { first: 1, many: Array.from({ length: MANY }, () => [true]), last: { of: Array(MANY).fill(null) } },
  ],
  ['large parts at several depths', [[[Array(MANY).fill('x')], Array(MANY).fill(-0)], 'end']],
]

describe('packValue', () => {
  test.each([1, 'text', null, undefined, -0, [], { a: [1n] }])('leaves %o as it is', async value => {
    const parcel = packValue(value)
    expect(parcel).toEqual({ kind: 'whole', value })
    expect(await unpackValue(parcel)).toBe(value)
  })

  test.each(LARGE)('cuts %s in pieces that are made into the same again', async (_what, value) => {
    const parcel = packValue(value)
    if (parcel.kind === 'whole') throw new Error('it was not cut')
    for (const piece of parcel.pieces) {
      expect(piece.buffer.byteLength).toBe(piece.length)
      const { parts } = deserialize(piece) as { parts: unknown[] }
      expect(parts.length).toBeLessThanOrEqual(LIMITS.cloneValuesMax)
      expect(parts.map(part => packValue(part).kind)).not.toContain('pieces')
    }
    const again = await unpackValue(structuredClone(parcel))
    expect(again).toEqual(value)
    expect(JSON.stringify(again)).toBe(JSON.stringify(value))
  })

  test('gives any value back', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.jsonValue({ maxDepth: 4 }),
        fc.integer({ min: 1, max: 3 }),
        async (value, copies) => {
          const large = Array.from({ length: copies }, () => Array.from({ length: 4_000 }, () => value))
          expect(await unpackValue(packValue(large))).toEqual(large)
        },
      ),
      { numRuns: 10 },
    )
  })

  test('keeps a name that means something to an assignment', async () => {
    const value = JSON.parse(`{"__proto__": ["own"], "more": [${'0,'.repeat(MANY)}0]}`)
    const again = (await unpackValue(packValue(value))) as object
    expect(Object.keys(again)).toEqual(['__proto__', 'more'])
    expect(Object.getPrototypeOf(again)).toBe(Object.prototype)
  })
})

test('unpackValue lets the thread do other work between two pieces', async () => {
  const parcel = packValue(Array.from({ length: LIMITS.cloneValuesMax * 8 }, () => ({})))
  if (parcel.kind === 'whole') throw new Error('it was not cut')
  let turns = 0
  let isDone = false
  const turn = (): void => {
    turns += 1
    if (!isDone) setImmediate(turn)
  }
  setImmediate(turn)
  await unpackValue(parcel)
  isDone = true
  expect(turns).toBeGreaterThanOrEqual(parcel.pieces.length)
})
