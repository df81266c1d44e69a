/** Bytes that come in while the main thread is blocked half of the time. */
import { createPool } from '../../../src/library/create-pool.ts'
import type { Lease } from '../../../src/pool/lease/lease.ts'
import { beginBlocking, periodsOf } from '../blocking.ts'
import type { Runner } from '../hosting/runner.ts'
import { orderFor } from '../peers/orders.ts'

export type BlockedOptions = { readonly port: number; readonly connections: number }

const MIB = 1_048_576
const READ_BYTES = 262_144
/** More than comes in a whole bench. */
const ENDLESS = 2 ** 50

export async function open({ port, connections }: BlockedOptions): Promise<Runner> {
  const pool = await createPool({
    ioWorkers: 1,
    targets: { bulk: { host: '127.0.0.1', port, pool: { max: connections } } },
  })
  const leases = await Promise.all(Array.from({ length: connections }, () => pool.lease('bulk')))
  for (const lease of leases) lease.writer.write(orderFor(ENDLESS))
  let received = 0
  const receive = async ({ reader }: Lease, endMs: number): Promise<void> => {
    const target = Buffer.alloc(READ_BYTES)
    while (performance.now() < endMs) received += await reader.readInto(target)
  }
  return {
    run: async ({ forMs }) => {
      const end = beginBlocking()
      received = 0
      const beganMs = performance.now()
      await Promise.all(leases.map(lease => receive(lease, beganMs + periodsOf(forMs))))
      const elapsedMs = performance.now() - beganMs
      end()
      return { count: received / MIB, elapsedMs }
    },
    close: () => pool.close(),
  }
}
