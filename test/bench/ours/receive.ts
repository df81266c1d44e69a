/** So many bytes in over some connections, plain or TLS, into memory of the caller's. */
import { createPool } from '../../../src/library/create-pool.ts'
import type { Lease } from '../../../src/pool/lease/lease.ts'
import { bytesOf } from '../byte-tally.ts'
import type { Runner } from '../hosting/runner.ts'
import { beginDelay } from '../loop-delay.ts'
import { orderFor } from '../peers/orders.ts'

/** `ca` where TLS is spoken. */
export type ReceiveOptions = {
  readonly port: number
  readonly ca: string | null
  readonly connections: number
}

const MIB = 1_048_576
const READ_BYTES = 262_144

export async function open({ port, ca, connections }: ReceiveOptions): Promise<Runner> {
  const tls = ca === null ? false : { ca, servername: 'localhost' }
  const pool = await createPool({
    ioWorkers: 1,
    targets: { bulk: { host: '127.0.0.1', port, tls, pool: { max: connections } } },
  })
  const leases = await Promise.all(Array.from({ length: connections }, () => pool.lease('bulk')))
  const receive = async ({ reader, writer }: Lease, bytes: number): Promise<void> => {
    const target = Buffer.alloc(READ_BYTES)
    writer.write(orderFor(bytes))
    for (let got = 0; got < bytes; ) got += await reader.readInto(target)
  }
  return {
    run: async order => {
      const bytes = Math.ceil(bytesOf(order) / connections)
      const endDelay = beginDelay()
      const beganMs = performance.now()
      await Promise.all(leases.map(lease => receive(lease, bytes)))
      const elapsedMs = performance.now() - beganMs
      return { count: (connections * bytes) / MIB, elapsedMs, others: { delay: endDelay() } }
    },
    close: () => pool.close(),
  }
}
