import type { Pool } from '../../src/pool/pool.ts'
import type { WorkerStats } from '../../src/threads/worker-stats.ts'

/** The rows of a pool's I/O workers, without those of its parse threads. */
export async function ioWorkersOf(pool: Pick<Pool, 'workers'>): Promise<readonly WorkerStats[]> {
  const rows = (await pool.workers()) as readonly ({ readonly kind?: string } & object)[]
  return rows.filter(({ kind }) => kind === 'io') as unknown as readonly WorkerStats[]
}
