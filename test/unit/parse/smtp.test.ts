import { describe, expect, test } from 'vitest'
import { LIMITS } from '../../../src/base/limits.ts'
import { decodeAll, writeAll } from '../../../src/parse/formats/decode-all.ts'
import { thrown } from '../../fixtures/thrown.ts'
import { decoderOf } from '../../support/decoders.ts'
import { messagesOf, valuesByByte } from '../../support/messages.ts'

const LINES = { before: '', between: '', end: '\n', after: '' }

const reply = (code: number, ...lines: string[]) => ({ code, lines, text: lines.join('\n') })

describe('smtp', () => {
  test.each<[string, string, unknown[]]>([
    ['nothing', '', []],
    ['a greeting', '220 mail.example.org ESMTP\r\n', [reply(220, 'mail.example.org ESMTP')]],
    ['a code alone', '250\r\n', [reply(250, '')]],
    ['a code and a space', '250 \r\n', [reply(250, '')]],
    [
      'several lines',
      '250-mail\r\n250-SIZE 1000\r\n250-\r\n250 8BITMIME\r\n',
      [reply(250, 'mail', 'SIZE 1000', '', '8BITMIME')],
    ],
    ['several replies', '250 ok\r\n354 go on\r\n', [reply(250, 'ok'), reply(354, 'go on')]],
    [
      'an enhanced code',
      '550-5.1.1 no such user\r\n550 5.1.1 here\r\n',
      [{ ...reply(550, '5.1.1 no such user', '5.1.1 here'), enhanced: '5.1.1' }],
    ],
    ['an enhanced code alone', '250 2.0.0\r\n', [{ ...reply(250, '2.0.0'), enhanced: '2.0.0' }]],
    [
      'a number that is no enhanced code',
      '220 5.1.1 servers\r\n220 2.0 it is\r\n220 2.0.0.1\r\n',
      [reply(220, '5.1.1 servers'), reply(220, '2.0 it is'), reply(220, '2.0.0.1')],
    ],
    ['UTF-8', '250 grüß dich 😀\r\n', [reply(250, 'grüß dich 😀')]],
  ])('reads %s', (_, input, values) => {
    const decoder = decoderOf('smtp')
    expect(decodeAll(decoder, Buffer.from(input))).toEqual(values)
    expect(valuesByByte(decoder, Buffer.from(input))).toEqual(values)
    const texts = messagesOf(decoder.text, Buffer.from(input), decoder.text.write)
    expect(texts.map(text => JSON.parse(text))).toEqual(values)
    const written = Buffer.from(writeAll(decoder, Buffer.from(input), LINES)).toString()
    expect(written).toBe(texts.map(text => `${text}\n`).join(''))
  })

  test('reads what is not UTF-8 as Latin 1', () => {
    const values = decodeAll(decoderOf('smtp'), Buffer.from('250 gr\xfc\xdfe\r\n', 'latin1'))
    expect(values).toEqual([reply(250, 'grüße')])
  })

  test.each([
    ['a line without a code', 'hello\r\n'],
    ['a code that is none', '600 x\r\n'],
    ['codes that differ', '250-a\r\n251 b\r\n'],
    ['an LF alone', '250 a\n'],
    ['a NUL', '250 \0\r\n'],
    ['an end within a reply', '250-a\r\n'],
    ['a line without end', `250 ${'a'.repeat(LIMITS.frameSmtpLineBytesMax)}\r\n`],
  ])('refuses %s', (_, input) => {
    const failure = thrown(() => decodeAll(decoderOf('smtp'), Buffer.from(input)))
    expect(failure).toMatchObject({ code: 'PARSE_FAILED', offset: expect.any(Number) })
  })

  test('bounds the lines of a reply', () => {
    const flood = Buffer.from('250-\r\n'.repeat(LIMITS.parseElementsMax + 1).concat('250 \r\n'))
    const failure = thrown(() => decodeAll(decoderOf('smtp'), flood))
    expect(failure).toMatchObject({ code: 'PARSE_LIMIT', offset: LIMITS.parseElementsMax * 6 })
  })
})
