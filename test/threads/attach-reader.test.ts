import { expect, test } from 'vitest'
import type { Pool } from '../../src/pool/pool.ts'
import { type AttachedPlayer, attach } from '../support/attached.ts'
import { startLineServer } from '../support/line-server.ts'
import { openPool, targetOf } from '../support/pool-fixture.ts'
import { startTestServer, type TestServer } from '../support/test-server.ts'
import { until } from '../support/until.ts'

/** Sends bytes to whoever says something. */
function startTalker(text: string): Promise<TestServer> {
  return startTestServer(socket => void socket.once('data', () => socket.write(text)))
}

const RESET = expect.objectContaining({ code: 'CONNECTION_RESET' })

/** A thread whose lease has two lines, one of them cut short, unread when its peer resets the connection. */
async function breakOff(lease: object, read: object): Promise<{ pool: Pool; thread: AttachedPlayer }> {
  const server = await startTalker('one\ntwo')
  const pool = await openPool({ targets: { it: targetOf(server, { reuse: 'clean' }) } })
  const thread = attach(pool, 'broken', { lease, read })
  expect(await thread.next()).toBe('one\ntwo')
  const peer = await server.connection()
  peer.resetAndDestroy()
  expect(await thread.next()).toEqual(RESET)
  expect(await thread.next()).toEqual({ exception: RESET, buffered: 7, atEof: false })
  return { pool, thread }
}

test.each([
  ['the default of a lease', {}, {}],
  ['onReset drain-then-raise of the call', { onReset: 'raise' }, { onReset: 'drain-then-raise' }],
])('BlockingReader with %s reads what came before a reset, then its error', async (_what, lease, read) => {
  const { pool, thread } = await breakOff(lease, read)
  expect(await thread.next()).toEqual({ returned: 'one\n' })
  // Neither nine bytes nor a separator will ever come; what is there stays.
  expect(await thread.next()).toEqual(RESET)
  expect(await thread.next()).toEqual(RESET)
  expect(await thread.next()).toEqual({ returned: 'tw' })
  expect(await thread.next()).toEqual({ returned: 'o' })
  expect(await thread.next()).toEqual({ returned: '' })
  expect(await thread.next()).toEqual({ offset: 7, verdict: { outcome: 'closed', reason: 'error' } })
  await until('nothing was left', () => pool.stats().leases === 0)
})

test.each([
  ['onReset raise of its lease', { onReset: 'raise' }, {}],
  ['onReset raise of the call', {}, { onReset: 'raise' }],
])('BlockingReader with %s raises at once, as asyncio does', async (_what, lease, read) => {
  const { thread } = await breakOff(lease, read)
  for (let call = 0; call < 6; call++) expect(await thread.next()).toEqual(RESET)
  expect(await thread.next()).toEqual({ offset: 0, verdict: { outcome: 'closed', reason: 'error' } })
})

test('BlockingReader with onOverrun discard-line tells an overlong line once, whatever is still to come of it', async () => {
  const server = await startTalker('much too')
  const pool = await openPool({ targets: { it: targetOf(server) } })
  const thread = attach(pool, 'overlong')
  expect(await thread.next()).toMatchObject({ code: 'LIMIT_OVERRUN' })
  const peer = await server.connection()
  peer.write(' long, and longer')
  peer.write(' still\nok\nfar too long;a;rest of it')
  expect(await thread.next()).toEqual({ returned: 'ok\n' })
  expect(await thread.next()).toMatchObject({ code: 'LIMIT_OVERRUN' })
  expect(await thread.next()).toEqual({ returned: 'a;' })
  const message = 'more than 3 bytes came before EOF'
  expect(await thread.next()).toMatchObject({ code: 'LIMIT_OVERRUN', message })
  expect(await thread.next()).toMatchObject({
    code: 'READ_TIMEOUT',
    message: 'readuntil took longer than 1 ms',
  })
  expect(await thread.next()).toMatchObject({ rest: 'rest of it' })
})

test('BlockingReader that reads an answer twice has not read the next one: its connection is not used again', async () => {
  const server = await startLineServer((line, socket) => {
    if (line === 'one') socket.write('one\n')
    else thread.worker.postMessage('heard')
  })
  const pool = await openPool({ targets: { it: targetOf(server, { reuse: 'clean' }) } })
  const thread = attach(pool, 'unread')
  expect(await thread.next()).toEqual({ again: 'one\n', offset: 4 })
  expect(await thread.next()).toEqual({ outcome: 'closed', reason: 'unanswered' })
})
