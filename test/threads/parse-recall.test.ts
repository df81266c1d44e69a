/** A lent reader comes back when the call that lent it is aborted, as it does at the deadline. */
import { expect, test } from 'vitest'
import { gatedWords } from '../support/gated-words.ts'
import { openPool, targetOf } from '../support/pool-fixture.ts'
import { startTestServer } from '../support/test-server.ts'
import { until } from '../support/until.ts'

const READER = new URL('../fixtures/parse/gated-reader.ts', import.meta.url)

test('Lease.run that is aborted while it reads leaves the lease and its bytes', async () => {
  const server = await startTestServer(socket => socket.write('[1'))
  const pool = await openPool({ targets: { it: targetOf(server) } })
  const lease = await pool.lease('it')
  const peer = await server.connection()
  await until('bytes came', () => lease.reader.buffered > 0)
  const controller = new AbortController()
  const { words, begun } = gatedWords()
  const running = lease
    .run(READER, { do: 'line', words }, { signal: controller.signal })
    .catch((error: unknown) => error)
  await begun
  const reason = new Error('no longer wanted')
  controller.abort(reason)
  expect(await running).toMatchObject({ code: 'ABORTED', name: 'AbortError', cause: reason })
  expect(lease.gone).toBe(null)
  peer.write(',2]rest')
  expect(await lease.parse('json')).toEqual([1, 2])
  expect((await lease.reader.readExactly(4)).toString()).toBe('rest')
})
