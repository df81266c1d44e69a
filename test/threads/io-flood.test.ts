import { expect, test } from 'vitest'
import { collectUntil } from '../support/collect-garbage.ts'
import { flood } from '../support/flood.ts'
import { PatternCheck } from '../support/pattern-check.ts'
import { openPool, openServicePool, targetOf } from '../support/pool-fixture.ts'
import { echo, startTestServer } from '../support/test-server.ts'
import { until, untilSteady } from '../support/until.ts'

const MIB = 1_048_576
const RINGS = { inboundBytes: 65_536 }

test.each([false, true])(
  'an I/O worker holds back a flood that nobody reads, and loses no byte of it (tls %s)',
  async tls => {
    const total = 40 * MIB
    const source = await startTestServer(socket => flood(socket, total), { tls })
    const other = await startTestServer(echo)
    const pool = await openPool({
      rings: RINGS,
      targets: { flood: targetOf(source), other: targetOf(other) },
    })
    await pool.use('other', () => {})
    const rssBefore = process.memoryUsage.rss()
    const lease = await pool.lease('flood')
    const socket = await source.connection()
    const taken = (): number => socket.bytesWritten - socket.writableLength
    const held = await untilSteady(taken, 300)
    // The ring, and what the kernel keeps for both ends of a connection.
    expect(held).toBeLessThan(24 * MIB)
    expect(lease.reader.buffered).toBeLessThanOrEqual(65_536)
    // The source's own garbage is collected; what somebody kept of 40 MiB would stay.
    await collectUntil('no thread keeps the flood', () => process.memoryUsage.rss() - rssBefore < 32 * MIB)

    await pool.use('other', async ({ reader, writer }) => {
      writer.write('alive\n')
      expect((await reader.readLine({ timeoutMs: 1_000 })).toString()).toBe('alive\n')
    })
    expect(taken()).toBe(held)

    const check = new PatternCheck()
    for (;;) {
      const bytes = await lease.reader.read(100_000)
      if (bytes.length === 0) break
      check.take(bytes)
    }
    expect(check.received).toBe(total)
    expect(lease.reader.atEof()).toBe(true)
    await lease.release()
  },
)

test.each([
  { how: 'no replay', replay: false, rings: RINGS },
  { how: 'a replay window', replay: true, rings: {} },
])('a paused connection goes on when the next read needs more than the ring holds ($how)', async opts => {
  const { replay, rings } = opts
  const total = MIB
  const server = await startTestServer(socket => flood(socket, total))
  const pool = openServicePool({ rings, targets: { flood: targetOf(server) } })
  const lease = await pool.lease('flood', { replay })
  const room = 65_536
  const check = new PatternCheck()
  await until('the ring was full', () => lease.reader.buffered >= room)
  // Leaves the ring less than half free at every wait: 1, room, 1, room, …
  for (let step = 0; step < 6; step++) {
    check.take(await lease.reader.readExactly(1, { timeoutMs: 2_000 }))
    check.take(await lease.reader.readExactly(room, { timeoutMs: 2_000 }))
  }
  const rest = lease.reader.read(-1, { timeoutMs: 2_000 })
  check.take(await rest)
  expect(check.received).toBe(total)
})
