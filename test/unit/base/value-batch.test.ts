import { expect, test } from 'vitest'
import { LIMITS } from '../../../src/base/limits.ts'
import { BatchPacking, type BatchPart, memoryIn, valuesOf } from '../../../src/base/value-batch.ts'

async function unpacked(parts: readonly BatchPart[]): Promise<unknown[]> {
  const values: unknown[] = []
  for (const part of parts) {
    const made = await valuesOf(part)
    expect(made).toHaveLength(part.count)
    values.push(...made)
  }
  return values
}

test('BatchPacking keeps the order of texts and values, and cuts them into parts that are small', async () => {
  const packing = new BatchPacking()
  const values = Array.from({ length: 3_000 }, (_, index) => ({ index, fill: 'x'.repeat(index % 300) }))
  for (const [index, value] of values.entries())
    if (index % 1_000 < 700) packing.addText(Buffer.from(` ${JSON.stringify(value)}\n`))
    else packing.addValue(value)
  const parts = packing.finish()
  expect(await unpacked(parts)).toEqual(values)
  const texts = parts.filter(part => part.kind === 'json')
  expect(texts.length).toBeGreaterThan(3)
  expect(Math.max(...texts.map(({ bytes }) => bytes.length))).toBeLessThan(LIMITS.batchTextBytes * 2)
})

test('BatchPacking gives a value that is too large for a part one of its own', async () => {
  const packing = new BatchPacking()
  const large = Array.from({ length: LIMITS.cloneValuesMax * 2 }, (_, index) => index)
  const values = ['before', large, { after: true, bytes: null }]
  for (const value of values) packing.addValue(value)
  const parts = packing.finish()
  expect(parts.map(({ kind, count }) => [kind, count])).toEqual([
    ['list', 1],
    ['parcel', 1],
    ['list', 1],
  ])
  expect(await unpacked(parts)).toEqual(values)
})

test('memoryIn names memory that is nobody else’s', () => {
  const packing = new BatchPacking()
  packing.addText(Buffer.from('1'))
  packing.addValue([2])
  const batch = { lengths: Uint32Array.of(1, 3), parts: packing.finish() }
  for (const { buffer, byteLength } of memoryIn(batch)) expect(buffer.byteLength).toBe(byteLength)
  expect(memoryIn(batch)).toHaveLength(3)
})
