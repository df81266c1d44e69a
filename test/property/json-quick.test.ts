import { array, assert, constantFrom, jsonValue, oneof, property, string, uint8Array } from 'fast-check'
import { expect, test } from 'vitest'
import { SockpoolError } from '../../src/base/errors.ts'
import { LIMITS } from '../../src/base/limits.ts'
import { decodeJson } from '../../src/parse/formats/json.ts'
import { quickJson } from '../../src/parse/formats/json-quick.ts'
import { JsonScanner } from '../../src/parse/formats/json-scanner.ts'

/** As the scanner and the second look have it: one value and white space, or null. */
function slowly(message: Buffer, options: Parameters<typeof decodeJson>[1]): { value: unknown } | null {
  try {
    const scanner = new JsonScanner()
    const length = scanner.push(message) || scanner.finish()
    if (typeof length !== 'number' || /[^ \t\r\n]/.test(message.toString('latin1', length))) return null
    return { value: decodeJson(message.subarray(0, length), options) }
  } catch (error) {
    if (error instanceof SockpoolError) return null
    throw error
  }
}

const PIECES = [
  ...[
    '__proto__',
    'constructor',
    'prototype',
    '\\u005f',
    '\\u0041',
    'a',
    '"',
    '":',
    '{"',
    '}',
    '[',
    ']',
    ',',
    ' ',
  ],
  ...[
    '1e308',
    '1e309',
    '-1E+400',
    '9007199254740993',
    '0.1',
    '12',
    '1e-999',
    '9'.repeat(310),
    'true',
    '\ufeff',
    'é',
  ],
  ...['{"__proto__":1}', '{"constructor":{"prototype":1}}', '['.repeat(40), ']'.repeat(40), '{"a":1,"a":2}'],
]
const texts = oneof(
  array(constantFrom(...PIECES), { maxLength: 12 }).map(pieces => pieces.join('')),
  jsonValue({ maxDepth: 6 }).map(value => JSON.stringify(value)),
  array(constantFrom(...PIECES), { maxLength: 3 }).map(
    list => `[${JSON.stringify(list)},{"k":${JSON.stringify(list)}}]`,
  ),
  string().map(text => JSON.stringify({ [text]: text })),
)
const messages = oneof(
  { weight: 9, arbitrary: texts.map(text => Buffer.from(text)) },
  {
    weight: 1,
    arbitrary: uint8Array({ maxLength: 8 }).map(bytes =>
      Buffer.concat([Buffer.from('"'), bytes, Buffer.from('"')]),
    ),
  },
)

test.each([
  { bigint: 'number', duplicates: 'last' },
  { bigint: 'string', duplicates: 'last' },
  { bigint: 'number', duplicates: 'error' },
] as const)('the short way has the value of the long one, or none: %o', async options => {
  await assert(
    property(messages, message => {
      const quick = quickJson(message, options)
      if (quick !== null) expect(slowly(message, options)).toEqual(quick)
    }),
    { numRuns: 20_000 },
  )
})

test('the short way takes most texts, and none that could break a bound', () => {
  const options = { bigint: 'number', duplicates: 'last' } as const
  const quick = (text: string) => quickJson(Buffer.from(text), options)
  expect(quick(' {"id":12,"tags":["a","b"],"at":"2026-01-01T00:00:00Z","x":1.5e3}\r\n')).toEqual({
    value: { id: 12, tags: ['a', 'b'], at: '2026-01-01T00:00:00Z', x: 1500 },
  })
  expect(quick(`${'['.repeat(64)}${']'.repeat(64)}`)).not.toBeNull()
  expect(quick(`${'['.repeat(65)}${']'.repeat(65)}`)).toBeNull()
  expect(quick(JSON.stringify('x'.repeat(LIMITS.jsonQuickBytes)))).toBeNull()
})
