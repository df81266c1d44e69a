import { expect, test } from 'vitest'
import { cutText, textWidth } from '../../../../src/command/terminal/text-width.ts'

test.each([
  ['', 0],
  ['cache-1', 7],
  ['naïve', 5],
  ['nai\u0308ve', 5],
  ['漢字', 4],
  ['かな', 4],
  ['ｶﾅ', 2],
  ['한글', 4],
  ['Ａ１', 4],
  ['👍', 2],
  ['👩‍👩‍👧', 2],
  ['❤️', 2],
  ['█▒·…', 4],
])('%j takes %d columns', (text, columns) => {
  expect(textWidth(text)).toBe(columns)
})

test.each([
  ['cache', 5, 'cache'],
  ['cache', 4, 'cac…'],
  ['cache', 1, '…'],
  ['cache', 0, ''],
  ['漢字漢字', 6, '漢字…'],
  ['漢字漢字', 5, '漢字…'],
  ['漢字漢字', 4, '漢…'],
  ['ab👩‍👩‍👧cd', 4, 'ab…'],
])('%j in %d columns is %j', (text, columns, cut) => {
  expect(cutText(text, columns)).toBe(cut)
  expect(textWidth(cut)).toBeLessThanOrEqual(columns)
})
