/** Lease, 64 bytes there and back, release; or lease and release alone. `atOnce` callers, as many connections. */
import { createPool } from '../../../src/library/create-pool.ts'
import { MESSAGE } from '../echo-work.ts'
import { type Runner, runFor } from '../hosting/runner.ts'

export type LeaseOptions = { readonly port: number; readonly atOnce: number; readonly echoes: boolean }

export async function open({ port, atOnce, echoes }: LeaseOptions): Promise<Runner> {
  const pool = await createPool({
    ioWorkers: 1,
    targets: { echo: { host: '127.0.0.1', port, reuse: 'clean', pool: { max: atOnce } } },
  })
  const lend = async (): Promise<void> => {
    const lease = await pool.lease('echo')
    if (echoes) {
      lease.writer.write(MESSAGE)
      await lease.reader.readExactly(MESSAGE.length)
    }
    const { outcome } = await lease.release()
    if (outcome !== 'reused') throw new Error('a connection was not reused')
  }
  return {
    run: async ({ forMs }) => {
      const outcome = await runFor(forMs, atOnce, lend)
      return { ...outcome, others: { us: (outcome.elapsedMs * 1_000) / outcome.count } }
    },
    close: () => pool.close(),
  }
}
