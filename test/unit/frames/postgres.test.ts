import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { postgresFrame } from '../../../src/frames/postgres.ts'
import { answersTo, type CutEnding, type CutMessage, expectCuts } from '../../support/frame-cuts.ts'
import { findService } from '../../support/services.ts'

const frame = postgresFrame(65_536)

const int32 = (value: number): string =>
  String.fromCharCode((value >>> 24) & 255, (value >>> 16) & 255, (value >>> 8) & 255, value & 255)
const message = (type: string, body = ''): string => `${type}${int32(body.length + 4)}${body}`
const startup = (code: number, body = ''): string => `${int32(body.length + 8)}${int32(code)}${body}`

const READY = message('Z', 'I')
const SSL = startup(80_877_103)
const GSS = startup(80_877_104)
const QUERY = message('Q', 'SELECT 1\0')
const FATAL = message('E', 'SFATAL\0VFATAL\0C57P01\0Mgone\0\0')
const ERROR = message('E', 'SFEHLER\0VERROR\0Mno FATAL here\0\0')

function expectAnswers(bytes: string, messages: readonly CutMessage[], ending?: CutEnding, asked = ''): void {
  const open = asked === '' ? () => frame.answers() : answersTo(frame, asked)
  expectCuts({ open, bytes, ends: ending === 'last' && bytes.endsWith(FATAL) }, messages, ending)
}

describe('answers', () => {
  test.each<[string, string, CutMessage[], (CutEnding | undefined)?, string?]>([
    [
      'ReadyForQuery',
      message('T', 'x') + message('D', 'yy') + message('C', 'SELECT 1\0') + READY + READY,
      [{ length: 33, isLast: false }, { length: 6 }],
    ],
    ['an authentication request', message('R', int32(5) + 'salt'), [{ length: 13, isLast: false }]],
    [
      'no authentication that is settled',
      message('R', int32(0)) + message('S', 'a\0b\0') + READY,
      [{ length: 24 }],
    ],
    ['CopyInResponse', message('G', '\0\0\0'), [{ length: 8 }]],
    [
      'CopyOutResponse',
      message('H', '\0\0\0') + message('d', 'row') + message('c') + READY,
      [{ length: 8 }, { length: 19 }],
    ],
    [
      'an error that leaves the connection open',
      ERROR + READY,
      [{ length: ERROR.length + 6, isLast: false }],
    ],
    ['a fatal error and the end of the stream', FATAL, [{ length: FATAL.length, isLast: true }], 'last'],
    ['one byte that says yes to SSLRequest', 'S', [{ length: 1, isLast: true }], 'last', SSL],
    ['one byte that says no', `N${READY}`, [{ length: 1, isLast: false }, { length: 6 }], undefined, SSL],
    ['one byte that says yes to GSSENCRequest', 'G', [{ length: 1, isLast: true }], 'last', GSS],
    ['an error in its place', FATAL, [{ length: FATAL.length, isLast: true }], 'last', SSL],
  ])('end with %s', (_what, bytes, messages, ending, asked) => expectAnswers(bytes, messages, ending, asked))

  test('leave out the notifications that come between them, and hold those within', () => {
    const notification = message('A', `${int32(7)}news\0hello\0`)
    const push = { length: notification.length, kind: 'push', isLast: false }
    const done = message('C', 'LISTEN\0')
    const answer = done + notification + READY
    const bytes = notification + notification + answer + notification + READY
    expectCuts({ open: () => frame.answers(), bytes }, [
      push,
      push,
      { length: answer.length, kind: 'answer' },
      push,
      { length: READY.length, kind: 'answer' },
    ])
    expectCuts({ open: answersTo(frame, QUERY), bytes: notification, ends: true }, [push])
    expectCuts(
      { open: () => frame.answers(), bytes: notification.slice(0, -1), ends: true },
      [],
      'FRAME_BROKEN',
    )
    expectCuts({ open: answersTo(frame, SSL), bytes: notification }, [], 'FRAME_BROKEN')
    // A push takes no answer's form from it.
    expectCuts({ open: answersTo(frame, QUERY + SSL), bytes: `${notification}${READY}N` }, [
      push,
      { length: READY.length, kind: 'answer' },
      { length: 1, kind: 'answer', isLast: false },
    ])
  })

  test.each<[string, string, CutEnding, string?]>([
    ['an unknown type', message('?'), 'FRAME_BROKEN'],
    ['a length below 4', `Z${int32(3)}`, 'FRAME_BROKEN'],
    ['a negative length', `D\xff\xff\xff\xff`, 'FRAME_BROKEN'],
    ['an authentication without its code', message('R', ''), 'FRAME_BROKEN'],
    ['a length beyond the bound', `D${int32(65_536)}`, 'LIMIT_OVERRUN'],
    ['another byte to SSLRequest', 'G', 'FRAME_BROKEN', SSL],
  ])('with %s are none', (_what, bytes, ending, asked) => expectAnswers(bytes, [], ending, asked))

  test('that end without a fatal error are broken', () =>
    expectCuts({ open: () => frame.answers(), bytes: ERROR, ends: true }, [], 'FRAME_BROKEN'))
})

test.each<[string, CutMessage[], CutEnding?]>([
  [
    SSL + startup(196_608, 'user\0a\0\0'),
    [
      { length: 8, command: 'SSLRequest' },
      { length: 16, command: 'Startup' },
    ],
  ],
  [startup(80_877_102, '12345678'), [{ length: 16, command: 'CancelRequest', answers: 0 }]],
  [
    message('P', 'x') + message('B') + message('E') + message('S'),
    [{ length: 21, command: 'Sync', answers: 1 }],
  ],
  [
    QUERY + message('X'),
    [
      { command: 'Query', length: QUERY.length },
      { length: 5, command: 'Terminate', answers: 0 },
    ],
  ],
  [message('d', 'row') + message('c'), [{ length: 13, command: 'CopyDone' }]],
  [startup(131_072), [], 'FRAME_BROKEN'],
  [int32(7), [], 'FRAME_BROKEN'],
  [int32(10_001), [], 'FRAME_BROKEN'],
  [message('z'), [], 'FRAME_BROKEN'],
])('requests are cut, and none is for a connection that others share (%#)', (bytes, messages, ending) => {
  const exclusive = messages.map(facts => ({ ...facts, isExclusive: true }))
  expectCuts({ open: () => frame.requests() ?? frame.answers(), bytes }, exclusive, ending)
})

/** Says what it is told, and reads so many answers by the frame. */
class Client {
  readonly #socket: Socket
  readonly #cutter = frame.answers()
  #received: Buffer = Buffer.alloc(0)

  constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk])
      socket.emit('more')
    })
  }

  async ask(request: string): Promise<string> {
    this.#socket.write(Buffer.from(request, 'latin1'))
    for (let looked = 0; ; ) {
      const answer = this.#cutter.next(this.#received.subarray(looked))
      if (answer !== null) {
        const bytes = this.#received.subarray(0, answer.length)
        this.#received = this.#received.subarray(answer.length)
        return bytes.toString('latin1')
      }
      looked = this.#received.length
      await once(this.#socket, 'more')
    }
  }
}

test('a real server is understood', async ({ skip }) => {
  const { host, port } = await findService('postgres', skip)
  const socket = connect({ host, port })
  onTestFinished(() => void socket.destroy())
  await once(socket, 'connect')
  const client = new Client(socket)
  const said: string[] = []
  for (const request of [
    startup(196_608, 'user\0postgres\0database\0postgres\0\0'),
    message('Q', "SELECT generate_series(1, 20), repeat('x', 30)\0"),
    message('Q', 'SELECT no_such_thing\0'),
    message('Q', 'LISTEN a; NOTIFY a\0'),
    `${message('P', '\0SELECT 1\0\0\0')}${message('B', '\0\0\0\0\0\0\0\0')}${message('E', '\0\0\0\0\0')}${message('S')}`,
    message('Q', 'CREATE TEMP TABLE t (a int); COPY t FROM STDIN\0'),
    `${message('d', '1\n')}${message('c')}`,
    message('Q', 'COPY t TO STDOUT\0'),
  ])
    said.push(await client.ask(request))
  expect(said.map(answer => answer.at(-6) === 'Z')).toEqual([
    true,
    true,
    true,
    true,
    true,
    false,
    true,
    false,
  ])
  const messages = said.map(answer => ({ length: answer.length, kind: 'answer', isLast: false }))
  expectCuts({ open: () => frame.answers(), bytes: said.join('') }, messages)
})
