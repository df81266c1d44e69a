/** GET from Redis by ioredis, which gathers the calls of a turn into one write. */
import { Redis } from 'ioredis'
import { type Runner, runFor } from '../hosting/runner.ts'
import { CALLERS, KEY, PLACE, VALUE } from '../redis-key.ts'

export async function open(): Promise<Runner> {
  const redis = new Redis({ ...PLACE, enableAutoPipelining: true })
  const ask = async (): Promise<void> => {
    const value = await redis.get(KEY)
    if (value !== VALUE) throw new Error(`the answer was ${value}`)
  }
  return { run: ({ forMs }) => runFor(forMs, CALLERS, ask), close: async () => redis.disconnect() }
}
