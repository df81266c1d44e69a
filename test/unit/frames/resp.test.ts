import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { LIMITS } from '../../../src/base/limits.ts'
import { respFrame } from '../../../src/frames/resp.ts'
import { expectCuts, play } from '../../support/frame-cuts.ts'

const MAX = 1_048_576
const frame = respFrame(MAX)
const answers = () => frame.answers()
const requests = () => {
  const cutter = frame.requests()
  if (cutter === null) throw new Error('requests can be cut')
  return cutter
}

describe('an answer of RESP', () => {
  test.each([
    '+OK\r\n',
    '-ERR no\r\n',
    ':-12\r\n',
    ':+5\r\n',
    '$5\r\nhe\r\no\r\n',
    '$0\r\n\r\n',
    '$-1\r\n',
    '*-1\r\n',
    '*0\r\n',
    '*2\r\n*1\r\n:1\r\n$-1\r\n',
    '_\r\n',
    '#t\r\n',
    ',1.5e-3\r\n',
    ',inf\r\n',
    ',-inf\r\n',
    ',nan\r\n',
    '(-123\r\n',
    '!3\r\nERR\r\n',
    '=7\r\ntxt:abc\r\n',
    '%1\r\n+a\r\n:1\r\n',
    '~2\r\n:1\r\n:2\r\n',
    '|1\r\n+a\r\n:1\r\n+OK\r\n',
    '*1\r\n|1\r\n+a\r\n:1\r\n+OK\r\n',
    '$?\r\n;4\r\nHell\r\n;1\r\no\r\n;0\r\n',
    '*?\r\n:1\r\n*0\r\n.\r\n',
    '*?\r\n.\r\n',
    '%?\r\n+a\r\n:1\r\n.\r\n',
    '*1\r\n$?\r\n;0\r\n',
  ])('is %j', value => {
    const one = { length: value.length, kind: 'answer', isLast: false }
    expectCuts({ open: answers, bytes: value + value }, [one, one])
  })

  test.each(['>2\r\n+invalidate\r\n_\r\n', '|1\r\n+a\r\n:1\r\n>1\r\n+x\r\n'])('%j is a push', value => {
    const push = { length: value.length, kind: 'push' }
    expectCuts({ open: answers, bytes: `${value}+OK\r\n` }, [push, { length: 5, kind: 'answer' }])
  })

  test.each([
    '$04\r\n',
    '$+4\r\n',
    '$-2\r\n',
    ':abc\r\n',
    ':\r\n',
    '+a\nb\r\n',
    '$536870913\r\n',
    '*9007199254740993\r\n',
    '*1\r\n>1\r\n+x\r\n',
    '.\r\n',
    '%?\r\n+a\r\n.\r\n',
    '$3\r\nabcd\r\n',
    '%-1\r\n',
    '#x\r\n',
    '=3\r\nabc\r\n',
    '=5\r\ntxtxx\r\n',
    'HTTP/1.1',
    '*?\r\n|1\r\n+a\r\n:1\r\n.\r\n',
    '*1\r\n'.repeat(65),
    '_x',
    '$?\r\n+a\r\n',
    `+${'a'.repeat(65_536)}`,
  ])('is not %j', value => {
    expectCuts({ open: answers, bytes: value }, [], 'FRAME_BROKEN')
  })

  test.each([`$${MAX}\r\n`, `*${MAX}\r\n`, '*9007199254740991\r\n', '%300000\r\n'])(
    'is too long by %j',
    value => {
      expectCuts({ open: answers, bytes: value }, [], 'LIMIT_OVERRUN')
    },
  )

  test('may be as long as the bound and no longer', () => {
    const open = () => respFrame(8).answers()
    expectCuts({ open, bytes: '$2\r\nab\r\n' }, [{ length: 8 }])
    expectCuts({ open, bytes: '+abcdef\r\n' }, [], 'LIMIT_OVERRUN')
  })

  test('is broken by an end of the stream within it', () => {
    expectCuts({ open: answers, bytes: '+OK\r\n$4\r\nab', ends: true }, [{ length: 5 }], 'FRAME_BROKEN')
    expectCuts({ open: answers, bytes: '+OK\r\n', ends: true }, [{ length: 5 }])
  })
})

const array = (...words: string[]): string =>
  `*${words.length}\r\n${words.map(word => `$${word.length}\r\n${word}\r\n`).join('')}`

describe('a request of RESP', () => {
  test.each([
    [array('get', 'a'), 'GET', false],
    [array('CLIENT', 'id'), 'CLIENT', false],
    [array('CLIENT', 'REPLY', 'OFF'), 'CLIENT', true],
    [array('CLIENT'), 'CLIENT', true],
    [array('sub'.concat('scribe'), 'a'), 'SUBSCRIBE', true],
    [array('script', 'debug', 'yes'), 'SCRIPT', true],
    [array('script', 'load', 'debug'), 'SCRIPT', false],
    [array('XREAD', 'COUNT', '1', 'block', '0', 'STREAMS', 'a', '0'), 'XREAD', true],
    [array('XREAD', 'STREAMS', 'BLOCK', '0'), 'XREAD', false],
    [array('XREADGROUP', 'GROUP', 'STREAMS', 'c', 'BLOCK', '0', 'STREAMS', 'a', '>'), 'XREADGROUP', true],
    [array('XREADGROUP', 'GROUP', 'BLOCK', 'BLOCK', 'STREAMS', 'a', '>'), 'XREADGROUP', false],
    [array('x'.repeat(33)), null, false],
    [array('a b'), null, false],
    [array(''), null, false],
    ['PING\r\n', 'PING', false],
    ['select \t 1\r\n', 'SELECT', true],
  ])('%j is %s, exclusive: %s', (request, command, isExclusive) => {
    const one = { length: request.length, command, isExclusive, answers: 1 }
    expectCuts({ open: requests, bytes: request + request }, [one, one])
  })

  test.each([
    '*0\r\n',
    '*-1\r\n',
    '*01\r\n',
    '\r\n',
    ' PING\r\n',
    '+OK\r\n',
    '*1\r\n*0\r\n',
    '*1\r\n$-1\r\n',
    'GET "a"\r\n',
    "GET 'a'\r\n",
    'GET a\\b\r\n',
    'PING\n',
    'PING\rx',
    'GET a\0\r\n',
    '*?\r\n',
  ])('is not %j', request => {
    expectCuts({ open: requests, bytes: request }, [], 'FRAME_BROKEN')
  })

  test('announces no more than the bound', () => {
    expect(play({ open: requests, bytes: '' }, [Buffer.from(`*1\r\n$${MAX}\r\n`)]).ending).toBe(
      'LIMIT_OVERRUN',
    )
  })
})

test('requests that follow each other at one cutter are judged as each is alone', () => {
  const long = 'x'.repeat(LIMITS.frameWordBytesMax + 1)
  const names = ['GET', 'SET', 'get', 'QUIT', 'CLIENT', 'XREAD', 'BLPOP', 'SELECT', 'G\u00c9T', long]
  const seconds = ['ID', 'KILL', 'BLOCK', 'STREAMS', 'key']
  const words = fc.tuple(fc.constantFrom(...names), fc.constantFrom(...seconds))
  const bytesOf = ([name, second]: readonly [string, string]): Buffer =>
    Buffer.from(`*2\r\n$${name.length}\r\n${name}\r\n$${second.length}\r\n${second}\r\n`, 'latin1')
  fc.assert(
    fc.property(fc.array(words, { minLength: 1, maxLength: 12 }), commands => {
      const cutter = requests()
      for (const command of commands)
        expect(cutter.next(bytesOf(command))).toEqual(requests().next(bytesOf(command)))
    }),
  )
})
