/** One cap over several instances, each a process, with a real engine between them. */
import { describe, expect, test } from 'vitest'
import type { HeldLease } from '../support/api.ts'
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
import { until, untilComesTo } from '../support/until.ts'

type Skip = (note: string) => never

async function scene(skip: Skip, cap = 4): Promise<FleetScene> {
  const redis = await OwnRedis.start(skip)
  const upstream = await CountedUpstream.start()
  await settleCap(redis)
  return { redis, upstream, cap }
}

const leases = (service: ServiceProcess, count: number): Promise<HeldLease[]> =>
  Promise.all(Array.from({ length: count }, () => service.api.lease(CAPPED, { waitMs: 20_000 })))

const released = (held: readonly HeldLease[]): Promise<unknown> =>
  Promise.all(held.map(lease => lease.release()))

/** One more lease, or none: who waits for long is told to come again. */
async function leaseOf(service: ServiceProcess, held: HeldLease[]): Promise<void> {
  await service.api.lease(CAPPED, { waitMs: 20_000 }).then(
    lease => held.push(lease),
    (error: unknown) => expect(String(error)).toContain('queue_full'),
  )
}

/** Milliseconds that a lease takes. */
async function timed(service: ServiceProcess): Promise<number> {
  const startMs = performance.now()
  const lease = await service.api.lease(CAPPED, { waitMs: 20_000 })
  const tookMs = performance.now() - startMs
  await lease.release()
  return tookMs
}

/** Callers that lease and release, over and over, until `isOver`. How often they were served. */
async function callers(service: ServiceProcess, count: number, isOver: () => boolean): Promise<number> {
  let served = 0
  const one = async (): Promise<void> => {
    while (!isOver()) {
      const lease = await service.api.lease(CAPPED, { waitMs: 20_000 })
      await lease.release()
      served++
    }
  }
  await Promise.all(Array.from({ length: count }, one))
  return served
}

describe('a cap over several instances', () => {
  test('is kept while callers wait at both of two, and neither is starved', async ({ skip }) => {
    const given = await scene(skip)
    const [a, b] = await Promise.all([startInstance('a', given), startInstance('b', given)])
    expect(await fleetState(a)).toBe('joined')
    const endMs = performance.now() + 3_000
    const isOver = (): boolean => performance.now() > endMs
    const served = await Promise.all([callers(a, 6, isOver), callers(b, 6, isOver)])
    expect(given.upstream.most).toBe(4)
    expect(Math.min(...served)).toBeGreaterThan(Math.max(...served) / 5)
  })

  test('has a connection that lies idle at one instance serve another within a second', async ({ skip }) => {
    const given = await scene(skip)
    const [a, b] = await Promise.all([startInstance('a', given), startInstance('b', given)])
    // What is done for the first time takes its own time.
    await timed(b)
    await released(await leases(a, 4))
    expect(await timed(b)).toBeLessThan(1_000)
    expect(given.upstream.most).toBe(4)
  })

  test('has one with many callers make room for another within a second, and kills nothing', async ({
    skip,
  }) => {
    const given = await scene(skip)
    const [a, b] = await Promise.all([startInstance('a', given), startInstance('b', given)])
    await timed(b)
    let isOver = false
    const busy = callers(a, 8, () => isOver)
    await until('one has all of it', () => given.upstream.server.sockets.size === 4)
    const tookMs = await timed(b)
    isOver = true
    expect(await busy).toBeGreaterThan(0)
    expect(tookMs).toBeLessThan(1_000)
    expect(given.upstream.most).toBe(4)
  })

  test('is all for the others, once an instance has left', async ({ skip }) => {
    const given = await scene(skip)
    const [a, b] = await Promise.all([startInstance('a', given), startInstance('b', given)])
    await released(await leases(a, 3))
    await a.stop()
    const held = await leases(b, 4)
    await released(held)
    expect(given.upstream.most).toBe(4)
  })

  test('is all for the others a TTL after an instance was killed, and not before', async ({ skip }) => {
    const given = await scene(skip)
    const [a, b] = await Promise.all([startInstance('a', given), startInstance('b', given)])
    await leases(a, 3)
    a.signal('SIGKILL')
    await a.exited
    const startMs = performance.now()
    const held: HeldLease[] = []
    while (held.length < 4) await leaseOf(b, held)
    const tookMs = performance.now() - startMs
    await released(held)
    expect(tookMs).toBeGreaterThan(9_000)
    expect(tookMs).toBeLessThan(17_000)
  })

  test('is cut from an instance that was frozen for longer than a TTL, before it serves again', async ({
    skip,
  }) => {
    const given = await scene(skip)
    const [a, b] = await Promise.all([startInstance('a', given), startInstance('b', given)])
    const frozen = await leases(a, 3)
    a.signal('SIGSTOP')
    const held: HeldLease[] = []
    while (held.length < 4) await leaseOf(b, held)
    a.signal('SIGCONT')
    // What it held is others' by now, and so its holders have lost it.
    for (const lease of frozen) await untilComesTo(410, async () => (await lease.look()).status, 10_000)
    await until('the cap is kept', () => given.upstream.open === 4)
    await released(held)
    await released(await leases(a, 1))
  })
})
