import { expect, test } from 'vitest'
import { frontBytes } from '../../../src/streams/reading/front-bytes.ts'

const views = ['ab', '', 'cde'].map(text => new Uint8Array(Buffer.from(text)))

test('frontBytes copies across views, and all there is if there is less', () => {
  expect([0, 1, 2, 3, 9].map(count => frontBytes(views, count).toString())).toEqual([
    '',
    'a',
    'ab',
    'abc',
    'abcde',
  ])
  const copy = frontBytes(views, 1)
  copy[0] = 0
  expect(views[0]?.[0]).toBe(0x61)
})
