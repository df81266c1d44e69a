/** The key of 64 bytes that rows ask the Redis at its standard port for. */
import { Redis } from 'ioredis'

export const PLACE = { host: '127.0.0.1', port: 6379 } as const
export const CALLERS: number = 64
export const KEY = 'sockpool:bench:key'
export const VALUE: string = 'v'.repeat(64)
export const GET: string = `*2\r\n$3\r\nGET\r\n$${KEY.length}\r\n${KEY}\r\n`
export const ANSWER: string = `$${VALUE.length}\r\n${VALUE}\r\n`

/** Sets the key; what it gives removes it. Null where no Redis answers. */
export async function setKey(): Promise<{ readonly close: () => Promise<void> } | null> {
  const redis = new Redis({ ...PLACE, lazyConnect: true, retryStrategy: () => null })
  redis.on('error', () => {})
  try {
    await redis.connect()
    await redis.set(KEY, VALUE)
  } catch {
    return null
  }
  return {
    close: async () => {
      await redis.del(KEY)
      redis.disconnect()
    },
  }
}
