/** Who is there, at a real engine; and the engine itself, which may be away, frozen, or another one. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { describe, expect, onTestFinished, test } from 'vitest'
import { Engine, type EngineAsk } from '../../src/fleet/engine.ts'
import { loadEngineClient } from '../../src/fleet/engine-client.ts'
import { FleetSecret } from '../../src/fleet/engine-secret.ts'
import { newBoot } from '../../src/fleet/fleet-ids.ts'
import { MemberList } from '../../src/fleet/member-list.ts'
import { Membership, type MembershipState } from '../../src/fleet/membership.ts'
import { scriptOf } from '../../src/fleet/script.ts'
import { openEngine } from '../support/fleet-engine.ts'
import { watchLeaks } from '../support/leak-watch.ts'
import { OwnRedis } from '../support/own-redis.ts'
import { refusingPort, startTestServer } from '../support/test-server.ts'
import { until } from '../support/until.ts'

const ECHO = scriptOf('testEcho', 1, 'return ARGV[1]')

type Seen = {
  readonly engine: Engine
  readonly list: MemberList
  readonly membership: Membership
  readonly states: string[]
  readonly boot: string
}

/** One start, which has not joined yet. Its own TTL, as a test does not wait for 15 seconds. `asked`: what it asks by. */
async function startOf(
  redis: OwnRedis,
  name: string,
  ttlMs = 400,
  asked: (engine: EngineAsk) => EngineAsk = engine => engine,
): Promise<Seen> {
  const states: string[] = []
  const boot = newBoot()
  let membership: Membership | null = null
  const engine = await openEngine(redis.url, {
    onBack: () => membership?.onBack(0),
    onAway: reason => membership?.onAway(reason),
    onNews: text => void (text === 'members' && membership?.say()),
  })
  const url = `http://${name}.internal:7070`
  const list = new MemberList(url, ttlMs)
  membership = new Membership({
    ...{ name, boot, engine: asked(engine), list },
    times: { ttlMs, renewMs: ttlMs / 3, graceMs: ttlMs },
    facts: () => ({ url, version: '1.0.0', startedAt: '2026-01-01T00:00:00Z', leases: 3, connections: 4 }),
    onChange: (state: MembershipState) => states.push(state.kind),
    onHeard: () => {},
    now: () => performance.now(),
    random: Math.random,
  })
  const made = membership
  onTestFinished(() => made.leave().catch(() => {}))
  return { engine, list, membership, states, boot }
}

/** Its first question is heard, and the answer is lost. */
function losing(engine: EngineAsk): EngineAsk {
  let isFirst = true
  return {
    ask: async (...question) => {
      const answer = await engine.ask(...question)
      if (!isFirst) return answer
      isFirst = false
      throw new Error('the answer was lost')
    },
  }
}

const names = ({ list }: Seen): readonly string[] => list.all.map(({ name }) => name)
const placeOf = ({ list }: Seen, name: string, { boot }: Seen): string =>
  list.placeOf(name, boot, performance.now()).kind

describe('Membership', () => {
  test('hears of others at once, and of those that leave', async ({ skip }) => {
    const redis = await OwnRedis.start(skip)
    const [a, b] = [await startOf(redis, 'a', 60_000), await startOf(redis, 'b', 60_000)]
    await a.membership.join()
    await b.membership.join()
    await until('a has heard of b', () => names(a).join() === 'a,b')
    expect(a.list.all).toEqual([
      expect.objectContaining({ name: 'a', leases: 3 }),
      expect.objectContaining({ name: 'b', url: 'http://b.internal:7070', connections: 4 }),
    ])
    expect(placeOf(a, 'b', b)).toBe('there')
    await b.membership.leave()
    await until('a has heard of it', () => names(a).join() === 'a')
    expect(placeOf(a, 'b', b)).toBe('lost')
    expect(b.states).toEqual(['joined', 'left'])
  })

  test('loses one that says nothing for a TTL', async ({ skip }) => {
    const redis = await OwnRedis.start(skip)
    const [a, b] = [await startOf(redis, 'a'), await startOf(redis, 'b')]
    await a.membership.join()
    await b.membership.join()
    await until('a has heard of b', () => names(a).join() === 'a,b')
    b.engine.close()
    await until('b is forgotten', () => names(a).join() === 'a')
    expect(placeOf(a, 'b', b)).toBe('lost')
  })

  test('gives way to a later start under its name, and to no earlier one', async ({ skip }) => {
    const redis = await OwnRedis.start(skip)
    const [old, other, later] = [
      await startOf(redis, 'a'),
      await startOf(redis, 'b'),
      await startOf(redis, 'a'),
    ]
    await old.membership.join()
    await other.membership.join()
    await later.membership.join()
    await until('it was replaced', () => old.states.includes('replaced'))
    expect(old.states).toEqual(['joined', 'replaced'])
    await old.membership.say()
    await old.membership.leave()
    await until('b has heard of it', () => placeOf(other, 'a', later) === 'there')
    expect(placeOf(other, 'a', old)).toBe('lost')
    // An engine that has lost everything hears of both again, whoever is the first.
    const again = [await startOf(redis, 'c'), await startOf(redis, 'c')] as const
    for (const { membership } of again) await membership.join()
    await until('the first is replaced', () => again[0].states.includes('replaced'))
    expect(again[1].membership.state.kind).toBe('joined')
  })

  test('whose first word was heard and not answered is no later for saying it again, and leaves what it had', async ({
    skip,
  }) => {
    const redis = await OwnRedis.start(skip)
    const [old, later] = [await startOf(redis, 'a', 60_000, losing), await startOf(redis, 'a', 60_000)]
    await old.membership.join()
    expect(old.states).toEqual(['degraded'])
    await later.membership.join()
    await old.membership.say()
    expect([old.states, later.states]).toEqual([['degraded', 'replaced'], ['joined']])
    await later.membership.say()
    expect(later.states).toEqual(['joined'])
    const [unheard, alone] = [
      await startOf(redis, 'b', 60_000, losing),
      await startOf(redis, 'c', 60_000, losing),
    ]
    await unheard.membership.join()
    await unheard.membership.leave()
    await alone.membership.join()
    await alone.membership.say()
    expect([alone.states, names(alone)]).toEqual([
      ['degraded', 'joined'],
      ['a', 'c'],
    ])
  })

  test('is degraded while the engine is away, and joins again when it is back, empty', async ({ skip }) => {
    const redis = await OwnRedis.start(skip)
    const [a, b] = [await startOf(redis, 'a', 3_000), await startOf(redis, 'b', 3_000)]
    await a.membership.join()
    await b.membership.join()
    await until('a has heard of b', () => names(a).join() === 'a,b')
    await redis.stop()
    await until('it is degraded', () => a.membership.state.kind === 'degraded')
    // What was said last holds.
    expect(placeOf(a, 'b', b)).toBe('there')
    await redis.start()
    await until('both are back', () => names(a).join() === 'a,b' && names(b).join() === 'a,b', 10_000)
    await until('it has joined again', () => a.membership.state.kind === 'joined', 10_000)
    expect(a.states).toEqual(['joined', 'degraded', 'joined'])
    await until('they have heard of each other', () => names(a).join() === 'a,b' && names(b).join() === 'a,b')
  })

  test('joins when the engine is there, where it was away at the start', async ({ skip }) => {
    const redis = await OwnRedis.start(skip)
    await redis.stop()
    const a = await startOf(redis, 'a')
    await a.membership.join()
    expect(a.states).toEqual(['degraded'])
    await redis.start()
    await until('it has joined', () => a.membership.state.kind === 'joined', 10_000)
  })

  test('is degraded by an answer that is none', async () => {
    for (const answer of [
      null,
      [],
      ['present', '1', 'x'],
      ['present', 1, 'x', [['a']], []],
      ['full'],
      ['present', 1, 2],
    ]) {
      const states: MembershipState[] = []
      const membership = new Membership({
        ...{
          name: 'a',
          boot: newBoot(),
          engine: { ask: async () => answer },
          list: new MemberList('http://a', 1_000),
        },
        times: { ttlMs: 60_000, renewMs: 60_000, graceMs: 0 },
        facts: () => ({ url: 'http://a', version: '1', startedAt: '', leases: 0, connections: 0 }),
        onChange: state => states.push(state),
        onHeard: () => {},
        now: () => performance.now(),
        random: Math.random,
      })
      await membership.join()
      expect
        .soft(states, JSON.stringify(answer))
        .toMatchObject([{ kind: 'degraded', reason: expect.any(Error) }])
      await membership.leave()
    }
  })
})

describe('Engine', () => {
  test.for(['iovalkey', 'ioredis'])('is reached by %s, and leaves nothing behind', async (name, { skip }) => {
    watchLeaks()
    const redis = await OwnRedis.start(skip)
    const news: string[] = []
    const engine = await openEngine(redis.url, { onNews: text => news.push(text) }, [name])
    expect(engine.isAway).toBe(false)
    expect(await engine.ask(ECHO, ['key'], ['hello'])).toBe('hello')
    const publish = scriptOf(
      'testPublish',
      1,
      `return redis.call('PUBLISH', 'sockpool:{fleet}:news', ARGV[1])`,
    )
    await until('somebody listens', () => {
      engine.ask(publish, ['key'], ['hear me']).catch(() => {})
      return news.length > 0
    })
    expect(news[0]).toBe('hear me')
  })

  test('says what to install where neither package is there, and what is wrong with one that is no client', async () => {
    await expect(loadEngineClient(['no-such-client', 'nor-this-one'])).rejects.toThrow(
      'fleet: neither no-such-client nor nor-this-one is installed; run "npm install iovalkey"',
    )
    await expect(loadEngineClient(['node:os'])).rejects.toThrow(
      'fleet: node:os cannot be loaded: it has no client',
    )
  })

  test('is away at once where nobody listens, and fails whoever asks', async () => {
    const Client = await loadEngineClient()
    const away: string[] = []
    const events = {
      onBack: () => away.push('back'),
      onAway: (reason: string) => away.push(reason),
      onNews: () => {},
    }
    const engine = new Engine(Client, `redis://127.0.0.1:${await refusingPort()}`, events)
    onTestFinished(() => engine.close())
    await engine.open()
    expect(engine.isAway).toBe(true)
    await expect(engine.ask(ECHO, ['key'], ['x'])).rejects.toThrow('the engine is away: connect ECONNREFUSED')
    expect(away).toEqual([])
  })

  test('is away while it does not answer, and there again when it does', async ({ skip }) => {
    const redis = await OwnRedis.start(skip)
    const events: string[] = []
    const engine = await openEngine(redis.url, {
      onBack: () => events.push('back'),
      onAway: reason => events.push(reason),
    })
    redis.freeze()
    await expect(engine.ask(ECHO, ['key'], ['x'])).rejects.toThrow('Command timed out')
    expect(events).toEqual(['back', 'no answer within 1000 ms'])
    expect(engine.isAway).toBe(true)
    redis.thaw()
    await until('it is back', () => !engine.isAway, 10_000)
    expect(await engine.ask(ECHO, ['key'], ['x'])).toBe('x')
  })
})

describe('Engine that reads its data still', () => {
  test('is looked at again within a moment, whatever it says that it takes', async () => {
    let looks = 0
    const server = await startTestServer(socket => {
      socket.on('data', bytes => {
        // Commands come one by one, or some at once; each is answered.
        for (const [, name = ''] of bytes.toString('latin1').matchAll(/\*\d+\r\n\$\d+\r\n([a-z]+)\r\n/gi)) {
          const isLook = name.toLowerCase() === 'info'
          const info = ++looks > 4 ? 'loading:0' : 'loading:1\r\nloading_eta_seconds:600'
          socket.write(isLook ? `$${info.length}\r\n${info}\r\n` : '+OK\r\n')
        }
      })
    })
    const engine = await openEngine(`redis://${server.host}:${server.port}`)
    await until('it is there', () => !engine.isAway)
    expect(looks).toBeGreaterThan(2)
  })
})

const READ_ONLY = scriptOf('testSet', 1, "return redis.call('SET', KEYS[1], 'x')")

describe('Engine that answers READONLY', () => {
  test('is reached again more and more seldom, though each connection succeeds', async ({ skip }) => {
    const redis = await OwnRedis.start(skip)
    let backs = 0
    let engine: Engine | null = null
    let answers = 0
    const attempt = (): void =>
      void engine?.ask(READ_ONLY, ['any'], []).then(
        () => answers++,
        () => {},
      )
    engine = await openEngine(redis.url, {
      onBack: () => {
        backs++
        attempt()
      },
    })
    const replicate = (host: string): Promise<unknown> =>
      promisify(execFile)('redis-cli', ['-p', `${redis.port}`, 'REPLICAOF', ...host.split(' ')])
    await replicate('127.0.0.1 1')
    backs = 0
    attempt()
    await new Promise(resolve => setTimeout(resolve, 4_000))
    expect(backs).toBeGreaterThan(1)
    expect(backs).toBeLessThan(10)
    await replicate('NO ONE')
    await until('it answers', () => answers > 0)
  })
})

const BACK = scriptOf(
  'testBack',
  1,
  `
local alive = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')
for i = 1, #alive, 2 do redis.call('ZADD', KEYS[1], alive[i + 1] + 3600000, alive[i]) end
return 1`,
)

describe('Membership at a clock that was set back', () => {
  test('loses one that says nothing for a TTL from then on', async ({ skip }) => {
    const redis = await OwnRedis.start(skip)
    const [a, b] = [await startOf(redis, 'a'), await startOf(redis, 'b')]
    await a.membership.join()
    await b.membership.join()
    await until('a has heard of b', () => names(a).join() === 'a,b')
    b.engine.close()
    await a.engine.ask(BACK, ['alive'], [])
    await until('b is forgotten', () => names(a).join() === 'a')
  })
})

describe('FleetSecret', () => {
  test('knows those that were shared before, as far as there is room', async () => {
    const secret = new FleetSecret(undefined)
    const kept = ['one', 'two', 'three', 'four'].map(name => name.padEnd(43, '-'))
    const shared: (readonly string[])[] = [secret.known]
    for (const text of [...kept, ...kept.slice(2)]) {
      await secret.learn({ ask: async () => text })
      shared.push(secret.known.map(known => known.replaceAll('-', '')))
    }
    expect(shared).toEqual([
      [],
      ['one'],
      ['two', 'one'],
      ['three', 'two', 'one'],
      ['four', 'three', 'two'],
      ['three', 'four', 'two'],
      ['four', 'three', 'two'],
    ])
  })

  test('is the one that the first start made, and is given to an engine that has lost it', async ({
    skip,
  }) => {
    const redis = await OwnRedis.start(skip)
    const [first, second] = [new FleetSecret(undefined), new FleetSecret(undefined)]
    expect([first.shared, first.own === second.own]).toEqual([null, false])
    const engine = await openEngine(redis.url)
    await first.learn(engine)
    await second.learn(engine)
    expect(first.shared).toHaveLength(43)
    expect([second.shared, second.own]).toEqual([first.shared, first.own])
    await redis.stop()
    await until('it is away', () => engine.isAway)
    await redis.start()
    await until('it is back', () => !engine.isAway, 10_000)
    await second.learn(engine)
    const third = new FleetSecret(undefined)
    await third.learn(engine)
    expect(third.shared).toBe(first.shared)
  })

  test('is what was configured, which the engine never hears of; and nothing that is too short', async () => {
    const asked: unknown[] = []
    const engine = { ask: async (...words: unknown[]) => (asked.push(words), 'short') }
    const configured = new FleetSecret('0123456789abcdef0123456789abcdef')
    await configured.learn(engine)
    expect([configured.shared, asked]).toEqual(['0123456789abcdef0123456789abcdef', []])
    const none = new FleetSecret(undefined)
    await expect(none.learn(engine)).rejects.toThrow('can be no secret')
    expect(none.shared).toBeNull()
  })
})
