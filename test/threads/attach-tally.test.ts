/** What becomes of the exchanges of another thread, as the pool's thread counts them. */
import { expect, test } from 'vitest'
import { ParseTally } from '../../src/base/parse-tally.ts'
import { TargetTallies } from '../../src/pool/target/target-tally.ts'
import { attach } from '../support/attached.ts'
import { endNextLease } from '../support/end-next-lease.ts'
import { echoLine, startLineServer } from '../support/line-server.ts'
import { openServicePool, targetOf } from '../support/pool-fixture.ts'
import { until } from '../support/until.ts'

/** A pool that counts, and how many exchanges of its target have come to what. */
function openCounted(server: Awaited<ReturnType<typeof startLineServer>>) {
  const tallies = new TargetTallies()
  const metered = { tallies, parse: new ParseTally(), onDenied: () => {} }
  const pool = openServicePool({ targets: { it: targetOf(server, { reuse: 'clean' }) } }, { metered })
  const results = (): Readonly<Record<string, number>> => {
    const counted = Array.from(tallies.named.get('it')?.exchanged ?? [])
    return Object.fromEntries(
      counted.filter(([, { count }]) => count > 0).map(([name, { count }]) => [name, count]),
    )
  }
  return { pool, results }
}

test('an exchange that its thread has not ended when it lets go of the pool is lost', async () => {
  const heard = Promise.withResolvers<void>()
  const { pool, results } = openCounted(await startLineServer(() => heard.resolve()))
  const thread = attach(pool, 'closeInExchange')
  await heard.promise
  thread.worker.postMessage('close')
  expect(await thread.next()).toMatchObject({ code: 'LEASE_GONE' })
  await until('it is counted', () => Object.keys(results()).length > 0)
  expect(results()).toEqual({ lease_gone: 1 })
})

test('an exchange that is given up once it is granted a connection is aborted', async () => {
  const { pool, results } = openCounted(await startLineServer(echoLine))
  const thread = attach(pool, 'abortAtGrant')
  expect(await thread.next()).toMatchObject({ code: 'ABORTED' })
  await until('its connection is back', () => pool.stats().connections.idle === 1)
  expect(results()).toEqual({ aborted: 1 })
  const [row] = pool.connections()
  const exchanged = pool.connection(row?.id ?? '').operations.filter(({ name }) => name === 'exchange')
  expect(exchanged).toMatchObject([{ outcome: 'aborted' }])
})

test('an exchange whose lease ends before its thread has it is lost, and counted', async () => {
  const { pool, results } = openCounted(await startLineServer(echoLine))
  endNextLease(record => record.kill('killed'))
  const thread = attach(pool, 'exchangeBoth', { write: 'ping\n', read: { line: true } })
  expect(await thread.next()).toMatchObject([{ code: 'LEASE_GONE' }, { text: 'ping\n' }])
  await until('both are counted', () => Object.keys(results()).length === 2)
  expect(results()).toEqual({ lease_gone: 1, ok: 1 })
})
