/** Streams whose holder is faster than its ring, on the pool's thread, in a parse worker and after both. */
import { expect, test } from 'vitest'
import { flood } from '../support/flood.ts'
import { PatternCheck } from '../support/pattern-check.ts'
import { openPool, targetOf } from '../support/pool-fixture.ts'
import { startTestServer } from '../support/test-server.ts'
import { until } from '../support/until.ts'

const MIB = 1_048_576
const TOTAL = 32 * MIB
const RINGS = { inboundBytes: 65_536, wideBytes: 16 * 65_536 }
const BULK_READER = new URL('../fixtures/threads/bulk-reader.ts', import.meta.url)

test.each([{ tls: false }, { tls: true }])(
  'a fast stream moves to a wide ring, goes through two threads there, and no byte is lost (tls: $tls)',
  async ({ tls }) => {
    const server = await startTestServer(socket => flood(socket, TOTAL), { tls })
    const pool = await openPool({ rings: RINGS, targets: { it: targetOf(server) } })
    const lease = await pool.lease('it')
    const { reader } = lease
    // More lies unread than its own ring could hold.
    const isWide = (): Promise<void> => until('the ring was wide', () => reader.buffered > RINGS.inboundBytes)

    expect(await lease.run(BULK_READER, TOTAL / 2)).toBe(TOTAL / 2)
    await isWide()
    expect(reader.buffered).toBeLessThanOrEqual(RINGS.wideBytes)
    const check = new PatternCheck(0, TOTAL / 2)
    const target = Buffer.alloc(RINGS.inboundBytes)
    for (let count = await reader.readInto(target); count > 0; count = await reader.readInto(target))
      check.take(target.subarray(0, count))
    expect([check.received, reader.offset, reader.atEof()]).toEqual([TOTAL, TOTAL, true])
    await lease.release()
  },
)

test('a stream whose holder never empties the ring stays in the small one', async () => {
  const server = await startTestServer(socket => flood(socket, TOTAL))
  const pool = await openPool({ rings: RINGS, targets: { it: targetOf(server) } })
  const lease = await pool.lease('it')
  const { reader } = lease
  const half = RINGS.inboundBytes / 2
  let most = 0
  for (let round = 0; round < 50; round++) {
    await until('more than half came', () => reader.buffered > half)
    most = Math.max(most, reader.buffered)
    await reader.readExactly(half)
  }
  expect(most).toBeLessThanOrEqual(RINGS.inboundBytes)
  await lease.discard()
})
