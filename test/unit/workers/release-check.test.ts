/** The look at a connection that came back. */
import type { Socket } from 'node:net'
import { expect, test } from 'vitest'
import { dialogOf } from '../../../src/pool/target/dialog-of.ts'
import { IoConnectionRig, type RigLease, type RigOptions } from '../../support/io-connection-rig.ts'
import { echo, startTestServer, type TestServer } from '../../support/test-server.ts'
import { until } from '../../support/until.ts'

async function opened(server: TestServer, options: RigOptions = {}): Promise<[IoConnectionRig, Socket]> {
  const rig = new IoConnectionRig(options)
  return [rig, await rig.dial(server)]
}

/** Writes until the socket holds bytes that the kernel does not take, and the ring holds no others. */
async function writeUntilSending(rig: IoConnectionRig, lease: RigLease): Promise<void> {
  const bytes = Buffer.alloc(32_768)
  while ((rig.socket?.writableLength ?? 0) === 0) {
    rig.write(lease, bytes)
    await new Promise(resolve => setImmediate(resolve))
  }
}

test('ReleaseCheck waits for the word of the socket on what was written', async () => {
  const [rig, peer] = await opened(await startTestServer(socket => socket.pause()))
  await writeUntilSending(rig, rig.lease())
  const released = rig.release()
  await new Promise(resolve => setImmediate(resolve))
  expect(rig.channel.checkedAt(rig.channel.epoch)).toBe('none')
  peer.resume()
  expect(await released).toBe('clean')
  const next = rig.lease()
  rig.write(next, 'again')
  expect(await rig.release()).toBe('clean')
})

test('ReleaseCheck finds unsent what the kernel does not take in time', async () => {
  const [rig] = await opened(await startTestServer(socket => socket.pause(), { tolerant: true }), {
    closeLingerMs: 100,
  })
  await writeUntilSending(rig, rig.lease())
  expect(await rig.release()).toBe('unsent')
  expect(await rig.closed()).toBe('closed')
})

test('ReleaseCheck finds unsent what the lease left in the ring', async () => {
  const [rig] = await opened(await startTestServer(() => {}))
  const lease = rig.lease()
  rig.ring()
  lease.writes.publish(lease.writes.fill(Buffer.from('late')))
  expect(await rig.release()).toBe('unsent')
})

test('ReleaseCheck that waits for the socket is over at once when the connection is killed', async () => {
  const [rig] = await opened(await startTestServer(socket => socket.pause(), { tolerant: true }))
  await writeUntilSending(rig, rig.lease())
  rig.channel.advanceEpoch()
  rig.ring()
  rig.shut('abort')
  expect(await rig.closed()).toBe('closed')
})

test('ReleaseCheck never finds an answered exchange unsent, over TLS, however soon it is released', async () => {
  const [rig] = await opened(await startTestServer(echo, { tls: true }))
  const found: string[] = []
  for (let exchange = 0; exchange < 300; exchange++) {
    const lease = rig.lease()
    rig.write(lease, 'ask')
    expect(await rig.read(lease, 3)).toBe('ask')
    found.push(await rig.release())
  }
  expect(found.filter(each => each !== 'clean')).toEqual([])
})

test('ReleaseCheck finds unread what the lease left', async () => {
  const [rig] = await opened(await startTestServer(socket => socket.write('hello')))
  const lease = rig.lease()
  await until('it came', () => lease.reads.readable === 5)
  expect([await rig.release(), await rig.closed()]).toEqual(['unread', 'closed'])
})

test('ReleaseCheck runs the dialog of the target, and what comes beyond it poisons the connection', async () => {
  const onRelease = dialogOf([{ send: 'RESET\n' }, { expect: '+RESET\n' }])
  let answer = '+RESET\n'
  const server = await startTestServer(socket => socket.on('data', () => socket.write(answer)))
  const [rig] = await opened(server, { dialogs: { onRelease } })
  for (let round = 0; round < 2; round++) {
    rig.lease()
    expect(await rig.release()).toBe('clean')
  }
  answer = '+RESET\nmore'
  rig.lease()
  expect([await rig.release(), await rig.closed()]).toEqual(['poisoned', 'closed'])
})

test('ReleaseCheck whose dialog gets another answer has failed', async () => {
  const onRelease = dialogOf([{ send: 'RESET\n' }, { expect: '+OK\n' }])
  const server = await startTestServer(socket => socket.on('data', () => socket.write('-ERR\n')))
  const [rig] = await opened(server, { dialogs: { onRelease } })
  rig.lease()
  expect([await rig.release(), await rig.closed()]).toEqual(['dialog_failed', 'closed'])
})

test('ReleaseCheck that cannot look at the connection ends it, as corrupt', async () => {
  const [rig] = await opened(await startTestServer(() => {}))
  rig.lease()
  rig.ring()
  const OUT_TAIL = 6
  rig.channel.words.store(OUT_TAIL, 1_234_567)
  rig.channel.advanceEpoch()
  rig.ring()
  expect([await rig.closed(), rig.channel.inEnd]).toEqual(['corrupt', 'corrupt'])
  expect(rig.channel.checkedAt(rig.channel.epoch)).toBe('none')
})
