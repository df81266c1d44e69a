import { array, assert, constantFrom, integer, jsonValue, property } from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SockpoolError } from '../../src/base/errors.ts'
import { decodeAll } from '../../src/parse/formats/decode-all.ts'
import type { Decoder } from '../../src/parse/formats/format.ts'
import { isBlank, JsonScanner } from '../../src/parse/formats/json-scanner.ts'
import { readMessage, type Turn } from '../../src/parse/formats/read-message.ts'
import { FORMAT_NAMES } from '../../src/parse/formats/registry.ts'
import { ScriptedSource } from '../fixtures/streams/scripted-source.ts'
import { decoderOf, openDecoder } from '../support/decoders.ts'
import { FORMAT_OPTIONS, noiseFor } from '../support/format-noise.ts'

type Reading = { values: unknown[]; failure: string | null }

function whole(decoder: Decoder, input: Buffer): Reading {
  const values: unknown[] = []
  try {
    return { values: decodeAll(decoder, input), failure: null }
  } catch (error) {
    if (error instanceof SockpoolError) return { values, failure: error.code }
    throw error
  }
}

const TURN: Turn = {
  bytesMax: 1_048_576,
  decodeBytesMax: 1_048_576,
  patienceMs: Number.POSITIVE_INFINITY,
  seen: null,
}

/** The same input from a peer that sends it in pieces and then ends. */
function piecewise(decoder: Decoder, input: Buffer, sizes: number[]): Reading {
  const pieces: Buffer[] = []
  for (let start = 0, turn = 0; start < input.length; turn++) {
    const size = sizes[turn % sizes.length] ?? 1
    pieces.push(input.subarray(start, start + size))
    start += size
  }
  const source = new ScriptedSource(...pieces, { kind: 'fin' })
  const values: unknown[] = []
  for (;;) {
    try {
      const result = readMessage(source, decoder, TURN, Number.POSITIVE_INFINITY)
      if (result.kind === 'message') values.push(result.value)
    } catch (error) {
      if (!(error instanceof SockpoolError)) throw error
      const clean = 'partial' in error && error.partial instanceof Buffer && error.partial.length === 0
      return { values, failure: clean ? null : error.code }
    }
  }
}

function isOneText(text: string): boolean {
  const bytes = Buffer.from(text)
  const scanner = new JsonScanner()
  try {
    const length = scanner.push(bytes) || scanner.finish()
    return typeof length === 'number' && bytes.subarray(length).every(isBlank)
  } catch {
    return false
  }
}

function isParsed(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

const sizes = array(integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 8 })
/** It cannot be opened without options, and parse-binary.test.ts has noise of its own for it. */
const names = FORMAT_NAMES.filter(name => name !== 'protobuf')
const subjects = [...names.map(name => [name, {}] as const), ...FORMAT_OPTIONS]

describe.each(subjects)('%s with %j', (format, options) => {
  test('reads the same from any chunks as from one piece', async () => {
    const decoder = await openDecoder(format, options)
    const cases = property(noiseFor(format, 40), sizes, (text, pieces) => {
      const input = Buffer.from(text)
      const expected = whole(decoder, input)
      const actual = piecewise(decoder, input, pieces)
      if (expected.failure === null) expect(actual).toEqual(expected)
      else expect(actual.failure).not.toBeNull()
    })
    await assert(cases, { numRuns: 3_000 })
  })
})

describe('json', () => {
  test('has an end exactly where JSON.parse takes the text', async () => {
    const cases = property(noiseFor('json', 6), text => {
      expect(isOneText(text)).toBe(isParsed(text))
    })
    await assert(cases, { numRuns: 20_000 })
  })

  test('brings back every value that JSON can hold, in any layout and any chunks', async () => {
    const cases = property(
      array(jsonValue({ maxDepth: 5 }), { maxLength: 4 }),
      constantFrom(0, 1, '\t'),
      sizes,
      (values, indent, pieces) => {
        const texts = values.map(value => JSON.stringify(value, null, indent))
        if (texts.some(text => text.includes('"__proto__"'))) return
        const input = Buffer.from(texts.join('\n'))
        const expected = { values: texts.map(text => JSON.parse(text)), failure: null }
        expect(piecewise(decoderOf('json'), input, pieces)).toEqual(expected)
        if (indent === 0) expect(piecewise(decoderOf('ndjson'), input, pieces)).toEqual(expected)
      },
    )
    await assert(cases, { numRuns: 2_000 })
  })
})
