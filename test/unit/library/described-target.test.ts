import { expect, test } from 'vitest'
import { LIMITS } from '../../../src/base/limits.ts'
import { describedTarget } from '../../../src/library/described-target.ts'
import type { AdHocTarget } from '../../../src/pool/target/target-pools.ts'

const RULES = { max: 3, isOwnAuthority: true }
const PLACES: AdHocTarget[] = [
  { host: '127.0.0.1', port: 7, connectTimeoutMs: 900 },
  { path: '/run/it.sock' },
]

test.each(PLACES)(
  'describedTarget is not reused, and what its caller has left does not lie idle for long: %j',
  place => {
    const { target } = describedTarget(place, RULES)
    expect(target.reuse).toBe('never')
    expect(target.pool).toMatchObject({ min: 0, max: 3, idleTimeoutMs: LIMITS.describedIdleMs })
    expect(target.pool.connectTimeoutMs).toBe(place.connectTimeoutMs ?? 10_000)
  },
)
