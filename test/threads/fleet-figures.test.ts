/** What is told of rings and threads without a message to any. */
import { expect, onTestFinished, test } from 'vitest'
import { DEFAULTS } from '../../src/base/defaults.ts'
import { LIMITS } from '../../src/base/limits.ts'
import { joinPool } from '../../src/library/create-pool.ts'
import { startTestServer } from '../support/test-server.ts'
import { until } from '../support/until.ts'

test('FleetFigures tells of rings that are full, on the way in and on the way out', async () => {
  const bytes = 4 * LIMITS.inboundRingBytes
  const server = await startTestServer(
    socket => {
      socket.on('error', () => {})
      // It sends much, and reads nothing.
      socket.pause()
      socket.write(Buffer.alloc(bytes))
    },
    { tolerant: true },
  )
  const { host, port } = server
  const { pool, fleet } = joinPool(
    { targets: { it: { host, port } } },
    { defaultTtl: 'none', parseBytesMax: DEFAULTS.bodyBytesMax },
  )
  onTestFinished(() => pool.close())
  const { figures } = fleet
  const lease = await pool.lease('it')
  await until('the way in is full', () => figures.ringUse().inbound === LIMITS.inboundRingBytes)
  await until('that is counted', () => figures.totals().stallsIn > 0)
  expect(figures.totals().stallsOut).toBe(0)
  // More than the kernel keeps for a peer that does not read.
  lease.writer.write(Buffer.alloc(16 * 1_048_576))
  await until('the way out is full', () => figures.ringUse().outbound === LIMITS.outboundRingBytes)
  await until('that is counted', () => figures.totals().stallsOut > 0)
  expect((await lease.reader.readExactly(bytes)).length).toBe(bytes)
  expect(figures.ringUse().inbound).toBe(0)
  await lease.discard()
  await until('the rings are nobody’s', () => figures.ringUse().outbound === 0)
  expect(figures.workers().map(({ id }) => id)).toEqual([0])
})
