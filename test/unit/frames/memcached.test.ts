import { describe, test } from 'vitest'
import { memcachedFrame } from '../../../src/frames/memcached.ts'
import { expectCuts } from '../../support/frame-cuts.ts'

const frame = memcachedFrame(1_048_576)
const answers = () => frame.answers()
const requests = () => {
  const cutter = frame.requests()
  if (cutter === null) throw new Error('requests can be cut')
  return cutter
}

describe('an answer of memcached', () => {
  // As memcached 1.6.18 gives them.
  test.each([
    'END\r\n',
    'STORED\r\n',
    '8\r\n',
    'VERSION 1.6.18\r\n',
    'CLIENT_ERROR bad data chunk\r\n',
    'ERROR: shutdown not enabled\r\n',
    'VALUE n 0 1\r\n0\r\nVALUE k 0 0 10\r\n\r\nEND\r\n',
    'STAT sizes_status disabled\r\nEND\r\n',
    'ITEM k\x01 [1 b; 0 s]\r\nEND\r\n',
    'PREFIX foo get 1 hit 1 set 1 del 0\r\nEND\r\n',
    'HD\r\n',
    'VA 3 t-1 f0\r\na\r\n\r\n',
    'EN\r\n',
    'NF Oq\r\n',
    'MN\r\n',
    'ME ka exp=-1\r\n',
  ])('is %j', answer => {
    const one = { length: answer.length, kind: 'answer', isLast: false }
    expectCuts({ open: answers, bytes: answer + answer }, [one, one])
  })

  test.each([
    '\r\n',
    'NOPE\r\n',
    'END\n',
    'STORED x\r\n',
    'VALUE a 0 1\r\nab\r\n',
    'VA x\r\n',
    'VALUE a 0\r\n',
    '\x81',
    'STAT a b\r\nSTORED\r\n',
  ])('is not %j', answer => {
    expectCuts({ open: answers, bytes: answer }, [], 'FRAME_BROKEN')
  })
})

describe('a request of memcached', () => {
  test.each([
    ['get a b\r\n', 'get', false, 1],
    ['set a 0 0 3\r\na\r\n\r\n', 'set', false, 1],
    ['set a 0 0 1 noreply\r\na\r\n', 'set', true, 0],
    ['cas a 0 0 1 9\r\na\r\n', 'cas', false, 1],
    ['delete noreply\r\n', 'delete', false, 1],
    ['delete a noreply\r\n', 'delete', true, 0],
    ['ms k 3 T0\r\nabc\r\n', 'ms', false, 1],
    ['ms k 3 T0 q\r\nabc\r\n', 'ms', true, 0],
    ['mg q v\r\n', 'mg', false, 1],
    ['quit\r\n', 'quit', true, 0],
    ['watch x\r\n', 'watch', true, 1],
    ['GET a\r\n', null, true, 1],
    [`get ${'a'.repeat(249)}${` ${'a'.repeat(250)}`.repeat(6)}\r\n`, 'get', false, 1],
  ] as const)('%j is %s, exclusive: %s', (request, command, isExclusive, count) => {
    const one = { length: request.length, command, isExclusive, answers: count }
    expectCuts({ open: requests, bytes: request }, [one])
  })

  test.each([
    '\r\n',
    '\x80\0',
    'get a\n',
    'set a 0 0 1\r\nab\r\n',
    'set a x 0 1\r\n',
    'set a 0 0 -1\r\n',
    'cas a 0 0 1 noreply\r\n',
    `get ${'a'.repeat(251)}\r\n`,
    'ms k\r\n',
    'get a\0b\r\n',
  ])('is not %j', request => {
    expectCuts({ open: requests, bytes: request }, [], 'FRAME_BROKEN')
  })

  test('announces no more than the bound', () => {
    expectCuts({ open: requests, bytes: 'set a 0 0 1048576\r\n' }, [], 'LIMIT_OVERRUN')
  })
})
