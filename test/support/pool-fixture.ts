/** A pool that closes with its test and fails it where connections, slots, threads or timers are left. */
import { expect, onTestFinished } from 'vitest'
import { createPool, joinPool, type PoolOptions, type ServiceTraits } from '../../src/library/create-pool.ts'
import type { Pool } from '../../src/pool/pool.ts'
import { watchLeaks } from './leak-watch.ts'
import { poolCounts } from './open-connections.ts'
import type { TestServer } from './test-server.ts'

type Target = NonNullable<PoolOptions['targets']>[string]

export async function openPool(options: PoolOptions = {}): Promise<Pool> {
  watchLeaks()
  return guard(await createPool(options))
}

/** A pool as the service builds its own. */
export function openServicePool(options: PoolOptions, traits: Partial<ServiceTraits> = {}): Pool {
  watchLeaks()
  const service: ServiceTraits = { defaultTtl: 'target', parseBytesMax: 16_777_216 }
  return guard(joinPool(options, { ...service, ...traits }).pool)
}

/** The target that a test's server is. */
export function targetOf(server: TestServer, more: Partial<Target> = {}): Target {
  const { host, port, ca } = server
  return { host, port, ...(ca === '' ? {} : { tls: { ca, servername: 'localhost' } }), ...more }
}

function guard(pool: Pool): Pool {
  onTestFinished(async () => {
    await pool.close()
    expect(poolCounts(pool), 'after close').toMatchObject({ leases: 0, waiters: 0, connections: 0 })
  })
  return pool
}
