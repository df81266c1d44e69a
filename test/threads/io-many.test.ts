import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import type { WorkerStats } from '../../src/threads/worker-stats.ts'
import { poolCounts } from '../support/open-connections.ts'
import { PatternCheck, pattern } from '../support/pattern-check.ts'
import { openPool, targetOf } from '../support/pool-fixture.ts'
import { echo, startTestServer } from '../support/test-server.ts'
import { until } from '../support/until.ts'

const CONNECTIONS = 2_000
/** Both ends of each connection are this process's. */
const FILES_NEEDED = 2 * CONNECTIONS + 200
const filesMax = Number(execFileSync('sh', ['-c', 'ulimit -n']).toString().replace('unlimited', 'Infinity'))

test.skipIf(filesMax < FILES_NEEDED)(
  `${CONNECTIONS} leases at once through two I/O workers each get their own bytes`,
  async () => {
    const server = await startTestServer(echo)
    const pool = await openPool({
      ioWorkers: 2,
      targets: {
        it: targetOf(server, { reuse: 'clean', pool: { max: CONNECTIONS, connectTimeoutMs: 30_000 } }),
      },
    })
    const leases = await Promise.all(Array.from({ length: CONNECTIONS }, () => pool.lease('it')))
    await until('all were accepted', () => server.sockets.size === CONNECTIONS)
    const rows = (await pool.workers()) as readonly WorkerStats[]
    expect(rows.map(({ connections }) => connections)).toEqual([CONNECTIONS / 2, CONNECTIONS / 2])

    // Three rounds of different lengths, so that every connection is at another place of its ring.
    const checks = leases.map((_lease, index) => new PatternCheck(index))
    for (let round = 1; round <= 3; round++)
      await Promise.all(
        leases.map(async ({ reader, writer }, index) => {
          const check = checks[index]
          if (check === undefined) throw new Error('no check')
          const count = 1_000 * round + index
          writer.write(pattern(check.received, count, index))
          await writer.drain()
          check.take(await reader.readExactly(count, { timeoutMs: 20_000 }))
        }),
      )
    const verdicts = await Promise.all(leases.map(lease => lease.release()))
    expect(verdicts.every(({ reason }) => reason === 'clean')).toBe(true)
    expect(poolCounts(pool)).toMatchObject({ leases: 0, connections: CONNECTIONS })
    expect(server.accepted).toBe(CONNECTIONS)
  },
)
