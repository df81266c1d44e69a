/** Echo through leases that are held: one loop a connection. */

import { createPool } from '../../../src/library/create-pool.ts'
import type { Lease } from '../../../src/pool/lease/lease.ts'
import { type EchoOptions, MESSAGE, work } from '../echo-work.ts'
import { type Runner, runFor } from '../hosting/runner.ts'

export async function open({ port, connections, turns }: EchoOptions): Promise<Runner> {
  const pool = await createPool({
    ioWorkers: 1,
    targets: { echo: { host: '127.0.0.1', port, pool: { max: connections } } },
  })
  const leases = await Promise.all(Array.from({ length: connections }, () => pool.lease('echo')))
  const ask = async ({ reader, writer }: Lease): Promise<void> => {
    writer.write(MESSAGE)
    work(await reader.readExactly(MESSAGE.length), turns)
  }
  return {
    run: ({ forMs }) => runFor(forMs, connections, index => ask(leases[index] as Lease)),
    close: () => pool.close(),
  }
}
