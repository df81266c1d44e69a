import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { http1Frame } from '../../../src/frames/http1.ts'
import { answersTo, type CutEnding, type CutMessage, expectCuts } from '../../support/frame-cuts.ts'

const frame = http1Frame(1_048_576)
const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'
const HEAD = 'HEAD / HTTP/1.1\r\nHost: a\r\n\r\n'
const CONNECT = 'CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n'
const OK = 'HTTP/1.1 200 OK\r\n'

function expectAnswers(
  bytes: string,
  messages: readonly CutMessage[],
  ending?: CutEnding,
  requests = '',
): void {
  const open = requests === '' ? () => frame.answers() : answersTo(frame, requests)
  expectCuts({ open, bytes, ends: ending === 'last' }, messages, ending)
}

const requests = () => frame.requests() ?? frame.answers()

describe('answers', () => {
  test.each<[string, string, number[], (CutEnding | undefined)?, string?]>([
    ['by length', `${OK}Content-Length: 2\r\n\r\nabHTTP/1.1 204 No Content\r\n\r\n`, [40, 27]],
    ['by length 0', `${OK}content-length:0\r\n\r\n`, [37]],
    ['in chunks', `${OK}Transfer-Encoding: chunked\r\n\r\n3;a="b;c"\r\nabc\r\n0\r\n\r\n`, [68]],
    ['in chunks with trailers', `${OK}Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX: y\r\n\r\n`, [64]],
    [
      'behind interim ones',
      `HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 100 \r\n\r\n${OK}Content-Length: 1\r\n\r\na`,
      [93],
    ],
    ['without a body, to HEAD', `${OK}Content-Length: 9\r\n\r\n`, [38], undefined, HEAD],
    [
      'to HEAD and then to GET',
      `${OK}Content-Length: 1\r\n\r\n${OK}Content-Length: 1\r\n\r\na`,
      [38, 39],
      undefined,
      HEAD + GET,
    ],
    ['with nothing modified', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n', [48]],
  ])('end %s', (_how, bytes, lengths, ending, asked) =>
    expectAnswers(
      bytes,
      lengths.map(length => ({ length, kind: 'answer', isLast: false })),
      ending,
      asked,
    ),
  )

  test.each<[string, string, string?]>([
    ['that ends with the stream', `${OK}\r\nabc`],
    ['that says close', `${OK}Content-Length: 0\r\nConnection: foo, Close\r\n\r\n`],
    ['of HTTP/1.0', 'HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n'],
    ['that switches protocols', 'HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n'],
    ['to CONNECT', `${OK}\r\n`, CONNECT],
  ])('an answer %s is the last', (_what, bytes, asked) =>
    expectAnswers(bytes, [{ length: bytes.length, isLast: true }], 'last', asked),
  )

  test('HTTP/1.0 with keep-alive is not the last', () => {
    const bytes = 'HTTP/1.0 200 OK\r\nContent-Length: 1\r\nConnection: keep-alive\r\n\r\na'
    expectAnswers(bytes, [{ length: bytes.length, isLast: false }])
  })

  test.each([
    `${OK}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n`,
    `${OK}Content-Length: 1\r\nContent-Length: 2\r\n\r\n`,
    `${OK}Content-Length: 1\r\nContent-Length: 1\r\n\r\n`,
    `${OK}Content-Length: +5\r\n\r\n`,
    `${OK}Content-Length: 5, 5\r\n\r\n`,
    `${OK}Content-Length: 0x5\r\n\r\n`,
    `${OK}Content-Length: -1\r\n\r\n`,
    `${OK}Content-Length:\r\n\r\n`,
    `${OK}Content-Length : 5\r\n\r\n`,
    `${OK}X: a\r\n b\r\n\r\n`,
    `${OK} X: a\r\n\r\n`,
    `${OK}X: a\n\n`,
    `${OK}X: a\rb\r\n\r\n`,
    `${OK}X: a\0b\r\n\r\n`,
    `${OK}: a\r\n\r\n`,
    `${OK}X\r\n\r\n`,
    `${OK}Transfer-Encoding: chunked, chunked\r\n\r\n`,
    `${OK}Transfer-Encoding: chunked, identity\r\n\r\n`,
    `${OK}Transfer-Encoding: xchunked\r\n\r\n`,
    `${OK}Transfer-Encoding: \x0bchunked\r\n\r\n`,
    'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n',
    'HTTP/2.0 200 OK\r\n\r\n',
    'HTTP/1.1 20 OK\r\n\r\n',
    'HTTP/1.1 2000 OK\r\n\r\n',
    'HTTP/1.1  200 OK\r\n\r\n',
    'http/1.1 200 OK\r\n\r\n',
    '\r\nHTTP/1.1 200 OK\r\n\r\n',
  ])('%j is broken', bytes => expectAnswers(bytes, [], 'FRAME_BROKEN'))

  test.each([
    '-1\r\n',
    '+1\r\na\r\n',
    '0x1\r\na\r\n',
    '1_0\r\n',
    ' 1\r\na\r\n',
    '\r\n',
    'g\r\n',
    '00000000000000001\r\na\r\n',
    '1\r\nab\r\n',
    '1\r\na\n0\r\n\r\n',
    '1\na\r\n',
    '1;a\nb\r\na\r\n',
    '0\r\nX : y\r\n\r\n',
    '0\r\n y\r\n\r\n',
    '0\r\nX: y\n\r\n',
  ])('a chunk %j is broken', chunk =>
    expectAnswers(`${OK}Transfer-Encoding: chunked\r\n\r\n${chunk}`, [], 'FRAME_BROKEN'),
  )

  test('what a length or a chunk announces beyond the bound is known before it comes', () => {
    expectAnswers(`${OK}Content-Length: 1048576\r\n\r\n`, [], 'LIMIT_OVERRUN')
    expectAnswers(`${OK}Transfer-Encoding: chunked\r\n\r\nffffff\r\n`, [], 'LIMIT_OVERRUN')
    expectAnswers(`${OK}Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n`, [], 'LIMIT_OVERRUN')
  })

  test('a stream that ends within an answer leaves it broken', () => {
    const side = { open: () => frame.answers(), bytes: `${OK}Content-Length: 2\r\n\r\na`, ends: true }
    expectCuts(side, [], 'FRAME_BROKEN')
  })
})

describe('requests', () => {
  test.each<[string, object]>([
    [GET, { command: 'GET', isExclusive: false, answers: 1 }],
    ['POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc', { command: 'POST', isExclusive: false }],
    [
      'PUT /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n',
      { command: 'PUT', isExclusive: false },
    ],
    ['SECRET-TOKEN / HTTP/1.1\r\n\r\n', { command: null }],
    [CONNECT, { command: 'CONNECT', isExclusive: true }],
    ['GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n', { isExclusive: true }],
    ['POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n', { isExclusive: true }],
    ['GET / HTTP/1.1\r\nConnection: close\r\n\r\n', { isExclusive: true }],
    ['GET / HTTP/1.0\r\n\r\n', { isExclusive: true }],
  ])('%j', (bytes, facts) =>
    expectCuts({ open: requests, bytes: bytes + GET }, [
      { length: bytes.length, ...facts },
      { length: GET.length },
    ]),
  )

  test.each([
    'GET / HTTP/1.1\n\n',
    'GET  / HTTP/1.1\r\n\r\n',
    'GET / HTTP/1.1 \r\n\r\n',
    'GET /\r\n\r\n',
    'get / HTTP/1.1\r\n\r\n',
    'G@T / HTTP/1.1\r\n\r\n',
    'GET / HTTP/1.2\r\n\r\n',
    ' GET / HTTP/1.1\r\n\r\n',
    'GET /\0 HTTP/1.1\r\n\r\n',
    'POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
    'POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n',
  ])('%j is broken', bytes => expectCuts({ open: requests, bytes }, [], 'FRAME_BROKEN'))
})

describe('a real server', () => {
  async function serve(
    handler: (request: IncomingMessage, response: ServerResponse) => void,
  ): Promise<Server> {
    const server = createServer(handler)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    onTestFinished(() => void server.closeAllConnections())
    onTestFinished(() => void server.close())
    return server
  }

  /** What it sends for the requests, to the end of the connection. */
  async function said(server: Server, text: string): Promise<Buffer> {
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
    const chunks: Buffer[] = []
    socket.on('data', (chunk: Buffer) => chunks.push(chunk))
    socket.end(text)
    await once(socket, 'close')
    return Buffer.concat(chunks)
  }

  test('is understood in all forms of its answers', async () => {
    const server = await serve((request, response) => {
      response.sendDate = false
      const path = request.url ?? ''
      if (path === '/chunks') {
        response.writeHead(200, { trailer: 'x-sum' })
        response.write('a'.repeat(300))
        response.addTrailers({ 'x-sum': '300' })
        response.end('b')
      } else if (path === '/hints') {
        response.writeEarlyHints({ link: '</a>; rel=preload' })
        response.writeContinue()
        response.end('done')
      } else if (path === '/none') response.writeHead(204).end()
      else response.end('whole')
    })
    const paths = ['/whole', '/chunks', '/none', '/hints', '/whole']
    const asked = paths
      .map((path, n) => `${n === 4 ? 'HEAD' : 'GET'} ${path} HTTP/1.1\r\nHost: a\r\n\r\n`)
      .join('')
    const last = 'GET /whole HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'
    const bytes = await said(server, asked + last)
    const answers = [
      ...paths.map(() => ({ kind: 'answer', isLast: false })),
      { kind: 'answer', isLast: true },
    ]
    expectCuts({ open: answersTo(frame, asked + last), bytes, ends: true }, answers as never, 'last')
  })

  test('refuses no request that is a message here, and what it refuses is none', async () => {
    const server = await serve((request, response) => request.resume().on('end', () => response.end('ok')))
    const suspects = [
      GET,
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\na',
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na',
      'GET / HTTP/1.1\r\nHost : a\r\n\r\n',
      'GET / HTTP/1.1\r\nHost: a\r\nX: a\0\r\n\r\n',
      'GET / HTTP/1.1\r\nHost: a\n\r\n\r\n',
      'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n',
      'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n',
      'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n',
    ]
    for (const suspect of suspects) {
      const answer = (await said(server, suspect)).toString('latin1')
      const cutter = requests()
      let isMessage = false
      try {
        isMessage = cutter.next(Buffer.from(suspect, 'latin1'))?.length === suspect.length
      } catch {
        // It is none.
      }
      // The frame is the stricter one.
      if (isMessage) expect(answer, suspect).toMatch(/^HTTP\/1\.1 200/)
      if (!/^HTTP\/1\.1 200/.test(answer)) expect(isMessage, suspect).toBe(false)
    }
  })
})
