/** Bytes that look like a format's, mostly broken; and the options under which each is looked at. */
import { type Arbitrary, array, constantFrom, oneof, string } from 'fast-check'

/** The pieces that noise is made of, in UTF-8. */
const PIECES: Readonly<Record<string, readonly string[]>> = {
  csv: [...'",;\\# \t\r\nabé😀\ufeff', '\r\n', '""', '"a"', 'a,b\n', '"a\n"', '\0'],
  http1: [
    ...['HTTP/1.1 200 OK\r\n', 'HTTP/1.0 200\r\n', 'HTTP/1.1 204 No Content\r\n', 'HTTP/1.1 100\r\n'],
    ...['Content-Length: 2\r\n', 'Transfer-Encoding: chunked\r\n', 'X: 1\r\n', 'x:\r\n', '\r\n', '\r\n\r\n'],
    ...['1\r\nx\r\n', '2;a\r\nxy\r\n', '0\r\n', 'xy', 'é', '\n', ' '],
  ],
  json: [...'{[]",:\\u0129.-+eE \r\ntruefalsn😀', 'null', '[1', '"a"'],
  smtp: ['250', '250-', '250 ', '2.1.0', '550-5.1.1', '\r\n', '\r\n', '\n', '\r', 'x', 'é', ' ', '-', '\0'],
  xml: [
    ...[
      '<a>',
      '</a>',
      '<a/>',
      '<b c="1">',
      "<b c='>'/>",
      '</b>',
      '<!-- ',
      '-->',
      '-',
      '<![CDATA[',
      ']]>',
      ']',
    ],
    ...[
      '<?x ',
      '?>',
      '<?xml version="1.0"?>',
      '<!DOCTYPE a>',
      '&amp;',
      '&#65;',
      '&x;',
      ' ',
      '\n',
      '\r',
      'é',
      '<',
    ],
    ...['>', '/', '"', 't', '\ufeff'],
  ],
}

/** Bytes like JSON for a format that has none of its own, and for any format once in a while. */
export function noiseFor(format: string, maxLength: number): Arbitrary<string> {
  const json = string({ unit: constantFrom(...(PIECES['json'] ?? [])), maxLength })
  const own = PIECES[format]
  if (own === undefined || format === 'json') return json
  const piece = constantFrom(...own)
  return oneof(
    { weight: 9, arbitrary: array(piece, { maxLength }).map(pieces => pieces.join('')) },
    { weight: 1, arbitrary: json },
  )
}

/** What a format is looked at with, beside its defaults. */
export const FORMAT_OPTIONS: readonly (readonly [
  format: string,
  options: Readonly<Record<string, unknown>>,
])[] = [
  ['csv', { trim: true, comment: '#', skipEmptyLines: true }],
  ['csv', { delimiter: ';', escape: '\\', relaxQuotes: true }],
  ['csv', { quote: '', delimiter: '\t', comment: '#' }],
  ['csv', { columns: ['a', 'b'], relaxColumnCount: true }],
  ['http1', { method: 'HEAD' }],
  ['xml', { shape: 'nodes' }],
]
