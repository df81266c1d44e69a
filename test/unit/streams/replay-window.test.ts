import { array, assert, constantFrom, integer, property, tuple } from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ReplayWindow } from '../../../src/streams/replay-window.ts'

const all = (window: ReplayWindow): string => window.last(window.length).toString('latin1')

const text = (length: number, from = 0): string =>
  Array.from({ length }, (_, index) => String.fromCharCode(97 + ((from + index) % 26))).join('')

describe('ReplayWindow', () => {
  test('holds the last bytes, as many as its capacity', () => {
    const window = new ReplayWindow(8)
    expect(all(window)).toBe('')
    window.keep(Buffer.from('abc'))
    expect(all(window)).toBe('abc')
    window.keep(Buffer.from('defgh'))
    expect(all(window)).toBe('abcdefgh')
    window.keep(Buffer.from('ij'))
    expect(all(window)).toBe('cdefghij')
    expect(window.last(3).toString()).toBe('hij')
    expect(() => window.last(9)).toThrow('9 bytes are asked for again, and 8 are kept')
  })

  test('holds the end of a read that is larger than itself', () => {
    const window = new ReplayWindow(4)
    window.keep(Buffer.from('xy'))
    window.keep(Buffer.from(text(26)))
    expect(all(window)).toBe('wxyz')
  })

  test('gives copies, of what it was given and of what it has', () => {
    const window = new ReplayWindow(8)
    const given = Buffer.from('abc')
    window.keep(given)
    given.fill('x')
    window.last(3).fill('y')
    expect(all(window)).toBe('abc')
  })

  test('forgets what was put back, and no more than it has', () => {
    const window = new ReplayWindow(8)
    window.keep(Buffer.from('abcdef'))
    window.retract(2)
    window.keep(Buffer.from('X'))
    expect(all(window)).toBe('abcdX')
    window.retract(99)
    expect(all(window)).toBe('')
    window.keep(Buffer.from('y'))
    expect(all(window)).toBe('y')
  })

  test('takes memory as its bytes need it, never more than its capacity, and gives it back', () => {
    const window = new ReplayWindow(65_600)
    expect(window.memoryBytes).toBe(0)
    window.keep(Buffer.from('small'))
    expect(window.memoryBytes).toBe(1_024)
    for (let round = 0; round < 100; round++) window.keep(Buffer.alloc(10_000))
    expect(window.memoryBytes).toBe(65_600)
    window.clear()
    expect([window.memoryBytes, window.length]).toEqual([0, 0])
    window.keep(Buffer.from('again'))
    expect(all(window)).toBe('again')
  })

  test('holds what a text with the same end would, whatever is kept and put back', async () => {
    const step = tuple(constantFrom('keep', 'retract', 'clear'), integer({ min: 0, max: 3_000 }))
    const steps = array(step, { maxLength: 40 })
    const cases = property(steps, constantFrom(1, 2, 7, 1_023, 1_024, 1_025, 4_096), (moves, capacity) => {
      const window = new ReplayWindow(capacity)
      let model = ''
      let made = 0
      for (const [move, count] of moves) {
        if (move === 'keep') {
          const bytes = text(count, made)
          made += count
          window.keep(Buffer.from(bytes))
          model = (model + bytes).slice(-capacity)
        }
        if (move === 'retract') {
          window.retract(count)
          model = model.slice(0, Math.max(0, model.length - count))
        }
        if (move === 'clear') {
          window.clear()
          model = ''
        }
        expect(all(window)).toBe(model)
        expect(window.memoryBytes).toBeLessThanOrEqual(capacity)
      }
    })
    await assert(cases, { numRuns: 500 })
  })
})
