import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import { SMTPServer } from 'smtp-server'
import { expect, onTestFinished, test } from 'vitest'
import { smtpFrame } from '../../../src/frames/smtp.ts'
import { type CutEnding, expectCuts } from '../../support/frame-cuts.ts'

const frame = smtpFrame(65_536)

function expectReplies(bytes: string | Uint8Array, lengths: readonly number[], ending?: CutEnding): void {
  const messages = lengths.map(length => ({ length, kind: 'answer' }))
  expectCuts({ open: () => frame.answers(), bytes }, messages, ending)
}

test.each<[string, number[], CutEnding?]>([
  ['220 ready\r\n250 ok\r\n', [11, 8]],
  ['250-a\r\n250-b\r\n250 c\r\n', [21]],
  ['250\r\n', [5]],
  ['334 \r\n', [6]],
  ['250-a\r\n', [], 'within'],
  ['221 bye\r\n', [9], 'last'],
  ['421 closing\r\n', [13], 'last'],
  ['250-a\r\n251 b\r\n', [], 'FRAME_BROKEN'],
  ['25\r\n', [], 'FRAME_BROKEN'],
  ['150 a\r\n', [], 'FRAME_BROKEN'],
  ['650 a\r\n', [], 'FRAME_BROKEN'],
  ['2500 a\r\n', [], 'FRAME_BROKEN'],
  ['250_a\r\n', [], 'FRAME_BROKEN'],
  ['250 a\n', [], 'FRAME_BROKEN'],
  ['250 a\0\r\n', [], 'FRAME_BROKEN'],
  ['250 a\rb\r\n', [], 'FRAME_BROKEN'],
  ['\r\n', [], 'FRAME_BROKEN'],
])('smtp cuts %j', (bytes, lengths, ending) => expectReplies(bytes, lengths, ending))

test('a line without an end is broken at its bound, a reply without one overruns', () => {
  expectReplies(`250 ${'x'.repeat(20_000)}`, [], 'FRAME_BROKEN')
  expectReplies('250-x\r\n'.repeat(10_000), [], 'LIMIT_OVERRUN')
})

test('requests are not cut, and counts prove nothing', () => {
  expect(frame.requests()).toBeNull()
  expect(frame.balances).toBe(false)
})

test('a real server is understood from its greeting to its goodbye', async () => {
  const server = new SMTPServer({ authOptional: true, disabledCommands: ['STARTTLS'] })
  server.listen(0, '127.0.0.1')
  await once(server.server, 'listening')
  onTestFinished(() => new Promise<void>(resolve => server.close(() => resolve())))
  const socket = connect((server.server.address() as AddressInfo).port, '127.0.0.1')
  onTestFinished(() => void socket.destroy())
  const requests = ['EHLO here\r\n', 'NOOP\r\n', 'HELP\r\n', 'NO-SUCH\r\n', 'QUIT\r\n']
  const cutter = frame.answers()
  const chunks: Buffer[] = []
  for await (const chunk of socket) {
    chunks.push(chunk as Buffer)
    // One request for each reply, the greeting's too.
    for (let rest = chunk as Buffer; rest.length > 0; ) {
      const reply = cutter.next(rest)
      if (reply === null) break
      rest = rest.subarray(reply.taken)
      const next = requests.shift()
      if (next !== undefined) socket.write(next)
    }
  }
  const replies = Array.from({ length: 6 }, (_, n) => ({ kind: 'answer', isLast: n === 5 }))
  expectCuts({ open: () => frame.answers(), bytes: Buffer.concat(chunks) }, replies as never, 'last')
})
