/** The pool that attached threads share: one target, `it`, whose connections serve again. */
import type { PoolOptions } from '../../../src/library/create-pool.ts'
import { createPool } from '../../../src/library/create-pool.ts'
import type { Pool } from '../../../src/pool/pool.ts'
import { poolCounts } from '../../support/open-connections.ts'
import { until } from '../../support/until.ts'

export function poolTo(server: { readonly port: number; readonly ca: string }): Promise<Pool> {
  const { port, ca } = server
  const tls = ca === '' ? {} : { tls: { ca, servername: 'localhost' } }
  const targets: PoolOptions['targets'] = { it: { host: '127.0.0.1', port, reuse: 'clean', ...tls } }
  return createPool({ targets })
}

/** No case may leave a lease or a connection to the next one. */
export async function untilEmpty(pool: Pool): Promise<void> {
  await until('the pool was empty', () => pool.stats().leases + poolCounts(pool).connections === 0)
}
