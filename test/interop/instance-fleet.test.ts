/** Two instances of a fleet at a real engine, as the rest of a process uses them. */
import { describe, expect, onTestFinished, test } from 'vitest'
import type { FleetConfig } from '../../src/config/fleet.ts'
import { InstanceFleet } from '../../src/fleet/instance-fleet.ts'
import { scriptOf } from '../../src/fleet/script.ts'
import type { PermitTaker, PermitUse } from '../../src/pool/target/permits.ts'
import { openEngine } from '../support/fleet-engine.ts'
import { CAPPED, settleCap } from '../support/fleet-instances.ts'
import { watchLeaks } from '../support/leak-watch.ts'
import { OwnRedis } from '../support/own-redis.ts'
import { until, untilComesTo } from '../support/until.ts'

const TTL_MS = 600
const TIMES = { ttlMs: TTL_MS, renewMs: TTL_MS / 3, graceMs: TTL_MS }

type Instance = { readonly fleet: InstanceFleet; readonly faults: string[] }

async function openInstance(
  redis: OwnRedis,
  name: string,
  more: Partial<FleetConfig> = {},
): Promise<Instance> {
  const faults: string[] = []
  const config: FleetConfig = {
    ...{ url: redis.url, name, advertise: `http://${name}.internal:7070`, caps: { [CAPPED]: 4 } },
    ...{ onEngineLoss: 'share', expected: 1, ...more },
  }
  const fleet = await InstanceFleet.open(config, {
    version: '1.2.3',
    times: TIMES,
    onState: () => {},
    onFault: (what, error) => faults.push(`${what}: ${String(error)}`),
  })
  onTestFinished(() => fleet.close())
  return { fleet, faults }
}

/** A pool that uses all that it may, up to what the test has it want. */
class Pool implements PermitTaker {
  wanted = 0
  taken = 0
  readonly permits

  constructor({ fleet }: Instance, target = CAPPED) {
    this.permits = fleet.permitsOf(target, this)
  }

  get use(): PermitUse {
    return { taken: this.taken, idle: 0, wanting: Math.max(0, this.wanted - this.taken), cold: 0 }
  }

  want(count: number): void {
    this.wanted = count
    this.refresh()
    this.permits?.changed()
  }

  refresh(): void {
    this.taken = Math.min(this.wanted, this.permits?.granted ?? 0)
  }

  cut(): number {
    this.refresh()
    return 0
  }
}

describe('InstanceFleet', () => {
  test('tells whose an id is: its own, of another that is there, of one that has come just now, of one that is gone', async ({
    skip,
  }) => {
    watchLeaks()
    const redis = await OwnRedis.start(skip)
    const [a, b] = [await openInstance(redis, 'a'), await openInstance(redis, 'b')]
    await a.fleet.join(() => ({ leases: 1, connections: 2 }))
    const ofB = b.fleet.newId()
    expect(a.fleet.ownerOf(a.fleet.newId())).toEqual({ kind: 'own' })
    // Nobody has heard of it: the engine is asked, and knows nothing either.
    expect(a.fleet.ownerOf(ofB)).toMatchObject({ kind: 'unreachable', name: 'b' })
    await until('nobody knows it', () => a.fleet.ownerOf(ofB).kind === 'lost')
    await b.fleet.join(() => ({ leases: 0, connections: 0 }))
    await until('it is there', () => a.fleet.ownerOf(ofB).kind === 'other')
    expect(a.fleet.ownerOf(ofB)).toEqual({ kind: 'other', name: 'b', origin: 'http://b.internal:7070' })
    expect([...a.fleet.hosts]).toEqual(['a.internal:7070', 'b.internal:7070'])
    expect([a.fleet.secret === b.fleet.secret, a.fleet.secret?.length]).toEqual([true, 43])
    await b.fleet.close()
    await until('it is gone', () => a.fleet.ownerOf(ofB).kind === 'lost')
    expect(a.fleet.ownerOf(ofB)).toEqual({ kind: 'lost', name: 'b' })
    expect([a.faults, b.faults]).toEqual([[], []])
  })

  test('tells that a start is gone which it never saw itself, as one that has just started', async ({
    skip,
  }) => {
    watchLeaks()
    const redis = await OwnRedis.start(skip)
    const b = await openInstance(redis, 'b')
    await b.fleet.join(() => ({ leases: 1, connections: 1 }))
    const ofB = b.fleet.newId()
    await b.fleet.close()
    const a = await openInstance(redis, 'a')
    await a.fleet.join(() => ({ leases: 0, connections: 0 }))
    await until('it is asked for', () => a.fleet.ownerOf(ofB).kind !== 'unreachable')
    expect(a.fleet.ownerOf(ofB)).toEqual({ kind: 'lost', name: 'b' })
  })

  test('tells who is there and who holds what, and goes on to when the engine is away', async ({ skip }) => {
    const redis = await OwnRedis.start(skip)
    await settleCap(redis)
    const [a, b] = [await openInstance(redis, 'a'), await openInstance(redis, 'b')]
    await a.fleet.join(() => ({ leases: 1, connections: 2 }))
    await b.fleet.join(() => ({ leases: 0, connections: 0 }))
    const pool = new Pool(a)
    expect(a.fleet.permitsOf('uncapped', pool)).toBeNull()
    expect(a.fleet.permitsOf('constructor', pool)).toBeNull()
    pool.want(3)
    await until('it has them', () => pool.taken === 3)
    const rows = await b.fleet.rows()
    expect(rows).toMatchObject({
      instances: [
        { name: 'a', url: 'http://a.internal:7070', leases: 1, connections: 2, version: '1.2.3' },
        { name: 'b', leases: 0 },
      ],
      caps: { [CAPPED]: { cap: 4, held: 3, byInstance: { a: 3 } } },
    })
    expect(Object.keys(rows.instances[0] ?? {}).toSorted()).toEqual([
      'connections',
      'leases',
      'name',
      'seenAt',
      'startedAt',
      'url',
      'version',
    ])
    expect(Date.parse(rows.instances[0]?.seenAt ?? '')).toBeGreaterThan(0)
    await redis.stop()
    await until('it is degraded', () => b.fleet.state === 'degraded')
    expect(await b.fleet.rows()).toMatchObject({ caps: rows.caps, instances: [{ name: 'a' }, { name: 'b' }] })
  })

  test('has its share of a cap without the engine, and by its word again when it is back, empty', async ({
    skip,
  }) => {
    const redis = await OwnRedis.start(skip)
    await settleCap(redis)
    const instances = [await openInstance(redis, 'a'), await openInstance(redis, 'b')]
    for (const { fleet } of instances) await fleet.join(() => ({ leases: 0, connections: 0 }))
    const [a, b] = instances.map(instance => new Pool(instance))
    if (a === undefined || b === undefined) throw new Error('there are two')
    a.want(9)
    await until('one has it all', () => a.taken === 4)
    await redis.stop()
    b.want(9)
    await until('each has its share', () => a.taken === 2 && b.taken === 2, 20_000)
    await redis.start()
    await until('all are back', () => instances.every(({ fleet }) => fleet.state === 'joined'), 20_000)
    // Whoever speaks first may have a chunk beyond its claim; what is too much is given back by whoever has most.
    expect(a.taken + b.taken).toBeLessThanOrEqual(4 + 2)
    await until('they have the cap', () => a.taken === 2 && b.taken === 2, 20_000)
    b.want(0)
    await until('what one does not need is the other one’s', () => a.taken === 4, 10_000)
  })

  test('gives back what an ended pool had', async ({ skip }) => {
    const redis = await OwnRedis.start(skip)
    await settleCap(redis)
    const [a, b] = [await openInstance(redis, 'a'), await openInstance(redis, 'b')]
    const [first, other] = [new Pool(a), new Pool(b)]
    first.want(4)
    await until('it has them', () => first.taken === 4)
    // The target was removed, and comes back: it has a pool of its own beside the old one.
    const second = new Pool(a)
    second.want(1)
    first.want(0)
    first.permits?.end()
    other.want(3)
    await until('all have what they want', () => second.taken === 1 && other.taken === 3)
  })

  test('learns the secret again that the engine has lost or spoilt, tells of it once, and knows older ids', async ({
    skip,
  }) => {
    const redis = await OwnRedis.start(skip)
    const [a, b] = [await openInstance(redis, 'a'), await openInstance(redis, 'b')]
    for (const { fleet } of [a, b]) await fleet.join(() => ({ leases: 0, connections: 0 }))
    const ofA = a.fleet.newId()
    await until('they know each other', () => b.fleet.ownerOf(ofA).kind === 'other')
    const engine = await openEngine(redis.url)
    const set = scriptOf('testSecret', 1, "return redis.call('SET', KEYS[1], ARGV[1])")
    await engine.ask(set, ['secret'], ['short'])
    await until('it was told', () => a.faults.length > 0 && b.faults.length > 0)
    await new Promise(resolve => setTimeout(resolve, TTL_MS))
    expect([a.faults, b.faults]).toEqual([
      [expect.stringMatching(/^secret: .*can be no secret/)],
      [expect.stringMatching(/^secret: .*can be no secret/)],
    ])
    const next = 'another'.padEnd(43, '-')
    await engine.ask(set, ['secret'], [next])
    await until('both have it', () => a.fleet.secret === next && b.fleet.secret === next)
    expect([a.fleet.ownerOf(ofA).kind, b.fleet.ownerOf(ofA).kind]).toEqual(['own', 'other'])
    await engine.ask(scriptOf('testDel', 1, "return redis.call('DEL', KEYS[1])"), ['secret'], [])
    const get = scriptOf('testGet', 1, "return redis.call('GET', KEYS[1])")
    await untilComesTo(next, async () => await engine.ask(get, ['secret'], []))
  })

  test('asks for each wrong answer again, and tells of it once', async ({ skip }) => {
    const redis = await OwnRedis.start(skip)
    const engine = await openEngine(redis.url)
    await engine.ask(
      scriptOf('testSet', 1, "return redis.call('SET', KEYS[1], 'x')"),
      [`permits:${CAPPED}`],
      [],
    )
    const a = await openInstance(redis, 'a')
    const pool = new Pool(a)
    pool.want(1)
    await until('it was told', () => a.faults.length > 0)
    await new Promise(resolve => setTimeout(resolve, TTL_MS))
    expect(a.faults).toEqual([expect.stringMatching(/^cache: .*WRONGTYPE/)])
    await engine.ask(scriptOf('testDel', 1, "return redis.call('DEL', KEYS[1])"), [`permits:${CAPPED}`], [])
    await until('it has its permit', () => pool.taken === 1, 10_000)
  })
})
