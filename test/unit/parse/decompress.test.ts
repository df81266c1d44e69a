import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { LIMITS } from '../../../src/base/limits.ts'
import { CODINGS, type Coding, decompress } from '../../../src/parse/formats/decompress.ts'
import { configureInput, configureMessages } from '../../../src/parse/formats/registry.ts'
import { thrown } from '../../fixtures/thrown.ts'

const COMPRESS: Readonly<Record<Coding, (bytes: Buffer) => Buffer>> = {
  gzip: bytes => gzipSync(bytes),
  deflate: bytes => deflateSync(bytes),
  br: bytes => brotliCompressSync(bytes),
  zstd: bytes => zstdCompressSync(bytes),
}
const MIB = 1_048_576

describe.each(CODINGS)('%s', coding => {
  const compress = COMPRESS[coding]
  const input = Buffer.from(Array.from({ length: 10_000 }, (_, index) => index % 251))

  test('gives back what was compressed', () => {
    expect(decompress(coding, compress(input), MIB)).toEqual(input)
    expect(decompress(coding, compress(Buffer.alloc(0)), MIB)).toHaveLength(0)
  })

  test('refuses more than the bound, and no less', () => {
    const bytes = compress(input)
    expect(decompress(coding, bytes, input.length)).toEqual(input)
    expect(thrown(() => decompress(coding, bytes, input.length - 1))).toMatchObject({
      code: 'PARSE_LIMIT',
      offset: bytes.length,
    })
  })

  test('refuses a bomb by its ratio, whatever the bound', () => {
    const bomb = compress(Buffer.alloc(100 * MIB))
    expect(bomb.length * LIMITS.parseRatioMax).toBeLessThan(100 * MIB)
    expect(thrown(() => decompress(coding, bomb, 1_000 * MIB))).toMatchObject({ code: 'PARSE_LIMIT' })
  })

  test('refuses what is cut off, altered, followed by more, or another coding', () => {
    const bytes = compress(input)
    const failures = [
      bytes.subarray(0, -1),
      bytes.subarray(0, 3),
      Buffer.alloc(0),
      Buffer.from('{"plain":true}'),
      ...CODINGS.filter(other => other !== coding).map(other => COMPRESS[other](input)),
    ]
    for (const failure of failures)
      expect(thrown(() => decompress(coding, failure, MIB))).toMatchObject({
        code: 'PARSE_FAILED',
        offset: 0,
      })
    const more = Buffer.concat([bytes, Buffer.from('more')])
    expect(thrown(() => decompress(coding, more, MIB))).toMatchObject({ code: 'PARSE_FAILED' })
  })
})

describe('decompress', () => {
  test('is an option of every complete input, and of no connection', () => {
    expect(configureInput('lines', { decompress: 'gzip' })).toMatchObject({ coding: 'gzip' })
    expect(configureInput('lines', undefined)).toMatchObject({ coding: null })
    for (const decompress of ['lzma', 'identity', 'GZIP', '', 1, null, {}])
      expect(thrown(() => configureInput('lines', { decompress }))).toMatchObject({
        code: 'INVALID_REQUEST',
        errors: [{ path: 'options.decompress' }],
      })
    expect(thrown(() => configureMessages('lines', { decompress: 'gzip' }))).toMatchObject({
      errors: [{ path: 'options.decompress' }],
    })
  })
})
