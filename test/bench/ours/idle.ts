/** So many idle connections of a pool: what each takes once dialling has settled, and after 64 bytes there and back on each. */
import { createPool } from '../../../src/library/create-pool.ts'
import { dialling, withEach } from '../dialling.ts'
import { MESSAGE } from '../echo-work.ts'
import type { Runner } from '../hosting/runner.ts'
import { settledBytes } from '../resident.ts'

export type IdleOptions = { readonly port: number; readonly count: number }

const KIB = 1_024

export async function open({ port, count }: IdleOptions): Promise<Runner> {
  const pool = await createPool({
    ioWorkers: 1,
    targets: {
      idle: { host: '127.0.0.1', port, reuse: 'clean', pool: { max: count, waitTimeoutMs: 120_000 } },
    },
    limits: { leases: count, waiters: count },
  })
  // What the first connection loads and what it compiles is no connection's.
  const first = await pool.lease('idle')
  await first.discard()
  const before = await settledBytes(0)
  const run: Runner['run'] = async ({ share }) => {
    const beganMs = performance.now()
    const leases = await dialling(count, () => pool.lease('idle'))
    const elapsedMs = performance.now() - beganMs
    await withEach(leases.splice(0), lease => lease.release())
    const dialled = await settledBytes(share)
    const again = await dialling(count, () => pool.lease('idle'))
    await withEach(again, async ({ reader, writer }) => {
      writer.write(MESSAGE)
      await reader.readExactly(MESSAGE.length)
    })
    await withEach(again.splice(0), lease => lease.release())
    const used = await settledBytes(share)
    // The peer has no room for another contender's beside.
    await pool.close()
    const others = { kib: (dialled - before) / KIB / count, kibUsed: (used - before) / KIB / count }
    return { count, elapsedMs, others }
  }
  return { run }
}
