import { describe, test } from 'vitest'
import { http1Frame } from '../../src/frames/http1.ts'
import { postgresFrame } from '../../src/frames/postgres.ts'
import { smtpFrame } from '../../src/frames/smtp.ts'
import { expectLinear, fuzzCuts } from '../support/frame-cuts.ts'

const OK = 'HTTP/1.1 200 OK\r\n'
const MIB = 1_048_576

describe('any change of what is sent is cut or refused, however it comes', () => {
  test('http1 answers', () =>
    fuzzCuts(
      () => http1Frame(512).answers(),
      [
        `${OK}Content-Length: 3\r\nConnection: close\r\n\r\nabc`,
        `${OK}Transfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\nX: y\r\n\r\n`,
        `HTTP/1.1 103 Hints\r\nA: b\r\n\r\nHTTP/1.1 204 None\r\n\r\n`,
      ],
    ))

  test('http1 requests', () =>
    fuzzCuts(
      () => http1Frame(512).requests() ?? http1Frame(512).answers(),
      [
        'GET /a?b HTTP/1.1\r\nHost: a\r\n\r\n',
        'POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n',
      ],
    ))

  test('smtp replies', () =>
    fuzzCuts(() => smtpFrame(128).answers(), ['250-a\r\n250 b\r\n', '220 c\r\n', '421 d\r\n']))

  test('postgres answers', () =>
    fuzzCuts(
      () => postgresFrame(128).answers(),
      [
        'T\0\0\0\x05xD\0\0\0\x06abZ\0\0\0\x05I',
        'R\0\0\0\x08\0\0\0\0R\0\0\0\x08\0\0\0\x03',
        'E\0\0\0\x11SFATAL\0VFATAL\0\0',
      ],
    ))

  test('postgres requests', () =>
    fuzzCuts(
      () => postgresFrame(128).requests() ?? postgresFrame(128).answers(),
      [
        '\0\0\0\x08\x04\xd2\x16\x2f',
        '\0\0\0\x0a\0\x03\0\0a\0',
        'P\0\0\0\x05xS\0\0\0\x04',
        'Q\0\0\0\x06a\0X\0\0\0\x04',
      ],
    ))
})

describe('a MiB that holds a cutter up is looked at in linear time', () => {
  test.each([
    ['endless fields', `${OK}`, 'A: b\r\n'],
    ['an endless status line', 'HTTP/1.1 200 ', 'x'],
    ['an endless chunk extension', `${OK}Transfer-Encoding: chunked\r\n\r\n1;`, 'x'],
    ['chunks of one byte', `${OK}Transfer-Encoding: chunked\r\n\r\n`, '1\r\na\r\n'],
    ['endless interim answers', '', 'HTTP/1.1 102 a\r\n\r\n'],
    ['a body to the end', `${OK}\r\n`, 'x'],
    ['small answers', '', `${OK}Content-Length: 0\r\n\r\n`],
  ])('http1: %s', (_what, head, unit) => {
    const bytes = head + unit.repeat(Math.ceil(MIB / unit.length))
    expectLinear({ open: () => http1Frame(2 * MIB).answers(), bytes })
  })

  test.each([['250-x\r\n'], ['250 x\r\n'], ['250-\r\n']])('smtp: %j', unit => {
    expectLinear({
      open: () => smtpFrame(2 * MIB).answers(),
      bytes: unit.repeat(Math.ceil(MIB / unit.length)),
    })
  })

  test.each([['N\0\0\0\x04'], ['E\0\0\0\x05\0'], ['Z\0\0\0\x05I']])('postgres: %j', unit => {
    expectLinear({
      open: () => postgresFrame(2 * MIB).answers(),
      bytes: unit.repeat(Math.ceil(MIB / unit.length)),
    })
  })
})
