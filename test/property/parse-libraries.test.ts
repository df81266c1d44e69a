/** What formats make of bytes, beside what their libraries make of them by themselves. */
import { type Options, parse } from 'csv-parse/sync'
import { array, assert, constantFrom, property, record, string } from 'fast-check'
import { type SaxesOptions, SaxesParser } from 'saxes'
import { describe, expect, test } from 'vitest'
import { SockpoolError } from '../../src/base/errors.ts'
import { decodeAll } from '../../src/parse/formats/decode-all.ts'
import type { Decoder } from '../../src/parse/formats/format.ts'
import { openDecoder } from '../support/decoders.ts'
import { noiseFor } from '../support/format-noise.ts'
import { cutByByte } from '../support/messages.ts'

function attempt<T>(read: () => T, isExpected: (error: unknown) => boolean): T | null {
  try {
    return read()
  } catch (error) {
    if (isExpected(error)) return null
    throw error
  }
}

const valuesOf = (decoder: Decoder, text: string) =>
  attempt(
    () => decodeAll(decoder, Buffer.from(text)),
    error => error instanceof SockpoolError,
  )

describe('csv beside csv-parse', () => {
  test.each<[Record<string, unknown>, Options]>([
    [{}, {}],
    [{ trim: true }, { trim: true }],
    [{ skipEmptyLines: true }, { skip_empty_lines: true }],
    [{ comment: '#' }, { comment: '#', comment_no_infix: true }],
    [
      { escape: '\\', delimiter: ';' },
      { escape: '\\', delimiter: ';' },
    ],
    [{ relaxQuotes: true }, { relax_quotes: true }],
    [{ quote: '' }, { quote: null }],
  ])('reads the same records, or refuses, with %j', async (own, others) => {
    const decoder = await openDecoder('csv', own)
    const theirs: Options = { record_delimiter: ['\r\n', '\n', '\r'], relax_column_count: true, ...others }
    const cases = property(noiseFor('csv', 30), noise => {
      // A byte order mark is more to it within an input, and less to us; NUL it takes for the end.
      const text = noise.replaceAll(/[\ufeff\0]/g, '')
      const expected = attempt(
        () => parse(text, theirs),
        error => error instanceof Error && 'code' in error,
      )
      const actual = valuesOf(decoder, text)
      if (actual !== null) expect(actual).toEqual(expected)
      else if (expected !== null) expect(text).toMatch(own['quote'] === '' ? /never/ : /"/)
    })
    await assert(cases, { numRuns: 5_000 })
  })

  test('reads back whatever is written as RFC 4180 says', async () => {
    const decoder = await openDecoder('csv')
    const field = string({ unit: constantFrom(...'", \r\n\taé😀'), maxLength: 6 })
    const rows = array(array(field, { minLength: 1, maxLength: 4 }), { maxLength: 5 })
    const cases = property(rows, constantFrom('\n', '\r\n', '\r'), (records, end) => {
      const text = records
        .map(fields => fields.map(value => `"${value.replaceAll('"', '""')}"`).join(',') + end)
        .join('')
      expect(valuesOf(decoder, text)).toEqual(records)
    })
    await assert(cases, { numRuns: 2_000 })
  })
})

type Node = { name: string; attributes: Record<string, string>; children: (string | Node)[] }

/** The tree of a document as saxes tells of it; null for one that it refuses, or that has a type. */
function treeOf(text: string): Node | null {
  const parser = new SaxesParser<SaxesOptions>()
  const root: Node = { name: '', attributes: {}, children: [] }
  const open = [root]
  const addText = (part: string): void => {
    const children = open.at(-1)?.children ?? []
    const last = children.at(-1)
    if (typeof last === 'string') children[children.length - 1] = last + part
    else if (part !== '' && open.length > 1) children.push(part)
  }
  let isRefused = false
  parser.on('error', () => {
    isRefused = true
  })
  parser.on('doctype', () => {
    isRefused = true
  })
  parser.on('text', addText)
  parser.on('cdata', addText)
  parser.on('opentag', ({ name, attributes }) => {
    const node: Node = { name, attributes: { ...attributes } as Record<string, string>, children: [] }
    open.at(-1)?.children.push(node)
    open.push(node)
  })
  parser.on('closetag', () => {
    if (open.length > 1) open.pop()
  })
  parser.write(text).close()
  const [tree] = root.children
  return isRefused || typeof tree !== 'object' ? null : tree
}

describe('xml beside saxes', () => {
  test('reads the same documents, and refuses the same', async () => {
    const decoder = await openDecoder('xml', { shape: 'nodes' })
    const noise = record({ inside: noiseFor('xml', 20), isWrapped: constantFrom(true, true, false) })
    const cases = property(noise, ({ inside, isWrapped }) => {
      const text = isWrapped ? `<r>${inside}</r>` : inside.trimStart()
      const expected = treeOf(text)
      const actual = valuesOf(decoder, text)
      if (expected !== null) expect(actual).toEqual([expected])
      // Each of several documents is one by itself, without what may stand in front of it.
      if (actual === null) return
      const documents = cutByByte(decoder, Buffer.from(text)).map(String)
      expect(documents.map(document => treeOf(document.replace(/^\ufeff?[ \t\r\n]*/, '')))).toEqual(actual)
    })
    await assert(cases, { numRuns: 10_000 })
  })
})
