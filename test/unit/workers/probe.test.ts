/** The look at a connection that lies idle. */
import type { Socket } from 'node:net'
import { expect, test } from 'vitest'
import { dialogOf } from '../../../src/pool/target/dialog-of.ts'
import { IoConnectionRig } from '../../support/io-connection-rig.ts'
import { startLineServer } from '../../support/line-server.ts'
import { startTestServer, type TestServer } from '../../support/test-server.ts'
import { until } from '../../support/until.ts'

const probe = dialogOf([{ send: 'PING\n' }, { expect: 'PONG\n' }])
const onRelease = dialogOf([{ send: 'RESET\n' }, { expect: 'RESET\n' }])

/** Answers each line as it says. */
function answering(answers: Readonly<Record<string, string>>, seen: string[] = []): Promise<TestServer> {
  return startLineServer((line, socket) => {
    seen.push(line)
    socket.write(answers[line] ?? '')
  })
}

async function opened(server: TestServer): Promise<[IoConnectionRig, Socket]> {
  const rig = new IoConnectionRig({ dialogs: { probe, onRelease } })
  return [rig, await rig.dial(server)]
}

test('a probe runs its own dialog as often as it is asked for, and leaves releases theirs', async () => {
  const seen: string[] = []
  const [rig] = await opened(await answering({ PING: 'PONG\n', RESET: 'RESET\n' }, seen))
  expect(await rig.probe()).toBe('clean')
  rig.lease()
  expect(await rig.release()).toBe('clean')
  expect([await rig.probe(), await rig.probe()]).toEqual(['clean', 'clean'])
  rig.lease()
  expect(await rig.release()).toBe('clean')
  expect(seen).toEqual(['PING', 'RESET', 'PING', 'PING', 'RESET'])
  const lease = rig.lease()
  rig.write(lease, 'PING\n')
  expect(await rig.read(lease, 5)).toBe('PONG\n')
})

test.each([
  ['dialog_failed', 'NO\n'],
  ['poisoned', 'PONG\nand more'],
])('a probe finds %s where the answer is %j', async (found, answer) => {
  const [rig] = await opened(await answering({ PING: answer }))
  expect([await rig.probe(), await rig.closed()]).toEqual([found, 'closed'])
})

test('a probe finds half_closed where the peer hangs up in its midst', async () => {
  const [rig] = await opened(await startLineServer((_line, socket) => socket.end()))
  expect([await rig.probe(), await rig.closed()]).toEqual(['half_closed', 'closed'])
})

test('a probe finds unread what the peer said to a lease that has not come yet', async () => {
  const [rig] = await opened(await startTestServer(socket => socket.write('hello')))
  await until('it came', () => (rig.socket?.bytesRead ?? 0) === 5)
  expect(await rig.probe()).toBe('unread')
})

test('a probe without a dialog looks for silence', async () => {
  const server = await startTestServer(() => {})
  const rig = new IoConnectionRig()
  const peer = await rig.dial(server)
  expect(await rig.probe()).toBe('clean')
  peer.end()
  expect(await rig.closed()).toBe('closed')
})
