/** One target behind a pool, and its leases in the clothes that clients written for `net.Socket` take. */
import type { PoolOptions } from '../../src/library/create-pool.ts'
import type { Pool } from '../../src/pool/pool.ts'
import type { SocketDuplex } from '../../src/streams/adapters/socket-duplex.ts'
import { poolCounts } from './open-connections.ts'
import { openPool } from './pool-fixture.ts'
import { until } from './until.ts'

type Target = NonNullable<PoolOptions['targets']>[string]

export type LeasedSockets = {
  readonly pool: Pool
  /** A leased connection. */
  socket(): Promise<SocketDuplex>
  /** Resolves when every lease has ended and every connection is closed. */
  settled(): Promise<void>
}

export async function leaseSockets(target: Target): Promise<LeasedSockets> {
  const pool = await openPool({ targets: { it: target } })
  return {
    pool,
    socket: async () => (await pool.lease('it')).toDuplex(),
    settled: () =>
      until('every lease had ended', () => {
        const { leases, connections } = poolCounts(pool)
        return leases === 0 && connections === 0
      }),
  }
}

/** What the clients are given to carry: 10 MB. */
export const LARGE_BYTES = 10_485_760

/** How many queries or messages each client makes. */
export const ROUNDS = 1_000
