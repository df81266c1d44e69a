import { describe, expect, test } from 'vitest'
import { LIMITS } from '../../../src/base/limits.ts'
import { decodeAll, writeAll } from '../../../src/parse/formats/decode-all.ts'
import { configureMessages, findFormat } from '../../../src/parse/formats/registry.ts'
import { CSV_CASES, CSV_HEADER_CASES } from '../../fixtures/parse/csv-acid.ts'
import { thrown } from '../../fixtures/thrown.ts'
import { openDecoder } from '../../support/decoders.ts'
import { messagesOf, valuesByByte } from '../../support/messages.ts'

const LIST = { before: '[', between: ',', end: '', after: ']' }

async function valuesOf(input: string | Buffer, options: unknown = {}): Promise<unknown[]> {
  return decodeAll(await openDecoder('csv', options), Buffer.from(input))
}

async function failureOf(input: string | Buffer, options: unknown = {}): Promise<unknown> {
  const decoder = await openDecoder('csv', options)
  return thrown(() => decodeAll(decoder, Buffer.from(input)))
}

describe('csv', () => {
  test.each([...CSV_CASES, ...CSV_HEADER_CASES])('reads $name', async ({ input, options, values }) => {
    const decoder = await openDecoder('csv', options)
    expect(decodeAll(decoder, Buffer.from(input))).toEqual(values)
    const text = Buffer.from(writeAll(decoder, Buffer.from(input), LIST)).toString()
    expect(text).toBe(JSON.stringify(values))
  })

  test.each(CSV_CASES)('reads $name from single bytes', async ({ input, options, values }) => {
    const decoder = await openDecoder('csv', options)
    expect(valuesByByte(decoder, Buffer.from(input))).toEqual(values)
    expect(messagesOf(decoder.text, Buffer.from(input), decoder.text.write)).toEqual(
      values.map(value => JSON.stringify(value)),
    )
  })

  test('hands out records as it finds them', async () => {
    const { whole } = await openDecoder('csv')
    const broken = Buffer.from(`${'a,b\n'.repeat(LIMITS.csvBatchBytes)}x"`)
    const records = whole?.(broken)[Symbol.iterator]()
    for (let count = 0; count < LIMITS.csvBatchBytes / 2; count++)
      expect(records?.next().value).toEqual(['a', 'b'])
  })

  test('reads records across all borders of its batches', async () => {
    const records = Array.from({ length: 60_000 }, (_, index) => [`${index}`, 'x'.repeat(index % 7), '"\n'])
    const text = records.map(([a, b]) => `#\n${a},${b},"""\n"\r`).join('')
    expect(await valuesOf(text, { comment: '#' })).toEqual(records)
    expect(await valuesOf(text.replaceAll('#\n', ''))).toEqual(records)
  })

  test.each([
    ['a quote within a field', 'a\nb"c\n', 3],
    ['more behind a closing quote', 'a,"b"c\n', 5],
    ['a quote behind white space', 'a, "b"\n', 3],
    ['white space behind a closing quote', '"a" ,b\n', 3],
    ['a NUL behind a closing quote', '"a"\0\n', 3],
    ['an end within quotes', 'a\n"b', 4],
    ['bytes that are not UTF-8', Buffer.from('é\na\xff', 'latin1'), 0],
    ['bytes that are not UTF-8, later', Buffer.from([0x61, 0x0a, 0x62, 0xff, 0x0a]), 3],
    ['UTF-16', Buffer.from('\ufeffa,b\n', 'utf16le'), 0],
  ])('tells where there is %s', async (_, input, offset) => {
    expect(await failureOf(input)).toMatchObject({ code: 'PARSE_FAILED', offset })
  })

  test.each([
    ['a row shorter than the header', 'a,b\n1,2\n3\n', 8],
    ['a row longer than the header', 'a,b\n1,2,3\n', 4],
    ['an empty line', 'a,b\n\n', 4],
    ['a column twice', 'a,b,a\n1,2,3\n', 0],
    ['a column __proto__', 'a,__proto__\n1,2\n', 0],
    ['a column constructor', '"constructor"\n1\n', 0],
  ])('tells where there is %s', async (_, input, offset) => {
    expect(await failureOf(input, { header: true })).toMatchObject({ code: 'PARSE_FAILED', offset })
  })

  test('changes no prototype', async () => {
    const [value] = await valuesOf('polluted\nyes\n', { header: true })
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
    expect(({} as { polluted?: string }).polluted).toBeUndefined()
  })

  test('bounds the fields of a record before it is taken apart, and the records', async () => {
    const most = LIMITS.parseElementsMax
    expect(await failureOf(','.repeat(most))).toMatchObject({ code: 'PARSE_LIMIT', offset: most - 1 })
    expect(await failureOf('\n'.repeat(most + 1))).toMatchObject({ code: 'PARSE_LIMIT' })
    expect((await valuesOf(','.repeat(999)))[0]).toHaveLength(1_000)
  })

  test('takes no more than linear time for quotes without end', async () => {
    const mebi = 1_048_576
    const flood = '"'.repeat(8 * mebi)
    const [[field] = []] = (await valuesOf(flood)) as string[][]
    expect(field).toHaveLength(4 * mebi - 1)
    expect(await failureOf(`${flood}"`)).toMatchObject({ code: 'PARSE_FAILED', offset: 8 * mebi + 1 })
    expect(await failureOf(`a${flood}`)).toMatchObject({ code: 'PARSE_FAILED', offset: 1 })
    expect(await valuesOf(`a${flood}`, { relaxQuotes: true })).toEqual([[`a${flood}`]])
  })

  test.each([
    [{ delimiter: '' }, 'delimiter'],
    [{ delimiter: ',,' }, 'delimiter'],
    [{ delimiter: '§' }, 'delimiter'],
    [{ delimiter: '\n' }, 'delimiter'],
    [{ delimiter: '\0' }, 'delimiter'],
    [{ delimiter: '"' }, 'quote'],
    [{ delimiter: 1 }, 'delimiter'],
    [{ quote: ',' }, 'quote'],
    [{ quote: ' ' }, 'quote'],
    [{ quote: null }, 'quote'],
    [{ escape: '' }, 'escape'],
    [{ escape: ',' }, 'escape'],
    [{ quote: '', escape: '\\' }, 'escape'],
    [{ comment: '"' }, 'comment'],
    [{ comment: '//' }, 'comment'],
    [{ escape: '#', comment: '#' }, 'comment'],
    [{ header: 'yes' }, 'header'],
    [{ trim: 1 }, 'trim'],
    [{ columns: [] }, 'columns'],
    [{ columns: ['a', 'a'] }, 'columns'],
    [{ columns: ['a', 1] }, 'columns'],
    [{ columns: ['a', '__proto__'] }, 'columns'],
    [{ columns: 'a,constructor' }, 'columns'],
    [{ columns: 7 }, 'columns'],
    [{ columns: new Array(3) }, 'columns'],
    [{ columns: ['x'.repeat(LIMITS.formatNameCharsMax + 1)] }, 'columns'],
    [{ quotes: '"' }, 'quotes'],
  ])('refuses the options %j', (options, name) => {
    expect(thrown(() => findFormat('csv').configure(options))).toMatchObject({
      code: 'INVALID_REQUEST',
      errors: [{ path: `options.${name}` }],
    })
  })

  test('needs the whole input for a header, and none for columns', () => {
    expect(thrown(() => configureMessages('csv', { header: true }))).toMatchObject({
      code: 'INVALID_REQUEST',
      errors: [{ path: 'options.header' }],
    })
    expect(configureMessages('csv', { header: false, columns: ['a'] })).toBeDefined()
  })
})
