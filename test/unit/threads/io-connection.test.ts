/** The pool thread's handle of a connection, with the test as its I/O worker. */
import { expect, test } from 'vitest'
import { allocateDoorbell, doorbellWords, Ringer } from '../../../src/channel/doorbell.ts'
import { SlabAllocator, SlabNumbers } from '../../../src/channel/slab.ts'
import type { CheckName, EndName } from '../../../src/channel/values.ts'
import { IoConnection } from '../../../src/threads/io-connection.ts'
import { ThreadDesks } from '../../../src/threads/thread-desks.ts'
import { ThreadSplices } from '../../../src/threads/thread-splices.ts'

const HOLDER = { rung: () => {}, broke: () => {} }

function made() {
  const channel = new SlabAllocator({ inboundBytes: 65_536, outboundBytes: 65_536 }, new SlabNumbers()).take()
  const heard: string[] = []
  const doorbell = allocateDoorbell()
  const connection = new IoConnection({
    id: 'c1',
    worker: 0,
    thread: 0,
    channel,
    ringer: new Ringer(doorbellWords(doorbell)),
    doorbell,
    facts: { localAddress: '', localPort: 0, remoteAddress: '', remotePort: 0, tls: null },
    upgrades: { hush: () => Promise.reject(new Error()), secure: () => Promise.reject(new Error()) },
    splices: new ThreadSplices(() => {}),
    desks: new ThreadDesks(() => {}),
    tell: () => heard.push('told'),
    isRetiring: () => false,
    onFree: () => heard.push('free'),
  })
  connection.listen({
    onChecked: found => heard.push(`checked ${found}`),
    onClosed: how => heard.push(`closed ${how}`),
  })
  /** The I/O worker has looked. */
  const find = (found: CheckName): void => {
    channel.setChecked(channel.epoch, found)
    connection.rung()
  }
  const close = (how: EndName): void => {
    channel.close(how)
    connection.rung()
  }
  return { connection, channel, heard, find, close }
}

test('IoConnection.probe() asks its I/O worker, and the connection serves on where it is clean', async () => {
  const { connection, channel, heard, find } = made()
  const probed = connection.probe()
  expect([channel.isProbed, channel.isLeased]).toEqual([true, false])
  find('clean')
  expect(await probed).toBe('clean')
  connection.hold(HOLDER)
  connection.letGo()
  expect(channel.isProbed).toBe(false)
  find('clean')
  expect(heard).toEqual(['checked clean'])
})

test('IoConnection.probe() tells what was found, and the listener hears of the end alone', async () => {
  const { connection, heard, find, close } = made()
  const probed = connection.probe()
  find('dialog_failed')
  close('closed')
  expect(await probed).toBe('dialog_failed')
  expect(heard).toEqual(['closed closed', 'free'])
  expect(await connection.probe()).toBe('error')
})

test.each<[string, (one: ReturnType<typeof made>) => void]>([
  ['the connection ends', ({ close }) => close('reset')],
  ['it is aborted', ({ connection }) => connection.abort()],
  ['it breaks', ({ connection }) => connection.broke()],
  ['its worker dies', ({ connection }) => connection.workerLost()],
])('IoConnection.probe() finds error where %s meanwhile', async (_what, happens) => {
  const one = made()
  const probed = one.connection.probe()
  happens(one)
  expect(await probed).toBe('error')
  if (!one.connection.isGone) one.close('closed')
  expect(one.heard.at(-1)).toBe('free')
})

test('IoConnection.probe() is for idle connections', () => {
  const { connection } = made()
  connection.hold(HOLDER)
  expect(() => connection.probe()).toThrow('a held connection was probed')
})

test('IoConnection.leaveClosing() asks its I/O worker to close, whether or not its holder has', () => {
  const { connection, channel } = made()
  connection.hold(HOLDER)
  connection.leaveClosing()
  expect([channel.shut, channel.isLeased]).toEqual(['close', false])
})
