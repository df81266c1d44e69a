/** Inputs that are made to harm whoever parses them: few bytes that claim, nest or repeat more than anybody can hold. */
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib'

export type HostileInput = {
  /** What it does. */
  readonly name: string
  readonly format: string
  readonly options?: object
  /** Made when it is used, as all of them together are large. */
  readonly bytes: () => Buffer
}

const MIB = 1_048_576

const text = (value: string) => (): Buffer => Buffer.from(value)
const repeated = (piece: string | Buffer, count: number) => (): Buffer =>
  Buffer.alloc(Buffer.byteLength(piece) * count, piece)
const joined =
  (...pieces: readonly (string | Buffer | (() => Buffer))[]) =>
  (): Buffer =>
    Buffer.concat(pieces.map(piece => (typeof piece === 'function' ? piece() : Buffer.from(piece))))
const hex = (digits: string) => (): Buffer => Buffer.from(digits, 'hex')

const inputs = (
  format: string,
  cases: Readonly<Record<string, () => Buffer>>,
  options?: object,
): HostileInput[] =>
  Object.entries(cases).map(([name, bytes]) => ({ name, format, bytes, ...(options && { options }) }))

const ENTITIES = Array.from(
  { length: 9 },
  (_, level) => `<!ENTITY e${level + 1} "${`&e${level};`.repeat(10)}">`,
)

export const HOSTILE_INPUTS: readonly HostileInput[] = [
  ...inputs('json', {
    'a million open brackets': repeated('[', 1_000_000),
    'a million open objects': repeated('{"a":', 1_000_000),
    'brackets in turn, closed again': joined(repeated('[', 100_000), repeated(']', 100_000)),
    'five million empty objects': joined('[', repeated('{},', 5_000_000), '{}]'),
    'eight million numbers': joined('[', repeated('1,', 8_000_000 - 2), '1]'),
    'two million texts, one after another': repeated('1 ', 2_000_000),
    'a key that is the prototype': text('{"a":[{"__proto__":{"isAdmin":true}}]}'),
    'the same, escaped': text('{"\\u005f\\u005fproto__":1}'),
    "a constructor's prototype": text('{"constructor":{"prototype":{"isAdmin":true}}}'),
    'a number of fifteen million digits': repeated('9', 15_000_000),
    'an exponent beyond every double': text('[1e999999999]'),
    'bytes that are no UTF-8': joined('["', hex('c328'), '"]'),
    'an overlong slash': joined('["', hex('c0af'), '"]'),
    'UTF-16': (): Buffer => Buffer.from('\ufeff{"a":1}', 'utf16le'),
    'a text without its end': joined('["', repeated('\\"', 7_000_000)),
    'NUL between values': joined('[1,', hex('00'), '2]'),
  }),
  ...inputs(
    'json',
    { 'two hundred thousand equal keys': joined('{', repeated('"a":1,', 200_000), '"a":1}') },
    { duplicates: 'error' },
  ),
  ...inputs('ndjson', {
    'four million lines': repeated('1\n', 4_000_000),
    'a line that nests': joined('1\n', repeated('[', 100_000), '\n'),
    'half a line at the end': text('{"a":1}\n{"a"'),
  }),
  ...inputs('lines', {
    'eight million empty lines': repeated('\n', 8_000_000),
    'a line that is no text': joined('fine\n', hex('ff'), '\n'),
  }),
  ...inputs('csv', {
    'an odd flood of quotes': repeated('"', 9_999_999),
    'a quote that nobody closes': joined('"', repeated('a,b\n', 3_000_000)),
    'ten million fields': repeated(',', 10_000_000),
    'quotes within what has none': repeated('a"b,', 1_000_000),
  }),
  ...inputs(
    'csv',
    {
      'a column that is the prototype': text('__proto__,b\n1,2\n'),
      'rows of all widths': text('a,b\n1\n1,2,3\n'),
    },
    { header: true },
  ),
  ...inputs('xml', {
    'a billion laughs': text(`<!DOCTYPE a [<!ENTITY e0 "lol">${ENTITIES.join('')}]><a>&e9;</a>`),
    'a file of the host': text('<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>'),
    'a document type elsewhere': text('<!DOCTYPE a SYSTEM "http://127.0.0.1/a.dtd"><a/>'),
    'an entity that nobody declared': text('<a>&nobody;</a>'),
    'a million open elements': repeated('<a>', 1_000_000),
    'two million elements': joined('<a>', repeated('<b/>', 2_000_000), '</a>'),
    'an element that is the prototype': text('<a><__proto__>1</__proto__></a>'),
    'an end without its start': text('<a></b>'),
  }),
  ...inputs('resp', {
    'a text of two gigabytes': text('$2147483648\r\nab'),
    'a list of four billion': text('*4294967295\r\n:1\r\n'),
    'a length beyond every number': text(`$${'9'.repeat(400)}\r\n`),
    'a negative length': text('$-5\r\n'),
    'a hundred thousand lists in one another': repeated('*1\r\n', 100_000),
    'two million values in one list': joined('*2000000\r\n', repeated(':1\r\n', 2_000_000)),
    'a key that is the prototype': text('%1\r\n+__proto__\r\n:1\r\n'),
    'a line without its end': repeated('+aaaaaaaa', 1_000_000),
  }),
  ...inputs('msgpack', {
    'a list of four billion': hex('ddffffffff'),
    'a map of four billion': hex('dfffffffff'),
    'bytes of four gigabytes': hex('c6ffffffff00'),
    'a text of four gigabytes': hex('dbffffffff61'),
    'an extension of four gigabytes': hex('c9ffffffff0100'),
    'a hundred thousand lists in one another': repeated(Buffer.of(0x91), 100_000),
    'a byte that means nothing': hex('c1'),
    'a key that is the prototype': joined(hex('81a9'), '__proto__', hex('01')),
  }),
  ...inputs('http1', {
    'a chunk of 2^64 bytes': text(
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffff\r\na',
    ),
    'two lengths': text('HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab'),
    'a length and chunks': text(
      'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
    ),
    'a negative length': text('HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n'),
    'a million fields': joined('HTTP/1.1 200 OK\r\n', repeated('a: b\r\n', 1_000_000), '\r\n'),
    'a flood of chunk extensions': joined(
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1',
      repeated(';a=b', 1_000_000),
    ),
  }),
  ...inputs('smtp', {
    'a reply that goes on for ever': repeated('250-more\r\n', 1_000_000),
    'a reply of two codes': text('250-one\r\n550 two\r\n'),
  }),
  ...inputs('memcached', {
    'a value of two gigabytes': text('VALUE k 0 2147483648\r\nab'),
    'a value that is shorter than it says': text('VALUE k 0 2\r\nabcdef\r\nEND\r\n'),
  }),
  ...inputs('length-prefixed', {
    'a message of four gigabytes': hex('ffffffff00'),
    'a message that is cut off': hex('0000000a00'),
  }),
  ...(['gzip', 'deflate', 'br', 'zstd'] as const).flatMap(decompress => {
    const compress = { gzip: gzipSync, deflate: deflateSync, br: brotliCompressSync, zstd: zstdCompressSync }
    return inputs(
      'lines',
      { [`${decompress} of two hundred million zeros`]: () => compress[decompress](Buffer.alloc(200 * MIB)) },
      { decompress },
    )
  }),
  ...inputs('json', { 'gzip in gzip': () => gzipSync(gzipSync('[1]')) }, { decompress: 'gzip' }),
  ...inputs('json', { 'half a gzip': () => gzipSync('[1]').subarray(0, 15) }, { decompress: 'gzip' }),
]
