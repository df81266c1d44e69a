/**
 * Row `multiplex`: GET of 64 bytes, 64 at once, in the program itself: over one shared connection, by ioredis with its
 * automatic pipelining, and over as many of our connections as there are callers. Redis is the one at its standard port.
 */
import type { Goal } from '../goals.ts'
import { fieldOf } from '../hosting/hosted-field.ts'
import { CALLERS, setKey } from '../redis-key.ts'
import type { Row } from '../rounds.ts'

export function multiplexRow(name: string, goals: readonly Goal[]): Row {
  return {
    name,
    what: `GET of 64 bytes from Redis, ${CALLERS} callers`,
    unit: 'GET/s',
    goals,
    setUp: async () => {
      const key = await setKey()
      if (key === null) return fieldOf(null, [], ['no Redis at 127.0.0.1:6379: left out'])
      return fieldOf(key, [
        { name: 'sockpool', file: 'ours/multiplex.ts', options: { isShared: true } },
        { name: 'ioredis', file: 'rivals/ioredis.ts', options: {} },
        { name: 'un-multiplexed', file: 'ours/multiplex.ts', options: { isShared: false } },
      ])
    },
  }
}
