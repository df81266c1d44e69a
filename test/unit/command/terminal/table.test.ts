import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Paint } from '../../../../src/command/terminal/paint.ts'
import { type TableCell, tableLines } from '../../../../src/command/terminal/table.ts'
import { textWidth } from '../../../../src/command/terminal/text-width.ts'

const plain: Paint = text => text

const COLUMNS = [
  { title: 'name', rank: 0 },
  { title: 'about', rank: 3 },
  { title: 'leased', rank: 1 },
  { title: 'max', rank: 2 },
]

const row = (name: string, about: string, leased: number, max: number): TableCell[] => [
  { text: name },
  { text: about },
  { text: String(leased), isNumber: true },
  { text: String(max), isNumber: true },
]

const ROWS = [row('cache', 'a cache of 漢字', 3, 32), row('db', 'x', 12_345, 4)]

const linesAt = (width: number | null) => tableLines(COLUMNS, ROWS, { width, paint: plain })

describe('a table', () => {
  test('on a pipe has its full width, with numbers to the right', () => {
    expect(linesAt(null)).toEqual([
      'name   about            leased  max',
      'cache  a cache of 漢字       3   32',
      'db     x                 12345    4',
    ])
  })

  test.each([
    [36, ['name   about            leased  max', 'cache  a cache of 漢字       3   32']],
    [30, ['name   about       leased  max', 'cache  a cache o…       3   32']],
    [26, ['name   about   leased  max', 'cache  a cac…       3   32']],
    [25, ['name   leased  max', 'cache       3   32']],
    [17, ['name   leased', 'cache       3']],
    [10, ['name', 'cache']],
    [3, ['na…', 'ca…']],
  ])('in %d columns cuts texts, and leaves out columns, the least important first', (width, lines) => {
    expect(linesAt(width).slice(0, 2)).toEqual(lines)
  })

  test('is never wider than the terminal, nor is a number in it ever cut', () => {
    const cell = fc.oneof(
      fc.string({ unit: 'grapheme', maxLength: 20 }).map((text): TableCell => ({ text })),
      fc.nat().map((count): TableCell => ({ text: String(count), isNumber: true })),
    )
    const rows = fc.array(fc.tuple(cell, cell, cell, cell), { maxLength: 5 })
    fc.assert(
      fc.property(rows, fc.integer({ min: 1, max: 60 }), (cells, width) => {
        for (const line of tableLines(COLUMNS, cells, { width, paint: plain }))
          expect(textWidth(line)).toBeLessThanOrEqual(width)
      }),
    )
    const [, first = ''] = tableLines(COLUMNS, [row('a', 'b', 1_234_567, 1)], { width: 14, paint: plain })
    expect(first).toBe('a     1234567')
  })

  test('paints its cells alone, and escapes what would control the terminal', () => {
    const paint: Paint = (text, tone) => (tone === null ? text : `<${tone}>${text}</>`)
    const cells: TableCell[] = [{ text: 'a\x1b[2J', tone: 'bad' }, { text: 'b' }]
    expect(tableLines([{ title: 'one' }, { title: 'two' }], [cells], { width: null, paint })).toEqual([
      '<strong>one</>       <strong>two</>',
      '<bad>a\\x1b[2J</>  b',
    ])
  })
})
