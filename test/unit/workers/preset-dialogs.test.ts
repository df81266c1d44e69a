/** The dialogs of presets with a peer whose bytes come one by one: no reply is taken before its end. */
import { expect, test } from 'vitest'
import { normaliseTarget } from '../../../src/config/target.ts'
import type { TargetDialog } from '../../../src/config/target-dialog.ts'
import type { PresetInput } from '../../../src/config/target-input.ts'
import { DialogRig } from '../../support/dialog-rig.ts'

/** What the peer says, and what it is to have heard by then. */
type Turn = readonly [says: string, heard: string]

async function play(preset: PresetInput, turns: readonly Turn[]): Promise<void> {
  const { onConnect } = normaliseTarget({ host: 'a', port: 1, preset })
  const rig = new DialogRig(onConnect as TargetDialog)
  await rig.receive()
  let before = ''
  for (const [says, heard] of turns) {
    expect(rig.sent).toBe(before + heard)
    before = rig.sent
    await rig.receive(...[...Buffer.from(says).subarray(0, -1)].map(byte => Uint8Array.of(byte)))
    expect(rig.sent, `before the end of ${says}`).toBe(before)
    await rig.receive(Buffer.from(says).subarray(-1))
  }
  expect([rig.run.isOver, rig.leftover]).toEqual([true, ''])
  await rig.run.done
}

const base64 = (text: string): string => Buffer.from(text).toString('base64')
const smtp = { smtp: { user: 'me', password: 'pw' } }
const greeting: Turn = ['220-mx.test\r\n220 ready\r\n', '']
const plain: readonly Turn[] = [
  ['334 \r\n', 'AUTH PLAIN\r\n'],
  ['235 in\r\n', `${base64('\0me\0pw')}\r\n`],
]
const login: readonly Turn[] = [
  [`334 ${base64('Username:')}\r\n`, 'AUTH LOGIN\r\n'],
  [`334 ${base64('Password:')}\r\n`, `${base64('me')}\r\n`],
  ['235-in\r\n235 and welcome\r\n', `${base64('pw')}\r\n`],
]

test.each<[string, string, readonly Turn[]]>([
  ['in the last line', '250-mx.test\r\n250-SIZE 1\r\n250 AUTH PLAIN LOGIN\r\n', plain],
  ['in the only line', '250 AUTH LOGIN\r\n', login],
  [
    'in the midst',
    '250-mx AUTH PLAIN\r\n250-AUTH CRAM-MD5 LOGIN XOAUTH2\r\n250-SIZE 1\r\n250 HELP\r\n',
    login,
  ],
  [
    'twice, in the old form first',
    '250-mx.test\r\n250-AUTH=LOGIN PLAIN\r\n250-AUTH PLAIN\r\n250 HELP\r\n',
    login,
  ],
])('the preset smtp signs in by what is offered %s', async (_where, offer, turns) => {
  await play(smtp, [greeting, [offer, 'EHLO localhost\r\n'], ...turns])
})

test('the preset redis signs in and chooses its database', async () => {
  await play({ redis: { password: 'pw', database: 2 } }, [
    ['+OK\r\n', '*2\r\n$4\r\nAUTH\r\n$2\r\npw\r\n'],
    ['+OK\r\n', '*2\r\n$6\r\nSELECT\r\n$1\r\n2\r\n'],
  ])
})

test('the preset nats goes on by PONG', async () => {
  const { onConnect } = normaliseTarget({ host: 'a', port: 1, preset: { nats: { token: 't"{{x}}' } } })
  const rig = new DialogRig(onConnect as TargetDialog)
  await rig.receive('INFO {"server_id":"{{x}}"} \r\n')
  const [connect = '', ping] = rig.sent.split('\r\n')
  expect(JSON.parse(connect.slice('CONNECT '.length))).toMatchObject({
    verbose: false,
    auth_token: 't"{{x}}',
  })
  expect([ping, rig.run.isOver]).toEqual(['PING', false])
  await rig.receive('PONG\r\n')
  await rig.run.done
})
