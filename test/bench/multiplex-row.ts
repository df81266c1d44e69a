/**
 * Row `multiplex`: GET of 64 bytes, 64 at once, in the program itself: over one shared connection, by ioredis with its
 * automatic pipelining, and over as many of our connections as there are callers. Redis is the one at its standard port.
 */
import { Redis } from 'ioredis'
import { createPool } from '../../src/library/create-pool.ts'
import type { Pool } from '../../src/pool/pool.ts'
import { beginStretch } from './busy.ts'
import type { Contender, Field, Goal, Row } from './rounds.ts'

const CALLERS = 64
const ROUND_MS = 600
const PLACE = { host: '127.0.0.1', port: 6379 }
const KEY = 'sockpool:bench:multiplex'
const VALUE = 'v'.repeat(64)
const GET = `*2\r\n$3\r\nGET\r\n$${KEY.length}\r\n${KEY}\r\n`
const ANSWER = `$${VALUE.length}\r\n${VALUE}\r\n`

export function multiplexRow(name: string, goals: readonly Goal[]): Row {
  return { name, what: `GET of 64 bytes from Redis, ${CALLERS} callers`, unit: 'GET/s', goals, setUp }
}

async function setUp(): Promise<Field> {
  const frame = 'resp'
  const pool = await createPool({
    ioWorkers: 1,
    targets: {
      shared: { ...PLACE, frame, multiplex: { connections: 1 } },
      own: { ...PLACE, frame, pool: { max: CALLERS } },
    },
  })
  const redis = new Redis({ ...PLACE, enableAutoPipelining: true })
  await redis.set(KEY, VALUE)
  return {
    contenders: [
      contender('sockpool', () => ask(pool, 'shared')),
      contender('ioredis', async () => expectValue(await redis.get(KEY), VALUE)),
      contender('un-multiplexed', () => ask(pool, 'own')),
    ],
    close: async () => {
      await redis.del(KEY)
      redis.disconnect()
      await pool.close()
    },
  }
}

async function ask(pool: Pool, target: string): Promise<void> {
  const { data } = await pool.exchange(target, { write: GET })
  expectValue(data.toString('latin1'), ANSWER)
}

function expectValue(value: string | null, expected: string): void {
  if (value !== expected) throw new Error(`the answer was ${value}`)
}

function contender(name: string, call: () => Promise<void>): Contender {
  return {
    name,
    run: async () => {
      const end = beginStretch()
      const endMs = performance.now() + ROUND_MS
      let count = 0
      const loop = async (): Promise<void> => {
        for (; performance.now() < endMs; count++) await call()
      }
      await Promise.all(Array.from({ length: CALLERS }, loop))
      const { elapsedMs, busy, cpu } = end()
      return { rate: (count * 1_000) / elapsedMs, busy, cpu }
    },
  }
}
