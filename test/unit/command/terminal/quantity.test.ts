import { expect, test } from 'vitest'
import { bytesText, countText, timeText, waitText } from '../../../../src/command/terminal/quantity.ts'

test.each([
  [0, '0 B'],
  [1_023, '1023 B'],
  [1_536, '1.5 KiB'],
  [1_048_575, '1 MiB'],
  [12_900_000, '12.3 MiB'],
  [2 ** 60, '1024 PiB'],
])('%d bytes are %s', (bytes, text) => {
  expect(bytesText(bytes)).toBe(text)
})

test.each([
  [0, '0'],
  [0.25, '0.3'],
  [12, '12'],
  [999, '999'],
  [1_500, '1.5k'],
  [999_600, '1M'],
])('%d is %s', (count, text) => {
  expect(countText(count)).toBe(text)
})

test.each([
  [999, '0s'],
  [59_999, '59s'],
  [192_000, '3m12s'],
  [7_500_000, '2h05m'],
  [9 * 86_400_000 + 4 * 3_600_000, '9d04h'],
])('%d ms are %s', (milliseconds, text) => {
  expect(timeText(milliseconds)).toBe(text)
})

test.each([
  [0.42, '0.4 ms'],
  [12, '12 ms'],
  [1_500, '1.5 s'],
  [192_000, '3m12s'],
])('a wait of %d ms is %s', (milliseconds, text) => {
  expect(waitText(milliseconds)).toBe(text)
})
