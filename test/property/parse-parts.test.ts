/** An input in parts gives the text that it gives in one piece, wherever the parts are cut. */
import { array, assert, integer, property } from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type ErrorFields, SockpoolError } from '../../src/base/errors.ts'
import { INPUT_START, type InputRest } from '../../src/base/input-part.ts'
import { LIMITS } from '../../src/base/limits.ts'
import { decodeAll, writeAll } from '../../src/parse/formats/decode-all.ts'
import type { Decoder } from '../../src/parse/formats/format.ts'
import { FORMAT_NAMES } from '../../src/parse/formats/registry.ts'
import { writePart } from '../../src/parse/formats/write-part.ts'
import { decoderOf, openDecoder } from '../support/decoders.ts'
import { FORMAT_OPTIONS, noiseFor } from '../support/format-noise.ts'

type Written = { readonly text: string; readonly failure: ErrorFields | null }

const LINES = { before: '', between: '', end: '\n', after: '' }
const BYTES_MAX = 1_048_576

function inOnePiece(decoder: Decoder, input: Buffer): Written {
  try {
    return { text: Buffer.from(writeAll(decoder, input, LINES)).toString(), failure: null }
  } catch (error) {
    if (error instanceof SockpoolError) return { text: '', failure: error.toJSON() }
    throw error
  }
}

/** Each step gets the plain data that the step before has left, and the next bytes, as a thread would. */
function inParts(decoder: Decoder, input: Buffer, sizes: readonly number[], bytesMax = BYTES_MAX): Written {
  let rest: InputRest = INPUT_START
  let text = ''
  let start = 0
  let hasMore = false
  for (let turn = 0; ; turn++) {
    const size = hasMore ? 0 : (sizes[turn % sizes.length] ?? 1)
    const piece = new Uint8Array(input.subarray(start, start + size))
    start += piece.length
    const isLast = start === input.length
    const part = structuredClone({ ...rest, pieces: [...rest.pieces, piece], isLast })
    const result = writePart(decoder, part, bytesMax)
    if (result.kind === 'whole') throw new Error('the format takes no parts')
    text += Buffer.concat(result.texts).toString()
    if (result.failure !== null) return { text, failure: result.failure }
    rest = result.rest
    hasMore = result.hasMore
    if (isLast && !hasMore) return { text, failure: null }
  }
}

const sizes = array(integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 8 })
/** It cannot be opened without options. */
const names = FORMAT_NAMES.filter(name => name !== 'protobuf')
const subjects = [
  ...names.map(name => [name, {}] as const),
  ['json', { texts: 'one', bigint: 'string' }] as const,
  ...FORMAT_OPTIONS,
]

const TO_THE_BYTE: ReadonlySet<string> = new Set(['json', 'ndjson', 'lines'])

describe.each(subjects)('%s in parts, with %j', (format, options) => {
  test('is written as in one piece, and fails at the same place', async () => {
    const decoder = await openDecoder(format, options)
    const cases = property(noiseFor(format, 40), sizes, (text, pieces) => {
      const input = Buffer.from(text)
      if (decoder.whole) {
        const part = { ...INPUT_START, pieces: [input], isLast: true }
        return void expect(writePart(decoder, part, BYTES_MAX)).toEqual({ kind: 'whole', rest: part })
      }
      const expected = inOnePiece(decoder, input)
      const actual = inParts(decoder, input, pieces)
      if (expected.failure === null) return void expect(actual).toEqual(expected)
      const atOnce = inParts(decoder, input, [input.length || 1])
      expect(atOnce.failure).toEqual(expected.failure)
      // What a frame cuts fails at the chunk in which it fails; the others at their byte.
      if (TO_THE_BYTE.has(format)) expect(actual).toEqual(atOnce)
      else expect(actual).toMatchObject({ text: atOnce.text, failure: { code: expected.failure.code } })
    })
    await assert(cases, { numRuns: 700 })
  })
})

describe('a step', () => {
  test('ends when it has written enough, and the next one goes on', () => {
    const line = `${JSON.stringify('\u0001'.repeat(100))}\n`
    const input = Buffer.from(line.repeat(2_000))
    const first = writePart(decoderOf('lines'), { ...INPUT_START, pieces: [input], isLast: true }, BYTES_MAX)
    expect(first).toMatchObject({ kind: 'values', hasMore: true, failure: null })
    if (first.kind === 'whole') throw new Error('lines come one by one')
    const written = first.texts.reduce((sum, { length }) => sum + length, 0)
    expect(written).toBeGreaterThanOrEqual(LIMITS.parseStepTextBytes)
    expect(written).toBeLessThan(LIMITS.parseStepTextBytes + 2 * line.length)
    for (const { length } of first.texts) expect(length).toBeLessThanOrEqual(LIMITS.parseTextRoomBytes)
    expect(first.rest.offset).toBe(first.count * line.length)
    expect(inParts(decoderOf('lines'), input, [50_000])).toEqual(inOnePiece(decoderOf('lines'), input))
  })

  test('writes nothing of the value that is wrong', () => {
    const input = Buffer.from('{"a": 1}\n{"b": 1, "__proto__": 2}\n')
    expect(inParts(decoderOf('ndjson'), input, [5])).toMatchObject({
      text: '{"a":1}\n',
      failure: { code: 'PARSE_FAILED', offset: 18 },
    })
  })

  test('bounds one value, not all of them', () => {
    const short = Buffer.from('"12345"\n'.repeat(100))
    expect(inParts(decoderOf('ndjson'), short, [13], 8)).toEqual(inOnePiece(decoderOf('ndjson'), short))
    for (const sizes of [[1], [1_000]])
      expect(inParts(decoderOf('ndjson'), Buffer.from('1\n"1234567890"\n'), sizes, 8)).toEqual({
        text: '1\n',
        failure: expect.objectContaining({ code: 'PARSE_LIMIT', offset: 10 }),
      })
  })

  test('takes nothing of an input whose format sees all of it at once', () => {
    const whole: Decoder = { ...decoderOf('lines'), whole: input => [input.length] }
    const part = { ...INPUT_START, pieces: [Buffer.from('ab')], isLast: false }
    expect(writePart(whole, part, BYTES_MAX)).toEqual({ kind: 'whole', rest: part })
    expect(decodeAll(whole, Buffer.from('ab'))).toEqual([2])
  })
})
