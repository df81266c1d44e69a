/** GET from Redis through `pool.exchange`: over one shared connection, or over one for each caller. */
import { createPool } from '../../../src/library/create-pool.ts'
import { type Runner, runFor } from '../hosting/runner.ts'
import { ANSWER, CALLERS, GET, PLACE } from '../redis-key.ts'

export async function open({ isShared }: { readonly isShared: boolean }): Promise<Runner> {
  const redis = isShared
    ? ({ ...PLACE, frame: 'resp', multiplex: { connections: 1 } } as const)
    : ({ ...PLACE, frame: 'resp', pool: { max: CALLERS } } as const)
  const pool = await createPool({ ioWorkers: 1, targets: { redis } })
  const ask = async (): Promise<void> => {
    const { data } = await pool.exchange('redis', { write: GET })
    if (data.toString('latin1') !== ANSWER) throw new Error(`the answer was ${String(data)}`)
  }
  return { run: ({ forMs }) => runFor(forMs, CALLERS, ask), close: () => pool.close() }
}
