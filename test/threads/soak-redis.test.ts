import { expect, test } from 'vitest'
import { redis } from '../soak/redis.ts'
import { REDIS_COMMAND } from '../soak/redis-server.ts'
import { REDIS } from '../soak/scales.ts'
import { watchLeaks } from '../support/leak-watch.ts'
import { requireProgram } from '../support/own-program.ts'

test('a Redis that kills connections, stops and starts again cuts calls under way and no others', async ({
  skip,
}) => {
  await requireProgram(REDIS_COMMAND, 'redis-server', skip)
  watchLeaks()
  const { violations, figures } = await redis({ ...REDIS.small, seed: Math.floor(Math.random() * 1e6) })
  expect(violations).toEqual([])
  expect(figures).toMatchObject({ stops: 1 })
})
