import { describe, expect, test } from 'vitest'
import { ChunkList } from '../../../src/base/chunk-list.ts'

describe('ChunkList', () => {
  test.each(['push', 'append', 'unshift'] as const)('holds 400,000 pieces in a few chunks (%s)', how => {
    const list = new ChunkList()
    for (let count = 0; count < 400_000; count++) list[how](Buffer.from('abcd'))
    expect([...list.views()].length).toBeLessThan(32)
    expect(list.takeAll().toString('latin1')).toBe('abcd'.repeat(400_000))
  })

  test('copies what it appends and keeps what is pushed', () => {
    const list = new ChunkList()
    const kept = Buffer.alloc(16_384)
    const copied = Buffer.from('ab')
    list.append(copied)
    list.push(kept)
    list.unshift(copied)
    copied.fill('x')
    kept.fill('y')
    expect(list.takeAll().toString()).toBe(`abab${'y'.repeat(16_384)}`)
  })
})
