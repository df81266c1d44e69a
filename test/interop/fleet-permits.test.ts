/** The permits of a target at a real engine: what many starts say there never comes to more than the cap. */
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { LIMITS } from '../../src/base/limits.ts'
import { CHANNEL, type Engine } from '../../src/fleet/engine.ts'
import { EngineLedger, type PermitAnswer, type PermitWord } from '../../src/fleet/permits-ledger.ts'
import { scriptOf } from '../../src/fleet/script.ts'
import { openEngine } from '../support/fleet-engine.ts'
import { OwnRedis } from '../support/own-redis.ts'
import { until, untilComesTo } from '../support/until.ts'

/** Long beside a pause of this process, which would pass for an absence of the engine. */
const TTL_MS = 600

/** One pool of one start, which says what a test has it say. */
class Speaker {
  readonly #ledger: EngineLedger
  readonly #account
  seq = 0
  held = 0
  validUntilMs = 0

  constructor(engine: Engine, name: string, cap: number, ttlMs = TTL_MS) {
    this.#ledger = new EngineLedger(engine)
    const chunk = Math.max(1, Math.floor(cap / 16))
    this.#account = { target: 'cache', entry: `${name}:boot:1`, cap, chunk, ttlMs }
  }

  /** Claims what it holds, where the test says nothing else. */
  async say(word: Partial<PermitWord> = {}): Promise<PermitAnswer> {
    const sentMs = performance.now()
    const rest = { claim: this.held, pending: 0, soon: 0, offer: 0, lack: 0, cold: 0 }
    const answer = await this.#ledger.settle(this.#account, { ...rest, ...word, seq: ++this.seq })
    this.held = answer.held
    this.validUntilMs = sentMs + this.#account.ttlMs
    return answer
  }

  leave(): Promise<void> {
    this.held = 0
    return this.#ledger.giveAll(this.#account)
  }
}

const SHIFT = scriptOf(
  'testShift',
  1,
  `
local rows = redis.call('HGETALL', KEYS[1])
for i = 1, #rows, 2 do
  local value = rows[i + 1]
  if rows[i] == 'made' then
    value = string.format('%.0f', value - ARGV[1])
  else
    local seq, till, rest = string.match(value, '^(%d+) (%d+) (.*)$')
    value = seq .. ' ' .. string.format('%.0f', till - ARGV[1]) .. ' ' .. rest
  end
  redis.call('HSET', KEYS[1], rows[i], value)
end
return 1`,
)

/** As if the engine's clock were so many milliseconds further on than when it was last spoken to. */
async function shiftClock(engine: Engine, ms: number): Promise<void> {
  await engine.ask(SHIFT, ['permits:cache'], [ms])
}

/** The record of the target is older than a TTL: what is missing there is nobody's. */
async function settled(engine: Engine, cap: number, count: number, ttlMs = TTL_MS): Promise<Speaker[]> {
  const speakers = Array.from({ length: count }, (_, index) => new Speaker(engine, `i${index}`, cap, ttlMs))
  for (const speaker of speakers) await speaker.say()
  const [first] = speakers
  for (let settles = true; settles; ) {
    await sleep(ttlMs / 4)
    settles = (await first?.say())?.settles ?? false
  }
  for (const speaker of speakers) await speaker.say()
  return speakers
}

describe('EngineLedger', () => {
  test('never grants more than the cap, whatever eight starts say, and whichever fall silent', async ({
    skip,
  }) => {
    const redis = await OwnRedis.start(skip)
    const engine = await openEngine(redis.url)
    const cap = 20
    const speakers = Array.from({ length: 8 }, (_, index) => new Speaker(engine, `i${index}`, cap))
    let [most, steps, expired] = [0, 0, 0]
    const startMs = performance.now()
    const random = (below: number): number => Math.floor(Math.random() * below)
    for (let atMs = startMs; atMs < startMs + 8 * TTL_MS; atMs = performance.now(), steps++) {
      // Some are silent for a while, and what they had is others'.
      const speaker = speakers[random(Math.floor((atMs - startMs) / TTL_MS) % 4 < 2 ? 8 : 4)]
      if (speaker === undefined) throw new Error('there is no such speaker')
      const isLate = speaker.held > 0 && performance.now() >= speaker.validUntilMs
      if (isLate) expired++
      const claim = isLate || random(3) > 0 ? speaker.held : random(speaker.held + 1)
      // What is given back is not used from the moment on at which that is said.
      speaker.held = claim
      await speaker.say({
        claim,
        lack: random(4) === 0 ? random(8) : 0,
        cold: random(3),
        offer: random(claim + 1),
      })
      if (random(100) === 0) await speaker.leave()
      const now = performance.now()
      const used = speakers.reduce((sum, { held, validUntilMs }) => sum + (now < validUntilMs ? held : 0), 0)
      most = Math.max(most, used)
      expect(used).toBeLessThanOrEqual(cap)
    }
    expect({ steps: steps > 500, most, expired: expired > 0 }).toEqual({
      steps: true,
      most: cap,
      expired: true,
    })
  })

  test('has one chunk for each start while the record is new, and takes their claims as they come', async ({
    skip,
  }) => {
    const redis = await OwnRedis.start(skip)
    const engine = await openEngine(redis.url)
    const [a, b] = [new Speaker(engine, 'a', 64, 2_000), new Speaker(engine, 'b', 64, 2_000)]
    expect(await a.say({ claim: 30, lack: 10 })).toMatchObject({ held: 34, settles: true })
    expect(await b.say({ claim: 24, lack: 10 })).toMatchObject({ held: 28 })
    expect(await a.say({ lack: 10 })).toMatchObject({ held: 34 })
    // Nothing beyond the cap, though a claim is no grant.
    expect(await new Speaker(engine, 'c', 64, 2_000).say({ lack: 10 })).toMatchObject({ held: 2 })
    expect(await new Speaker(engine, 'd', 64, 2_000).say({ claim: 8, lack: 1 })).toMatchObject({ held: 8 })
  })

  test('says less than is claimed where others have it, and gives it back once it is free', async ({
    skip,
  }) => {
    const redis = await OwnRedis.start(skip)
    const engine = await openEngine(redis.url)
    const [a, b] = await settled(engine, 10, 2, 1_000)
    expect(await a?.say({ lack: 7 })).toMatchObject({ held: 7 })
    expect(await b?.say({ claim: 6 })).toMatchObject({ held: 3 })
    await a?.leave()
    expect(await b?.say({ claim: 6 })).toMatchObject({ held: 6 })
  })

  test('has as many given back as are lacking, by those who have them idle', async ({ skip }) => {
    const redis = await OwnRedis.start(skip)
    const engine = await openEngine(redis.url)
    const [want, ...others] = await settled(engine, 7, 8, 1_000)
    for (const other of others) expect(await other.say({ lack: 1 })).toMatchObject({ held: 1 })
    expect(await want?.say({ lack: 2 })).toMatchObject({ held: 0 })
    const yields: number[] = []
    for (const other of others) yields.push((await other.say({ offer: 1 })).yield)
    expect(yields).toEqual([1, 1, 0, 0, 0, 0, 0])
    // They keep their word, and what is free goes to who lacks it.
    for (const other of others.slice(0, 2)) await other.say({ claim: 0 })
    expect(await want?.say({ lack: 2 })).toMatchObject({ held: 2 })
    expect(await others[2]?.say({ offer: 1 })).toMatchObject({ yield: 0, wants: 0 })
  })

  test('has one that holds more than its share give up what is in use, for one that has less', async ({
    skip,
  }) => {
    const redis = await OwnRedis.start(skip)
    const engine = await openEngine(redis.url)
    const [rich, poor] = await settled(engine, 4, 2, 1_000)
    expect(await rich?.say({ lack: 9 })).toMatchObject({ held: 4 })
    expect(await poor?.say({ lack: 9 })).toMatchObject({ held: 0 })
    expect(await rich?.say({ lack: 5 })).toMatchObject({ held: 4, yield: 2, share: 2 })
    // One lease has ended; its permit is not for the rich, who asks first.
    expect(await rich?.say({ claim: 3, pending: 1, lack: 6 })).toMatchObject({ held: 3, yield: 1 })
    expect(await poor?.say({ lack: 9 })).toMatchObject({ held: 1 })
    expect(await rich?.say({ claim: 2, lack: 7 })).toMatchObject({ held: 2, yield: 0 })
    expect(await poor?.say({ lack: 8 })).toMatchObject({ held: 2 })
    expect(await poor?.say({ lack: 8 })).toMatchObject({ held: 2 })
    expect(await rich?.say({ lack: 7 })).toMatchObject({ held: 2, yield: 0 })
  })

  test('takes claims as they come after nobody was heard for a TTL, as if the record were new', async ({
    skip,
  }) => {
    const redis = await OwnRedis.start(skip)
    const engine = await openEngine(redis.url)
    const [a, b] = await settled(engine, 32, 2, 2_000)
    expect(await a?.say({ lack: 16 })).toMatchObject({ held: 16 })
    expect(await b?.say({ lack: 16 })).toMatchObject({ held: 16 })
    await shiftClock(engine, 60_000)
    // The first who speaks does not have it all, and what the other one holds is its own.
    expect(await a?.say({ lack: 16 })).toMatchObject({ held: 18, settles: true })
    expect(await b?.say()).toMatchObject({ held: 16, settles: true })
  })

  test('takes claims as they come after an absence that some words have outlasted', async ({ skip }) => {
    const redis = await OwnRedis.start(skip)
    const engine = await openEngine(redis.url)
    const [a, b] = await settled(engine, 32, 2, 4_000)
    expect(await b?.say({ lack: 16 })).toMatchObject({ held: 16 })
    await shiftClock(engine, 1_200)
    expect(await a?.say({ lack: 16 })).toMatchObject({ held: 16 })
    await shiftClock(engine, 2_900)
    expect(await a?.say({ lack: 16 })).toMatchObject({ held: 18, settles: true })
    expect(await b?.say()).toMatchObject({ held: 16, settles: true })
  })

  test('has what one held be free that alone has fallen silent', async ({ skip }) => {
    const redis = await OwnRedis.start(skip)
    const engine = await openEngine(redis.url)
    const [live, frozen] = await settled(engine, 32, 2, 4_000)
    expect(await frozen?.say({ lack: 16 })).toMatchObject({ held: 16 })
    expect(await live?.say({ lack: 16 })).toMatchObject({ held: 16 })
    for (let i = 0; i < 4; i++) {
      await shiftClock(engine, 1_400)
      await live?.say()
    }
    expect(await live?.say({ lack: 16 })).toMatchObject({ held: 32, settles: false })
    expect(await frozen?.say()).toMatchObject({ held: 0, settles: false })
  })

  test('goes on where the clock of the engine was set back by less than a second', async ({ skip }) => {
    const redis = await OwnRedis.start(skip)
    const engine = await openEngine(redis.url)
    const [a, b, gone] = await settled(engine, 48, 3, 3_000)
    for (const one of [a, b, gone]) expect(await one?.say({ lack: 15 })).toMatchObject({ held: 15 })
    await shiftClock(engine, -LIMITS.fleetStepMs)
    // Nothing is there for whoever lacks more, as it would be while it settles.
    expect(await a?.say({ lack: 5 })).toMatchObject({ held: 18, settles: false })
    expect(await new EngineLedger(engine).heldBy('cache')).toEqual({ i0: 18, i1: 15, i2: 15 })
    // It falls silent, and what it had is free as soon as the clock has come to that.
    const { validUntilMs = 0 } = gone ?? {}
    await untilComesTo(33, async () => (await b?.say(), (await a?.say({ lack: 15 }))?.held))
    expect(performance.now()).toBeGreaterThan(validUntilMs)
  })

  test('takes claims as they come where the clock of the engine was set back by more', async ({ skip }) => {
    const redis = await OwnRedis.start(skip)
    const engine = await openEngine(redis.url)
    const [a, b, gone] = await settled(engine, 48, 3, 1_000)
    for (const one of [a, b, gone]) expect(await one?.say({ lack: 15 })).toMatchObject({ held: 15 })
    await shiftClock(engine, -3_600_000)
    expect(await a?.say()).toMatchObject({ held: 15, settles: true })
    expect(await b?.say()).toMatchObject({ held: 15 })
    // It never says anything again, and what it had is not missing for an hour.
    const ledger = new EngineLedger(engine)
    expect(await ledger.heldBy('cache')).toEqual({ i0: 15, i1: 15 })
    await untilComesTo(false, async () => (await a?.say())?.settles)
    expect(await b?.say()).toMatchObject({ held: 15 })
    expect(await a?.say({ lack: 15 })).toMatchObject({ held: 30 })
  })

  test('asks nobody to make room for a warm minimum', async ({ skip }) => {
    const redis = await OwnRedis.start(skip)
    const engine = await openEngine(redis.url)
    const [a, b] = await settled(engine, 4, 2, 1_000)
    expect(await a?.say({ cold: 3 })).toMatchObject({ held: 3 })
    expect(await b?.say({ cold: 3 })).toMatchObject({ held: 1 })
    expect(await a?.say({ offer: 3 })).toMatchObject({ held: 3, yield: 0, wants: 0 })
  })

  test('refuses a word that comes after a later one', async ({ skip }) => {
    const redis = await OwnRedis.start(skip)
    const engine = await openEngine(redis.url)
    const speaker = new Speaker(engine, 'a', 4)
    await speaker.say({ lack: 1 })
    await speaker.say()
    speaker.seq = 0
    await expect(speaker.say({ claim: 0 })).rejects.toThrow('STALE')
    speaker.seq = 2
    expect(await speaker.say()).toMatchObject({ held: 1 })
  })

  test('publishes what is lacking, and that something is free again', async ({ skip }) => {
    const redis = await OwnRedis.start(skip)
    const news: string[] = []
    const engine = await openEngine(redis.url, { onNews: text => news.push(text) })
    const [a, b] = await settled(engine, 1, 2, 1_000)
    await a?.say({ lack: 1 })
    await b?.say({ lack: 1 })
    await until('it was published', () => news.includes('want cache i1:boot:1'))
    await a?.say({ claim: 0 })
    await until('it was published', () => news.includes('free cache i0:boot:1'))
    expect(news).toEqual(['want cache i1:boot:1', 'free cache i0:boot:1'])
    expect(CHANNEL).toBe('sockpool:{fleet}:news')
  })

  test('tells what each instance holds', async ({ skip }) => {
    const redis = await OwnRedis.start(skip)
    const engine = await openEngine(redis.url)
    const ledger = new EngineLedger(engine)
    expect(await ledger.heldBy('cache')).toEqual({})
    const [a, b] = await settled(engine, 10, 3, 1_000)
    await a?.say({ lack: 2 })
    await b?.say({ lack: 3 })
    expect(await ledger.heldBy('cache')).toEqual({ i0: 2, i1: 3, i2: 0 })
  })

  test('refuses what the engine cannot have answered', async () => {
    for (const answer of [
      null,
      'OK',
      [1, 0, 0, 0],
      [5, 0, 0, 0, 0],
      [1, 2, 0, 0, 0],
      [1.5, 0, 0, 0, 0],
      [1, 0, '0', 0, 0],
      [1, 0, 0, 9, 0],
    ]) {
      const ledger = new EngineLedger({ ask: async () => answer })
      const account = { target: 'cache', entry: 'a:b:1', cap: 4, chunk: 1, ttlMs: 1_000 }
      const word = { seq: 1, claim: 1, pending: 0, soon: 0, offer: 0, lack: 0, cold: 0 }
      await expect
        .soft(ledger.settle(account, word), JSON.stringify(answer))
        .rejects.toThrow('cannot be of permits')
    }
  })
})
