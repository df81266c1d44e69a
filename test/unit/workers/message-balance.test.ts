/** The count of requests and answers, over bytes as they pass. */
import { expect, test } from 'vitest'
import type { FrameSpec } from '../../../src/frames/frame-spec.ts'
import { LENGTH_FIELD } from '../../../src/frames/frame-spec.ts'
import { MessageBalance } from '../../../workers/io/message-balance.ts'

type Step = { readonly out: string } | { readonly in: string }

function balanceOf(frame: FrameSpec): MessageBalance {
  const balance = MessageBalance.of(frame)
  if (balance === null) throw new Error('the frame counts nothing')
  return balance
}

/** What speaks against the connection after these bytes, which pass in pieces of so many. */
function after(frame: FrameSpec, steps: readonly Step[], size: number, hasDialog = false): string {
  const balance = balanceOf(frame)
  for (const step of steps) {
    const bytes = Buffer.from('out' in step ? step.out : step.in, 'latin1')
    for (let at = 0; at < bytes.length; at += size) {
      const piece = bytes.subarray(at, at + size)
      if ('out' in step) balance.sent(piece)
      // The rest of a read's buffer is what an earlier read has left there.
      else balance.received(Buffer.concat([piece, Buffer.from('+LEFT\r\n')]), piece.length)
    }
  }
  return balance.against(hasDialog) ?? 'clean'
}

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi'
const MODBUS = '\0\x01\0\0\0\x02\x01\x03'

test.each<[FrameSpec, string, readonly Step[]]>([
  ['resp', 'clean', []],
  ['resp', 'clean', [{ out: '*1\r\n$4\r\nPING\r\n' }, { in: '+PONG\r\n' }]],
  ['resp', 'clean', [{ out: 'PING\r\nPING\r\n' }, { in: '+PONG\r\n$4\r\nPONG\r\n' }]],
  ['resp', 'unanswered', [{ out: 'PING\r\nPING\r\n' }, { in: '+PONG\r\n' }]],
  ['resp', 'unanswered', [{ out: 'PING\r\n' }, { in: '$4\r\nPO' }]],
  ['resp', 'unanswered', [{ out: '*1\r\n$4\r\nPI' }]],
  ['resp', 'unanswered', [{ out: 'PING\r\nPI' }, { in: '+PONG\r\n' }]],
  ['resp', 'clean', [{ out: 'PING\r\n' }, { in: '>2\r\n+message\r\n+it\r\n+PONG\r\n' }]],
  ['resp', 'unanswered', [{ out: 'PING\r\n' }, { in: '>2\r\n+message\r\n+it\r\n' }]],
  ['resp', 'unanswered', [{ out: 'PING\r\n' }, { in: '+PONG\r\n>2\r\n+message\r\n' }]],
  ['resp', 'poisoned', [{ out: 'PING\r\n' }, { in: '+PONG\r\n+PONG\r\n' }]],
  ['resp', 'clean', [{ in: '-MOTD none asked for\r\n' }, { out: 'PING\r\n' }, { in: '+PONG\r\n' }]],
  ['resp', 'error', [{ out: 'PING\r\n' }, { in: '?what\r\n' }]],
  ['resp', 'error', [{ out: '*1\r\n+PING\r\n' }, { in: '-ERR\r\n' }]],
  ['resp', 'policy', [{ out: 'SELECT 1\r\n' }, { in: '+OK\r\n' }]],
  ['resp', 'clean', [{ out: 'BLPOP a 1\r\n' }, { in: '*-1\r\n' }]],
  ['resp', 'unanswered', [{ out: 'XREAD BLOCK 0 STREAMS a $\r\n' }]],
  ['resp', 'clean', [{ out: 'XREAD BLOCK 0 STREAMS a $\r\n' }, { in: '*-1\r\n' }]],
  ['resp', 'policy', [{ out: 'CLIENT TRACKING on\r\n' }, { in: '+OK\r\n' }]],
  ['resp', 'policy', [{ out: 'SUBSCRIBE a\r\n' }, { in: '*3\r\n+subscribe\r\n+a\r\n:1\r\n' }]],
  ['memcached', 'clean', [{ out: 'set a 0 0 1\r\nx\r\n' }, { in: 'STORED\r\n' }]],
  ['memcached', 'unanswered', [{ out: 'get a\r\n' }, { in: 'VALUE a 0 1\r\nx\r\n' }]],
  ['memcached', 'unanswered', [{ out: 'set a 0 0 1 noreply\r\nx\r\n' }]],
  ['memcached', 'clean', [{ out: 'set a 0 0 1 noreply\r\nx\r\nget b\r\n' }, { in: 'END\r\n' }]],
  ['memcached', 'poisoned', [{ out: 'mg a q\r\nmn\r\n' }, { in: 'SERVER_ERROR x\r\nMN\r\n' }]],
  ['memcached', 'policy', [{ out: 'quit\r\n' }]],
  ['http1', 'clean', [{ out: GET + GET }, { in: `HTTP/1.1 103 Early Hints\r\n\r\n${OK}${OK}` }]],
  ['http1', 'clean', [{ out: GET.replace('GET', 'HEAD') }, { in: OK.replace(/hi$/, '') }]],
  ['http1', 'unanswered', [{ out: GET }, { in: 'HTTP/1.1 100 Continue\r\n\r\n' }]],
  ['http1', 'half_closed', [{ out: GET }, { in: OK.replace('\r\n', '\r\nConnection: close\r\n') }]],
  ['http1', 'policy', [{ out: GET.replace('Host', 'Connection: close\r\nHost') }, { in: OK }]],
  [
    'http1',
    'policy',
    [{ out: GET.replace('Host', 'Connection: upgrade\r\nUpgrade: x\r\nHost') }, { in: OK }],
  ],
  ['line', 'clean', [{ out: 'a\nb\n' }, { in: 'A\nB\n' }]],
  ['line', 'unanswered', [{ out: 'a\nb\n' }, { in: 'A\n' }]],
  ['crlf', 'clean', [{ out: 'a\r\n' }, { in: 'A\r\n' }]],
  ['mllp', 'clean', [{ out: '\x0ba\x1c\r' }, { in: '\x0bb\x1c\r' }]],
  ['modbus', 'clean', [{ out: MODBUS }, { in: MODBUS }]],
  ['modbus', 'unanswered', [{ out: MODBUS + MODBUS }, { in: MODBUS }]],
  ['dns', 'clean', [{ out: '\0\x0cquestionwith' }, { in: '\0\x0canswerwith12' }]],
  ['iso8583', 'clean', [{ out: '\0\x04ask?' }, { in: '\0\x03yes' }]],
  [{ lengthField: { ...LENGTH_FIELD, bytes: 1 } }, 'clean', [{ out: '\x02ab' }, { in: '\0' }]],
  [{ fixed: 3 }, 'clean', [{ out: 'abcdef' }, { in: 'ABCDEF' }]],
  [{ fixed: 3 }, 'unanswered', [{ out: 'abcdef' }, { in: 'ABCDE' }]],
])('MessageBalance of %o is %s after %o, however the bytes are cut', (frame, verdict, steps) => {
  for (const size of [1, 2, 7, 10_000])
    expect(after(frame, steps, size), `in pieces of ${size}`).toBe(verdict)
})

test.each<FrameSpec>([
  'smtp',
  'postgres',
  { delimiter: Buffer.from(';'), max: 100 },
  { module: 'file:///none.js' },
])('MessageBalance counts nothing of %o', frame => {
  expect(MessageBalance.of(frame)).toBeNull()
})

test.each([
  ['clean', 'SELECT 1\r\n', '+OK\r\n'],
  ['clean', 'SUBSCRIBE a\r\n', '*1\r\n+subscribe\r\n*1\r\n+message\r\n'],
  ['clean', 'MULTI\r\n', '+OK\r\n'],
  ['unanswered', 'CLIENT REPLY OFF\r\n', ''],
  ['error', 'PING\r\n', '?'],
])('MessageBalance that a dialog follows is %s after %j and %j', (verdict, question, answer) => {
  expect(after('resp', [{ out: question }, { in: answer }], 10_000, true)).toBe(verdict)
})

test('MessageBalance that serves again forgets what its dialog has undone, and nothing that it has not', () => {
  const balance = balanceOf('http1')
  const came = (text: string): void => balance.received(Buffer.from(text), text.length)
  balance.sent(Buffer.from(GET))
  came(OK + OK)
  expect([balance.against(false), balance.against(true)]).toEqual(['poisoned', null])
  balance.reopen()
  // The second answer of this lease is that to HEAD, and has no body.
  balance.sent(Buffer.from(GET + GET.replace('GET', 'HEAD')))
  came(OK + OK.replace(/hi$/, ''))
  expect(balance.against(false)).toBeNull()
  balance.reopen()
  balance.sent(Buffer.from(GET))
  expect(balance.against(false)).toBe('unanswered')
})

test('a count that was stopped says nothing for its connection, whatever has passed', () => {
  const balance = balanceOf('resp')
  balance.sent(Buffer.from('PING\r\n'))
  balance.stop()
  balance.received(Buffer.from('+PONG\r\n'), 7)
  expect(balance.against(true)).toBe('policy')
})
