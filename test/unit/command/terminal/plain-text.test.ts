import { expect, test } from 'vitest'
import { plainJson, plainLines, plainText } from '../../../../src/command/terminal/plain-text.ts'

test.each([
  ['a title', '\x1b]0;mine\x07', '\\x1b]0;mine\\x07'],
  ['a sequence of one byte', '\x9b2J', '\\x9b2J'],
  ['another line', 'a\r\nb\tc', 'a\\x0d\\x0ab\\x09c'],
  ['a separator of lines', 'a\u2028b', 'a\\u{2028}b'],
  ['another direction', 'a\u202egnp', 'a\\u{202e}gnp'],
  ['half of a pair', 'a\ud800', 'a\\u{d800}'],
  ['what controls nothing', 'naïve 漢字 👍 "\\', 'naïve 漢字 👍 "\\'],
])('plainText escapes %s', (_what, text, plain) => {
  expect(plainText(text)).toBe(plain)
})

test('plainLines leaves the line breaks', () => {
  expect(plainLines('a\x1b\nb\x7f')).toBe('a\\x1b\nb\\x7f')
})

test('plainJson means the same, without a character that a terminal obeys', () => {
  const value = { 'a\x9b': ['\x1b\u202e\u2029\u{e0001}', 1, null] }
  const json = plainJson(value, 2)
  expect(JSON.parse(json)).toEqual(value)
  expect(json).toMatch(/^[\x20-\x7e\n]*$/)
})
