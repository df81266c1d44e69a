/** So many bytes out over each of so many leased connections, by `send`, until the peer has them all. */
import { createPool } from '../../../src/library/create-pool.ts'
import type { Lease } from '../../../src/pool/lease/lease.ts'
import { bytesOf } from '../byte-tally.ts'
import type { Runner } from '../hosting/runner.ts'
import { orderFor } from '../peers/orders.ts'

export type SendOptions = { readonly port: number; readonly connections: number }

const MIB = 1_048_576
const BLOCK = Buffer.alloc(65_536, 0x61)

export async function open({ port, connections }: SendOptions): Promise<Runner> {
  const pool = await createPool({
    ioWorkers: 1,
    targets: { sink: { host: '127.0.0.1', port, pool: { max: connections } } },
  })
  const leases = await Promise.all(Array.from({ length: connections }, () => pool.lease('sink')))
  const sendAll = async ({ reader, writer }: Lease, bytes: number): Promise<void> => {
    writer.write(orderFor(bytes))
    for (let sent = 0; sent < bytes; sent += BLOCK.length) await writer.send(BLOCK)
    await reader.readExactly(1)
  }
  return {
    run: async order => {
      const blocks = Math.ceil(bytesOf(order) / connections / BLOCK.length)
      const bytes = blocks * BLOCK.length
      const beganMs = performance.now()
      await Promise.all(leases.map(lease => sendAll(lease, bytes)))
      return { count: (connections * bytes) / MIB, elapsedMs: performance.now() - beganMs }
    },
    close: () => pool.close(),
  }
}
