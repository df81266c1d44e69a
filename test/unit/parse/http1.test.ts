import { request } from 'node:http'
import { type AddressInfo, createServer } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { LIMITS } from '../../../src/base/limits.ts'
import { decodeAll, writeAll } from '../../../src/parse/formats/decode-all.ts'
import { findFormat } from '../../../src/parse/formats/registry.ts'
import { thrown } from '../../fixtures/thrown.ts'
import { decoderOf } from '../../support/decoders.ts'
import { messagesOf, valuesByByte } from '../../support/messages.ts'

const LIST = { before: '[', between: ',', end: '', after: ']' }

const bytes = (...lines: string[]) => Buffer.from(lines.join('\r\n'), 'latin1')

/** Responses that end by themselves, each as a peer sends it. */
const RESPONSES: [name: string, input: Buffer, method?: string][] = [
  ['a body of so many bytes', bytes('HTTP/1.1 200 OK', 'Content-Length: 5', '', 'hello')],
  ['no body', bytes('HTTP/1.1 200 OK', 'Content-Length: 0', '', '')],
  ['no reason', bytes('HTTP/1.1 404 ', 'content-length: 0', '', '')],
  ['a reason of several words', bytes('HTTP/1.1 404 Not Found at all', 'content-length: 0', '', '')],
  ['HTTP/1.0', bytes('HTTP/1.0 200 OK', 'Content-Length: 2', '', 'hi')],
  [
    'chunks',
    bytes(
      'HTTP/1.1 200 OK',
      'Transfer-Encoding: chunked',
      '',
      '5',
      'hello',
      'A;x="y"',
      '0123456789',
      '0',
      '',
      '',
    ),
  ],
  [
    'trailers',
    bytes('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked', '', '1', 'x', '0', 'One: 1', 'ONE:  2 ', '', ''),
  ],
  [
    'fields of one name',
    bytes(
      'HTTP/1.1 200 OK',
      'Set-Cookie: a=1',
      'X: 1',
      'set-cookie:\tb=2 ',
      'x: 2',
      'Content-Length: 0',
      '',
      '',
    ),
  ],
  ['empty values', bytes('HTTP/1.1 200 OK', 'X:', 'Y:   ', 'Content-Length: 0', '', '')],
  ['values with colons and blanks', bytes('HTTP/1.1 200 OK', 'X:  a: b \t c  ', 'Content-Length: 0', '', '')],
  ['values beyond ASCII', bytes('HTTP/1.1 200 OK', 'X: gr\xfc\xdfe', 'Content-Length: 0', '', '')],
  [
    'names that objects have by themselves',
    bytes('HTTP/1.1 200 OK', 'constructor: 1', 'toString: 2', 'Content-Length: 0', '', ''),
  ],
  ['a response to HEAD', bytes('HTTP/1.1 200 OK', 'Content-Length: 5', '', ''), 'HEAD'],
  ['a chunked response to HEAD', bytes('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked', '', ''), 'HEAD'],
  ['204', bytes('HTTP/1.1 204 No Content', 'X: 1', '', '')],
  ['304', bytes('HTTP/1.1 304 Not Modified', 'Content-Length: 5', '', '')],
  [
    'a response behind interim ones',
    bytes(
      'HTTP/1.1 100 Continue',
      '',
      'HTTP/1.1 103 Early Hints',
      'Link: </a>',
      '',
      'HTTP/1.1 200 OK',
      'Content-Length: 2',
      '',
      'hi',
    ),
  ],
  [
    'bytes of all values',
    Buffer.concat([
      bytes('HTTP/1.1 200 OK', 'Content-Length: 256', '', ''),
      Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)),
    ]),
  ],
]

/** What Node's own client makes of the same bytes. */
async function readByNode(input: Buffer, method: string) {
  const server = createServer(socket => socket.once('data', () => socket.write(input)))
  onTestFinished(() => void server.close())
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return new Promise((resolve, reject) => {
    const outgoing = request({ port, host: '127.0.0.1', method, agent: false }, response => {
      const chunks: Buffer[] = []
      response.on('data', chunk => chunks.push(chunk))
      response.on('end', () => {
        response.socket.destroy()
        const { httpVersion: version, statusCode: status, statusMessage: reason } = response
        resolve({
          ...{ version, status, reason, rawHeaders: response.rawHeaders, rawTrailers: response.rawTrailers },
          headers: { ...response.headersDistinct },
          trailers: { ...response.trailersDistinct },
          body: Buffer.concat(chunks).toString('base64'),
        })
      })
    })
    outgoing.on('error', reject).end()
  })
}

describe('http1', () => {
  test.each(RESPONSES)('reads %s as Node does', async (_, input, method = 'GET') => {
    const decoder = decoderOf('http1', { encoding: 'base64', method })
    const values = decodeAll(decoder, input)
    expect(values).toHaveLength(1)
    const { interim, ...own } = values[0] as { interim: unknown[] }
    expect(own).toEqual(await readByNode(input, method))
    expect(interim).toHaveLength(input.toString('latin1').split(/HTTP\/1.1 1/).length - 1)
    expect(valuesByByte(decoder, Buffer.concat([input, input]))).toEqual([...values, ...values])
    const texts = messagesOf(decoder.text, input, decoder.text.write)
    expect(texts).toEqual([JSON.stringify(values[0])])
    expect(Buffer.from(writeAll(decoder, input, LIST)).toString()).toBe(`[${texts}]`)
  })

  test('gives interim responses beside the one that they told of', () => {
    const input = bytes('HTTP/1.1 103 Early Hints', 'Link: </a>', '', 'HTTP/1.1 204 No Content', '', '')
    expect(decodeAll(decoderOf('http1'), input)).toEqual([
      {
        version: '1.1',
        status: 204,
        reason: 'No Content',
        headers: {},
        rawHeaders: [],
        trailers: {},
        rawTrailers: [],
        interim: [
          {
            version: '1.1',
            status: 103,
            reason: 'Early Hints',
            headers: { link: ['</a>'] },
            rawHeaders: ['Link', '</a>'],
          },
        ],
        body: '',
      },
    ])
  })

  test('undoes chunks wherever chunked is the last coding', () => {
    const input = bytes(
      'HTTP/1.1 200 OK',
      'Transfer-Encoding: gzip',
      'Transfer-Encoding: chunked',
      '',
      '3',
      'abc',
      '0',
      '',
      '',
    )
    expect(decodeAll(decoderOf('http1'), input)).toMatchObject([{ body: 'abc' }])
  })

  test('takes all to the end of the input where nothing tells of an end', () => {
    const input = bytes('HTTP/1.1 200 OK', '', 'all of it')
    expect(decodeAll(decoderOf('http1'), input)).toMatchObject([{ body: 'all of it' }])
    expect(valuesByByte(decoderOf('http1'), input)).toMatchObject([{ body: 'all of it' }])
    expect(
      decodeAll(decoderOf('http1', { method: 'CONNECT' }), bytes('HTTP/1.1 200 OK', '', '')),
    ).toMatchObject([{ body: '' }])
  })

  test('gives the body in the form that is asked for', () => {
    const input = bytes('HTTP/1.1 200 OK', 'Content-Length: 2', '', '\xfe\xff')
    const bodyAs = (encoding?: string) =>
      (decodeAll(decoderOf('http1', encoding ? { encoding } : {}), input)[0] as { body: unknown }).body
    expect(bodyAs()).toEqual({ base64: '/v8=' })
    expect(bodyAs('hex')).toBe('feff')
    expect(bodyAs('base64')).toBe('/v8=')
    expect(bodyAs('bytes')).toEqual(new Uint8Array([0xfe, 0xff]))
  })

  test.each([
    ['two lengths', bytes('HTTP/1.1 200 OK', 'Content-Length: 1', 'Content-Length: 1', '', 'x')],
    [
      'a length and chunks',
      bytes('HTTP/1.1 200 OK', 'Content-Length: 1', 'Transfer-Encoding: chunked', '', '0', '', ''),
    ],
    [
      'chunked that is not the last coding',
      bytes('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked, gzip', '', '0', '', ''),
    ],
    ['a folded line', bytes('HTTP/1.1 200 OK', 'X: 1', ' 2', '', '')],
    ['a blank before the colon', bytes('HTTP/1.1 200 OK', 'X : 1', '', '')],
    ['an LF alone', Buffer.from('HTTP/1.1 200 OK\nX: 1\n\n')],
    [
      'a chunk that is longer than its size',
      bytes('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked', '', '1', 'xy', '0', '', ''),
    ],
    ['a field named __proto__', bytes('HTTP/1.1 200 OK', '__proto__: 1', 'Content-Length: 0', '', '')],
    ['HTTP/2', bytes('HTTP/2 200', '', '')],
    ['an end within the head', bytes('HTTP/1.1 200 OK', '')],
    ['an end within the body', bytes('HTTP/1.1 200 OK', 'Content-Length: 3', '', 'x')],
    ['a head without end', bytes('HTTP/1.1 200 OK', ...new Array(10).fill(`X: ${'x'.repeat(16_000)}`))],
  ])('refuses %s', (_, input) => {
    const failure = thrown(() => decodeAll(decoderOf('http1'), input))
    expect(failure).toMatchObject({ code: 'PARSE_FAILED', offset: expect.any(Number) })
  })

  test('bounds what a message may have', () => {
    const long = bytes('HTTP/1.1 200 OK', 'Content-Length: 9999999999', '', '')
    expect(thrown(() => decodeAll(decoderOf('http1'), long))).toMatchObject({ code: 'PARSE_LIMIT' })
    const interim = Buffer.from('HTTP/1.1 100\r\n\r\n'.repeat(LIMITS.http1InterimMax + 1))
    const flood = Buffer.concat([interim, bytes('HTTP/1.1 204', '', '')])
    expect(thrown(() => decodeAll(decoderOf('http1'), flood))).toMatchObject({ code: 'PARSE_LIMIT' })
    const most = decodeAll(decoderOf('http1'), flood.subarray('HTTP/1.1 100\r\n\r\n'.length))
    expect(most).toMatchObject([{ status: 204 }])
  })

  test('takes no more than linear time for a flood of chunks, or of blanks', () => {
    const count = 400_000
    const chunks = bytes(
      'HTTP/1.1 200 OK',
      'Transfer-Encoding: chunked',
      '',
      `${'1\r\nx\r\n'.repeat(count)}0`,
      '',
      '',
    )
    expect(decodeAll(decoderOf('http1'), chunks)).toMatchObject([{ body: 'x'.repeat(count) }])
    const blanks = bytes(
      'HTTP/1.1 200 OK',
      ...new Array(3).fill(`X: y${' '.repeat(16_000)}z`),
      'Content-Length: 0',
      '',
      '',
    )
    expect(decodeAll(decoderOf('http1'), blanks)).toHaveLength(1)
  })

  test.each([
    [{ encoding: 'utf-16' }, 'encoding'],
    [{ method: 'head' }, 'method'],
    [{ decode: true }, 'decode'],
  ])('refuses the options %j', (options, name) => {
    expect(thrown(() => findFormat('http1').configure(options))).toMatchObject({
      code: 'INVALID_REQUEST',
      errors: [{ path: `options.${name}` }],
    })
  })
})
