import { describe, expect, test } from 'vitest'
import { pickType } from '../../../src/http/bytes/accept.ts'
import { bytesOf, textOf } from '../../../src/http/bytes/byte-text.ts'
import { matchesGlob } from '../../../src/http/door/principal.ts'

describe('matchesGlob', () => {
  test.each([
    ['*', '', true],
    ['*', 'anything', true],
    ['cache', 'cache', true],
    ['cache', 'cache2', false],
    ['cache-*', 'cache-1', true],
    ['cache-*', 'cache', false],
    ['*-ro', 'db-ro', true],
    ['d*b*o', 'db-ro', true],
    ['ab*ba', 'aba', false],
    ['a*a', 'a', false],
    ['a**a', 'aa', true],
    ['a.c', 'abc', false],
    ['', '', true],
    ['', 'x', false],
  ])('%j against %j is %s', (glob, name, matches) => {
    expect(matchesGlob(glob, name)).toBe(matches)
  })
})

describe('pickType', () => {
  test.each([
    [undefined, 'a/b'],
    ['', 'a/b'],
    ['*/*', 'a/b'],
    ['c/d', 'c/d'],
    ['C/D; charset=utf-8', 'c/d'],
    ['c/d;q=0.5, a/b;q=0.4', 'c/d'],
    ['c/*, a/b', 'a/b'],
    ['c/d;q=nonsense', 'a/b'],
    ['a/b;q=0, */*;q=0.1', 'c/d'],
  ])('answers Accept: %s with %s', (accept, type) => {
    expect(pickType(accept, ['a/b', 'c/d'])).toBe(type)
  })
})

describe('bytesOf', () => {
  test.each([
    ['', 'utf8', ''],
    ['ü', 'utf8', 'c3bc'],
    ['', 'hex', ''],
    ['00Ff', 'hex', '00ff'],
    ['', 'base64', ''],
    ['AA==', 'base64', '00'],
    ['AA', 'base64', '00'],
    ['_-8', 'base64', 'ffef'],
    ['/+8=', 'base64', 'ffef'],
  ] as const)('reads %j as %s', (text, encoding, hex) => {
    expect(bytesOf(text, encoding, 'x').toString('hex')).toBe(hex)
  })

  test.each([
    ['\ud800', 'utf8'],
    ['0', 'hex'],
    ['0g', 'hex'],
    ['0x00', 'hex'],
    ['A', 'base64'],
    ['AA=A', 'base64'],
    ['AA AA', 'base64'],
    ['AAAA\n', 'base64'],
    ['A===', 'base64'],
  ] as const)('refuses %j as %s', (text, encoding) => {
    expect(() => bytesOf(text, encoding, 'x')).toThrow(expect.objectContaining({ code: 'INVALID_REQUEST' }))
  })
})

describe('textOf', () => {
  test('never loses a byte', () => {
    const bytes = Buffer.from([0xc3])
    expect(textOf(bytes, undefined)).toEqual({ data: 'ww==', encoding: 'base64' })
    expect(textOf(bytes, 'utf8')).toEqual({ data: 'ww==', encoding: 'base64' })
    expect(textOf(bytes, 'hex')).toEqual({ data: 'c3', encoding: 'hex' })
    expect(textOf(Buffer.from('é'), undefined)).toEqual({ data: 'é', encoding: 'utf8' })
    expect(textOf(Buffer.alloc(0), 'base64')).toEqual({ data: '', encoding: 'base64' })
  })
})
