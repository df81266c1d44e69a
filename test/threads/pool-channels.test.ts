/** The diagnostics channels of a pool. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { expect, onTestFinished, test } from 'vitest'
import { leaseHash } from '../../src/base/lease-hash.ts'
import type { PoolChannelMessage } from '../../src/pool/target/pool-channels.ts'
import { openPool, targetOf } from '../support/pool-fixture.ts'
import { echo, refusingPort, startTestServer } from '../support/test-server.ts'
import { until } from '../support/until.ts'

const CHANNELS = ['lease', 'release', 'connect', 'close', 'wait'] as const

/** What is published from now on, in its order. */
function heard(names: readonly (typeof CHANNELS)[number][] = CHANNELS): [string, PoolChannelMessage][] {
  const messages: [string, PoolChannelMessage][] = []
  for (const name of names) {
    const listener = (message: unknown): void => void messages.push([name, message as PoolChannelMessage])
    subscribe(`sockpool:pool:${name}`, listener)
    onTestFinished(() => void unsubscribe(`sockpool:pool:${name}`, listener))
  }
  return messages
}

const MS = expect.any(Number)

test('the channels tell of a connection, its lease and the wait for it', async () => {
  const messages = heard()
  const server = await startTestServer(echo)
  const pool = await openPool({ targets: { it: targetOf(server, { pool: { max: 1 } }) } })
  const lease = await pool.lease('it')
  const waiting = pool.lease('it')
  const hash = leaseHash(lease.id)
  await lease.discard()
  await (await waiting).discard()
  await until('both connections are gone', () => messages.filter(([name]) => name === 'close').length === 2)
  const about = { atMs: MS, target: 'it' }
  const own = messages.filter(([, { connection }]) => connection === 'c1')
  expect(own.toSorted(([one], [other]) => one.localeCompare(other))).toEqual([
    ['close', { ...about, connection: 'c1', reason: 'discarded' }],
    ['connect', { ...about, connection: 'c1', ms: MS }],
    ['lease', { ...about, connection: 'c1', lease: hash, ms: MS }],
    ['release', { ...about, connection: 'c1', lease: hash, reason: 'discarded', ms: MS }],
  ])
  expect(messages.filter(([name]) => name === 'wait')).toEqual([
    ['wait', { ...about, reason: 'begun' }],
    ['wait', { ...about, reason: 'served', ms: MS }],
  ])
  expect(JSON.stringify(messages)).not.toContain(lease.id)
})

test('a channel that nobody has subscribed to publishes nothing, and a dial that fails is told by its code', async () => {
  const messages = heard(['connect'])
  const port = await refusingPort()
  const pool = await openPool({ targets: { dead: { host: '127.0.0.1', port } } })
  await expect(pool.lease('dead')).rejects.toMatchObject({ code: 'CONNECT_REFUSED' })
  expect(messages).toEqual([['connect', { atMs: MS, target: 'dead', reason: 'connect_refused' }]])
})
