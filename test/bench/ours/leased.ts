/** Echo on some of many leased connections: `active` of `leased` are at work, spread over all, the others say nothing. */
import { createPool } from '../../../src/library/create-pool.ts'
import type { Lease } from '../../../src/pool/lease/lease.ts'
import { dialling } from '../dialling.ts'
import { MESSAGE } from '../echo-work.ts'
import { type Runner, runFor } from '../hosting/runner.ts'

export type LeasedOptions = { readonly port: number; readonly leased: number; readonly active: number }

export async function open({ port, leased, active }: LeasedOptions): Promise<Runner> {
  const pool = await createPool({
    ioWorkers: 1,
    targets: { echo: { host: '127.0.0.1', port, pool: { max: leased, waitTimeoutMs: 120_000 } } },
    limits: { leases: leased, waiters: leased },
  })
  const leases = await dialling(leased, () => pool.lease('echo'))
  const step = leased / active
  const echo = async (index: number): Promise<void> => {
    const { reader, writer } = leases[Math.floor(index * step)] as Lease
    writer.write(MESSAGE)
    await reader.readExactly(MESSAGE.length)
  }
  return {
    run: async ({ forMs }) => {
      const outcome = await runFor(forMs, active, echo)
      return { ...outcome, others: { us: (outcome.elapsedMs * 1_000) / outcome.count } }
    },
    close: () => pool.close(),
  }
}
