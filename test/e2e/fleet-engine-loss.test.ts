/** Instances whose engine comes and goes, and one that another start takes the place of. */
import { describe, expect, test } from 'vitest'
import {
  CAPPED,
  CountedUpstream,
  type FleetScene,
  fleetState,
  settleCap,
  startInstance,
} from '../support/fleet-instances.ts'
import { OwnRedis } from '../support/own-redis.ts'
import type { ServiceProcess } from '../support/service-process.ts'
import { untilComesTo } from '../support/until.ts'

async function scene(skip: (note: string) => never): Promise<FleetScene> {
  const redis = await OwnRedis.start(skip)
  const upstream = await CountedUpstream.start()
  await settleCap(redis)
  return { redis, upstream, cap: 4 }
}

/** The messages of its log lines. */
const logged = (service: ServiceProcess): readonly string[] =>
  service
    .stderr()
    .split('\n')
    .filter(line => line !== '')
    .map(line => (JSON.parse(line) as { msg: string }).msg)

describe('an instance of a fleet', () => {
  test('serves on without the engine with what it had, and joins again when that is back', async ({
    skip,
  }) => {
    const given = await scene(skip)
    const a = await startInstance('a', given)
    expect(await fleetState(a)).toBe('joined')
    const held = await a.api.lease(CAPPED)
    await given.redis.stop()
    await untilComesTo('degraded', () => fleetState(a), 10_000)
    expect((await a.api.get('/readyz')).status).toBe(200)
    expect((await held.look()).status).toBe(200)
    await held.release()
    const again = await a.api.lease(CAPPED)
    expect(again.view.reused).toBe(true)
    await given.redis.start()
    await untilComesTo('joined', () => fleetState(a), 10_000)
    await again.release()
    expect(logged(a)).toEqual(
      expect.arrayContaining([
        'joined the fleet',
        expect.stringContaining('the engine of the fleet cannot be reached'),
        'the engine of the fleet answers again: caps are shared by its word',
      ]),
    )
  })

  test('starts without the engine, and joins when it comes', async ({ skip }) => {
    const given = await scene(skip)
    await given.redis.stop()
    const a = await startInstance('a', given)
    expect(await fleetState(a)).toBe('degraded')
    await given.redis.start()
    await untilComesTo('joined', () => fleetState(a), 10_000)
    await (await a.api.lease(CAPPED)).release()
  })

  test('gives way to a later start under its name, and ends with 1', async ({ skip }) => {
    const given = await scene(skip)
    const old = await startInstance('a', given)
    const lease = await old.api.lease(CAPPED)
    const later = await startInstance('a', given)
    await lease.release()
    expect(await old.exited).toBe(1)
    expect(logged(old)).toEqual(
      expect.arrayContaining([expect.stringContaining('another start has joined the fleet under the name')]),
    )
    await untilComesTo('joined', () => fleetState(later), 10_000)
    await (await later.api.lease(CAPPED)).release()
  })
})
