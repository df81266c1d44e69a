/** What requests of front doors need of a connection, and whether the page for users says the same. */
import { expect, test } from 'vitest'
import { builtInFrame } from '../../../src/frames/frames.ts'
import {
  needOf,
  PIN_REASONS,
  pinReasonOf,
  type RequestNeed,
} from '../../../src/pool/forward/request-needs.ts'
import { readPage } from '../../support/pages.ts'

type Name = 'resp' | 'memcached' | 'http1' | 'line'

function messageOf(frame: Name, text: string) {
  const message = builtInFrame(frame).requests()?.next(Buffer.from(text))
  if (!message) throw new Error(`${JSON.stringify(text)} is no request`)
  return message
}

const CASES: readonly [Name, string, RequestNeed, string?][] = [
  ['resp', 'GET a\r\n', 'plain'],
  ['resp', 'client setname me\r\n', 'plain'],
  ['resp', 'CLIENT SETINFO LIB-NAME x\r\n', 'plain'],
  ['resp', 'XREAD STREAMS s $\r\n', 'plain'],
  ['resp', 'BLPOP list 0\r\n', 'blocking'],
  ['resp', 'XREAD BLOCK 0 STREAMS s $\r\n', 'blocking'],
  ['resp', 'WAIT 1 0\r\n', 'pin', 'wait'],
  ['resp', 'subscribe news\r\n', 'pin', 'subscribe'],
  ['resp', 'MULTI\r\n', 'pin', 'multi'],
  ['resp', 'SELECT 1\r\n', 'pin', 'select'],
  ['resp', 'HELLO 3\r\n', 'pin', 'hello'],
  ['resp', 'CLIENT REPLY OFF\r\n', 'pin', 'client'],
  ['resp', 'SCRIPT DEBUG YES\r\n', 'pin', 'script'],
  ['resp', 'QUIT\r\n', 'quit'],
  ['resp', 'POST / HTTP/1.1\r\n', 'refused'],
  ['memcached', 'get a\r\n', 'plain'],
  ['memcached', 'delete a noreply\r\n', 'held'],
  ['memcached', 'mg a v q\r\n', 'held'],
  ['memcached', 'watch\r\n', 'pin', 'watch'],
  ['memcached', 'shutdown\r\n', 'pin', 'shutdown'],
  ['memcached', 'unheard of\r\n', 'pin', 'other'],
  ['memcached', 'quit\r\n', 'quit'],
  ['http1', 'GET / HTTP/1.1\r\nHost: a\r\n\r\n', 'plain'],
  ['http1', 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n', 'pin', 'other'],
  ['http1', 'CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n', 'pin', 'connect'],
  ['line', 'SUBSCRIBE\n', 'plain'],
]

test.each(CASES)('a request of %s, %j, needs: %s', (frame, text, need, reason) => {
  const message = messageOf(frame, text)
  expect(needOf(frame, message)).toBe(need)
  if (need === 'pin') expect(pinReasonOf(message)).toBe(reason)
})

test('a command that pins is counted by its own name, and named by the page for users', () => {
  const page = readPage('docs/message-forwards.md')
  const [, row = ''] = /^\| `resp`: (SUBSCRIBE.*?) \|/m.exec(page) ?? []
  for (const reason of PIN_REASONS) {
    if (['other', 'blocking', 'connect'].includes(reason)) continue
    const name = reason.toUpperCase()
    const message = messageOf('resp', name === 'SCRIPT' ? 'SCRIPT DEBUG YES\r\n' : `${name} a\r\n`)
    expect([name, needOf('resp', message), pinReasonOf(message)]).toEqual([name, 'pin', reason])
    const isNamed = row.includes(name) || (name.includes('UNSUBSCRIBE') && row.includes('their UN-'))
    expect([name, isNamed]).toEqual([name, true])
  }
})
