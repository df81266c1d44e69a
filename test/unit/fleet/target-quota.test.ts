/** The permits of one pool, with a clock and an engine of the test's own. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { LIMITS } from '../../../src/base/limits.ts'
import type { EngineLoss } from '../../../src/config/fleet.ts'
import type { PermitAnswer, PermitsLedger, PermitWord } from '../../../src/fleet/permits-ledger.ts'
import { TargetQuota } from '../../../src/fleet/target-quota.ts'
import type { PermitTaker, PermitUse } from '../../../src/pool/target/permits.ts'

const TTL_MS = 15_000
const RENEW_MS = 5_000
const GRACE_MS = 10_000

/** A pool that dials as far as it may. Idle connections that are more than is granted close, and are gone when the test says so. */
class Taker implements PermitTaker {
  use: PermitUse = { taken: 0, idle: 0, wanting: 0, cold: 0 }
  quota: TargetQuota | null = null
  cuts: number[] = []
  refreshed = 0

  set(use: Partial<PermitUse>): void {
    this.use = { ...this.use, ...use }
    this.quota?.changed()
  }

  rest(idle: number): void {
    this.use = { ...this.use, idle }
    this.quota?.idled()
  }

  refresh(): void {
    this.refreshed++
    const granted = this.quota?.granted ?? 0
    const { taken, idle, wanting, cold } = this.use
    const dialled = Math.min(Math.max(0, granted - taken), Math.max(wanting, cold))
    this.use = {
      taken: taken + dialled,
      idle: Math.max(0, idle - Math.max(0, taken - granted)),
      wanting: Math.max(0, wanting - dialled),
      cold: Math.max(0, cold - dialled),
    }
  }

  cut(): number {
    const granted = this.quota?.granted ?? 0
    this.cuts.push(granted)
    const count = Math.max(0, this.use.taken - granted)
    this.use = { ...this.use, taken: this.use.taken - count, idle: Math.min(this.use.idle, granted) }
    return count
  }
}

/** The engine: what it answers, or that it does not. */
class FakeLedger implements PermitsLedger {
  readonly words: PermitWord[] = []
  given = 0
  /** By default all that is asked for is granted. */
  answer: (word: PermitWord) => Partial<PermitAnswer> | Error | Promise<never> = () => ({})

  async settle(_account: unknown, word: PermitWord): Promise<PermitAnswer> {
    this.words.push(word)
    const answer = await this.answer(word)
    if (answer instanceof Error) throw answer
    const held = word.claim + word.lack + word.cold
    return { held, yield: 0, wants: 0, share: 5, settles: false, ...answer }
  }

  async giveAll(): Promise<void> {
    this.given++
  }

  get last(): PermitWord | undefined {
    return this.words.at(-1)
  }
}

const AWAY = new Error('the engine is away')

/** The wall clock, against the steady one. */
const wall = { aheadMs: 0 }

type Rig = { quota: TargetQuota; taker: Taker; ledger: FakeLedger; faults: unknown[]; ended: () => number }

function rig({ onEngineLoss = 'share' as EngineLoss, cap = 100, instances = 2, away = false } = {}): Rig {
  const taker = new Taker()
  const ledger = new FakeLedger()
  if (away) ledger.answer = () => AWAY
  const faults: unknown[] = []
  let ended = 0
  const quota = new TargetQuota({
    account: {
      target: 'cache',
      entry: 'a:boot:1',
      cap,
      chunk: Math.max(1, Math.floor(cap / 16)),
      ttlMs: TTL_MS,
    },
    ...{ ledger, taker, onEngineLoss },
    times: { ttlMs: TTL_MS, renewMs: RENEW_MS, graceMs: GRACE_MS },
    instances: () => instances,
    onFault: error => faults.push(error),
    onEnd: () => ended++,
    now: () => performance.now(),
    wall: () => wall.aheadMs + performance.now(),
    random: () => 0.5,
  })
  taker.quota = quota
  return { quota, taker, ledger, faults, ended: () => ended }
}

const pass = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms)
const isCurrent = (quota: TargetQuota): boolean => quota.isCurrent(performance.now())

/** Ten permits, all of them in use. */
async function busyRig(options: Parameters<typeof rig>[0] = {}): Promise<Rig> {
  const made = rig(options)
  made.taker.set({ wanting: 10 })
  await pass(20)
  return made
}

describe('TargetQuota', () => {
  beforeEach(() => {
    wall.aheadMs = 0
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  })
  afterEach(() => void vi.useRealTimers())

  test('asks for what its pool lacks, and grants what the engine says', async () => {
    const { quota, taker, ledger } = rig()
    expect(quota.granted).toBe(0)
    taker.set({ wanting: 3, cold: 5 })
    await pass(20)
    expect(ledger.words).toMatchObject([{ seq: 1, claim: 0, lack: 3, cold: 2 }])
    expect({ granted: quota.granted, current: isCurrent(quota) }).toEqual({ granted: 5, current: true })
    expect(taker.refreshed).toBe(1)
  })

  test('asks nothing while its pool uses what it has, but to renew it', async () => {
    const { quota, taker, ledger } = await busyRig()
    const before = ledger.words.length
    for (let i = 0; i < 40; i++) {
      taker.set({ taken: 10, idle: i % 10 })
      await pass(100)
    }
    expect(ledger.words.length).toBe(before)
    await pass(RENEW_MS)
    expect(ledger.words.length).toBe(before + 1)
    expect(ledger.last).toMatchObject({ claim: 10, lack: 0, offer: 9 })
    expect(quota.granted).toBe(10)
  })

  test('asks again and again while callers wait, and at once where something is free', async () => {
    const { quota, taker, ledger } = rig()
    ledger.answer = ({ claim }) => ({ held: claim })
    taker.set({ wanting: 1 })
    await pass(20)
    expect(ledger.words.length).toBe(1)
    await pass(2 * LIMITS.fleetPollMs)
    expect(ledger.words.length).toBe(3)
    ledger.answer = () => ({})
    quota.onFree()
    await pass(LIMITS.fleetLookMs + LIMITS.fleetNewsMs)
    expect(quota.granted).toBe(1)
  })

  test('is stale a TTL after the last word that was heard was sent, whatever timers do', async () => {
    const { quota, ledger } = await busyRig()
    ledger.answer = () => AWAY
    const sentMs = performance.now()
    expect(quota.isCurrent(sentMs + TTL_MS - LIMITS.fleetMarginMs - 50)).toBe(true)
    // No timer has fired: as after a process was stopped.
    expect(quota.isCurrent(sentMs + TTL_MS - LIMITS.fleetMarginMs)).toBe(false)
  })

  test('is stale at once after the machine was suspended, and asks before anything is lent', async () => {
    const { quota, taker, ledger } = await busyRig()
    const words = ledger.words.length
    await pass(RENEW_MS - 1_000)
    wall.aheadMs += TTL_MS
    expect(isCurrent(quota)).toBe(false)
    ledger.answer = () => ({ held: 4 })
    // Timers are late by as long as the machine stood still.
    await pass(LIMITS.fleetWatchMs)
    expect({ words: ledger.words.length - words, cuts: taker.cuts }).toEqual({ words: 1, cuts: [4] })
    expect({ granted: quota.granted, current: isCurrent(quota) }).toEqual({ granted: 4, current: true })
  })

  test('is stale where the machine was suspended while the word was under way', async () => {
    const { quota, ledger } = await busyRig()
    const gate = Promise.withResolvers<void>()
    ledger.answer = async () => (await gate.promise, {}) as never
    await pass(RENEW_MS)
    ledger.answer = () => AWAY
    wall.aheadMs += TTL_MS
    gate.resolve()
    await pass(0)
    expect(isCurrent(quota)).toBe(false)
  })

  test('asks once where the wall clock was set forward, and holds nothing for longer where it was set back', async () => {
    const { quota, taker, ledger } = await busyRig()
    const words = ledger.words.length
    wall.aheadMs += 3_600_000
    await pass(LIMITS.fleetWatchMs + 50)
    expect({ words: ledger.words.length - words, cuts: taker.cuts }).toEqual({ words: 1, cuts: [] })
    expect({ granted: quota.granted, current: isCurrent(quota) }).toEqual({ granted: 10, current: true })
    wall.aheadMs -= 7_200_000
    ledger.answer = () => AWAY
    const now = performance.now()
    expect(isCurrent(quota)).toBe(true)
    expect(quota.isCurrent(now + TTL_MS - LIMITS.fleetMarginMs)).toBe(false)
  })

  test('asks once more when it is stale, and cuts what the engine does not confirm before anything is served', async () => {
    const { quota, taker, ledger } = await busyRig()
    ledger.answer = () => AWAY
    await pass(TTL_MS - 200)
    expect(isCurrent(quota)).toBe(true)
    ledger.answer = () => new Promise<never>(() => {})
    await pass(300)
    expect({ current: isCurrent(quota), cuts: taker.cuts }).toEqual({ current: false, cuts: [] })
    const rigAgain = await busyRig()
    rigAgain.ledger.answer = () => AWAY
    await pass(TTL_MS - LIMITS.fleetMarginMs - 20)
    rigAgain.ledger.answer = () => ({ held: 4 })
    const { refreshed } = rigAgain.taker
    await pass(1_500)
    expect(rigAgain.taker.cuts).toEqual([4])
    // Whoever waits is served with what is left.
    expect(rigAgain.taker.refreshed).toBe(refreshed + 2)
    expect({ granted: rigAgain.quota.granted, current: isCurrent(rigAgain.quota) }).toEqual({
      granted: 4,
      current: true,
    })
  })

  test('has its share without the engine: the rest is cut at once, and more than it had comes after a grace', async () => {
    const rich = await busyRig({ cap: 10 })
    rich.ledger.answer = () => AWAY
    await pass(TTL_MS + LIMITS.fleetAnswerMs + 100)
    expect(rich.taker.cuts).toEqual([5])
    expect({ granted: rich.quota.granted, current: isCurrent(rich.quota) }).toEqual({
      granted: 5,
      current: true,
    })
    const poor = await busyRig({ cap: 100 })
    poor.ledger.answer = () => AWAY
    await pass(TTL_MS + LIMITS.fleetAnswerMs + 100)
    expect({ granted: poor.quota.granted, cuts: poor.taker.cuts }).toEqual({ granted: 10, cuts: [] })
    await pass(GRACE_MS - 400)
    expect(poor.quota.granted).toBe(10)
    await pass(400)
    expect(poor.quota.granted).toBe(50)
    expect(poor.faults).toEqual([AWAY])
  })

  test('has nothing without the engine where that is what onEngineLoss says, or as much as its pool likes', async () => {
    const closed = await busyRig({ onEngineLoss: 'closed' })
    const local = await busyRig({ onEngineLoss: 'local' })
    for (const { ledger } of [closed, local]) ledger.answer = () => AWAY
    await pass(TTL_MS + LIMITS.fleetAnswerMs + 100)
    expect({ granted: closed.quota.granted, cuts: closed.taker.cuts }).toEqual({ granted: 0, cuts: [0] })
    expect({ granted: local.quota.granted, cuts: local.taker.cuts }).toEqual({
      granted: Number.POSITIVE_INFINITY,
      cuts: [],
    })
    await pass(2 * GRACE_MS)
    expect(closed.quota.granted).toBe(0)
  })

  test('takes its share after a start without the engine only when nobody can have more of it', async () => {
    const { quota, taker } = rig({ away: true })
    taker.set({ wanting: 10 })
    await pass(TTL_MS + GRACE_MS - 100)
    expect(quota.granted).toBe(0)
    await pass(200)
    expect(quota.granted).toBe(50)
  })

  test('claims what is in use when the engine is back, and no more', async () => {
    const { quota, taker, ledger } = await busyRig({ onEngineLoss: 'local' })
    ledger.answer = () => AWAY
    await pass(TTL_MS + LIMITS.fleetAnswerMs + 100)
    taker.set({ taken: 30, idle: 5 })
    ledger.answer = () => ({ held: 20 })
    quota.onBack(0)
    await pass(20)
    expect(ledger.last).toMatchObject({ claim: 30, pending: 0, offer: 5 })
    // Nothing is killed; what comes back is closed, and what is left after a TTL is cut.
    expect({ granted: quota.granted, cuts: taker.cuts }).toEqual({ granted: 20, cuts: [] })
    ledger.answer = ({ claim }) => ({ held: Math.min(claim, 20) })
    taker.set({ taken: 24, idle: 0 })
    await pass(TTL_MS + 100)
    expect(taker.cuts).toEqual([20])
  })

  test('cuts at once what others have been given while it was cut off and had its share', async () => {
    const { quota, taker, ledger } = await busyRig({ onEngineLoss: 'share' })
    ledger.answer = () => AWAY
    await pass(TTL_MS + LIMITS.fleetAnswerMs + 100)
    taker.set({ taken: 30, idle: 5 })
    const before = taker.cuts.length
    ledger.answer = () => ({ held: 20 })
    quota.onBack(0)
    await pass(20)
    expect({ granted: quota.granted, cuts: taker.cuts.slice(before) }).toEqual({ granted: 20, cuts: [20] })
  })

  test('claims what was dialled while its first word after an absence was under way, and cuts none of it', async () => {
    const { quota, taker, ledger } = await busyRig()
    ledger.answer = () => AWAY
    await pass(TTL_MS + LIMITS.fleetAnswerMs + GRACE_MS + 100)
    const gate = Promise.withResolvers<void>()
    ledger.answer = async () => (await gate.promise, {}) as never
    quota.onBack(0)
    await pass(20)
    expect(ledger.last).toMatchObject({ claim: 10 })
    taker.set({ wanting: 7 })
    taker.refresh()
    expect(taker.use.taken).toBe(17)
    const words = ledger.words.length
    ledger.answer = () => ({})
    gate.resolve()
    await pass(LIMITS.fleetNewsMs + 2 * LIMITS.fleetLookMs)
    expect({ cuts: taker.cuts, words: ledger.words.length, claim: ledger.last?.claim }).toEqual({
      cuts: [],
      words: words + 1,
      claim: 17,
    })
    expect({ granted: quota.granted, taken: taker.use.taken }).toEqual({ granted: 17, taken: 17 })
    await pass(2 * TTL_MS)
    expect(taker.cuts).toEqual([])
  })

  test('shrinks where the engine says less than is in use, and cuts only after a further TTL', async () => {
    const { quota, taker, ledger } = await busyRig()
    ledger.answer = ({ claim }) => ({ held: Math.min(claim, 7) })
    await pass(RENEW_MS)
    expect({ granted: quota.granted, cuts: taker.cuts, current: isCurrent(quota) }).toEqual({
      granted: 7,
      cuts: [],
      current: true,
    })
    await pass(TTL_MS - RENEW_MS)
    expect(taker.cuts).toEqual([])
    await pass(RENEW_MS)
    expect(taker.cuts).toEqual([7])
  })

  test('looks at what lies idle only while others lack permits', async () => {
    const { quota, taker, ledger } = await busyRig()
    await pass(20)
    const [timers, words] = [vi.getTimerCount(), ledger.words.length]
    taker.rest(4)
    taker.rest(0)
    expect(vi.getTimerCount()).toBe(timers)
    ledger.answer = ({ claim }) => ({ held: claim, wants: 3 })
    quota.onWant()
    await pass(20)
    expect({ words: ledger.words.length - words, offer: ledger.last?.offer }).toEqual({ words: 1, offer: 0 })
    taker.rest(4)
    await pass(2 * LIMITS.fleetYieldMs)
    expect(ledger.last?.offer).toBe(4)
    ledger.answer = ({ claim }) => ({ held: claim })
    await pass(LIMITS.fleetWantMs + RENEW_MS)
    const after = vi.getTimerCount()
    taker.rest(0)
    expect(vi.getTimerCount()).toBe(after)
  })

  test('gives back for others what it has spare at once, and the rest as connections close', async () => {
    const { quota, taker, ledger } = await busyRig()
    taker.set({ taken: 9, idle: 3 })
    await pass(20)
    ledger.answer = ({ claim }) => ({
      held: claim,
      yield: Math.max(0, claim - 7),
      wants: 3,
    })
    quota.onWant()
    await pass(2 * LIMITS.fleetYieldMs)
    expect(ledger.last).toMatchObject({ claim: 9, pending: 2, soon: 2, offer: 1 })
    expect({ granted: quota.granted, idle: taker.use.idle }).toEqual({ granted: 7, idle: 1 })
    ledger.answer = ({ claim }) => ({ held: claim })
    taker.set({ taken: 7 })
    await pass(20)
    expect(ledger.last).toMatchObject({ claim: 7, pending: 0 })
    expect({ granted: quota.granted, cuts: taker.cuts }).toEqual({ granted: 7, cuts: [] })
  })

  test('keeps what it was to give back once nobody lacks it any more', async () => {
    const { quota, ledger } = await busyRig()
    ledger.answer = ({ claim }) => ({ held: claim, yield: 2, wants: 2, share: 5 })
    quota.onWant()
    await pass(LIMITS.fleetPollMs + 50)
    expect(quota.granted).toBe(8)
    ledger.answer = ({ claim }) => ({ held: claim })
    await pass(LIMITS.fleetPollMs + 50)
    expect(ledger.last).toMatchObject({ claim: 10, pending: 2 })
    expect(quota.granted).toBe(10)
  })

  test('asks whether it is to make room where another lacks permits, whatever its share was', async () => {
    const { quota, ledger } = await busyRig()
    ledger.answer = ({ claim }) => ({ held: claim, share: 50 })
    await pass(RENEW_MS)
    ledger.answer = ({ claim }) => ({ held: claim, yield: Math.max(0, claim - 7), wants: 9, share: 7 })
    quota.onWant()
    await pass(LIMITS.fleetPollMs)
    expect(quota.granted).toBe(7)
  })

  test('gives chunks back that were spare for some time, and not what comes and goes', async () => {
    const { quota, taker, ledger } = await busyRig({ cap: 64 })
    for (let i = 0; i < 5; i++) {
      taker.set({ taken: 2 })
      await pass(LIMITS.fleetSpareMs - 500)
      taker.set({ taken: 10 })
      await pass(50)
    }
    expect(quota.granted).toBe(10)
    taker.set({ taken: 3 })
    await pass(LIMITS.fleetSpareMs + 50)
    expect(quota.granted).toBe(6)
    expect(ledger.last).toMatchObject({ claim: 6 })
  })

  test('has one word under way at a time, each later than the one before', async () => {
    const { quota, taker, ledger } = rig()
    const gate = Promise.withResolvers<void>()
    ledger.answer = async () => (await gate.promise, {}) as never
    taker.set({ wanting: 1 })
    await pass(20)
    for (let wanting = 2; wanting < 9; wanting++) {
      taker.set({ wanting })
      await pass(50)
    }
    expect(ledger.words.map(({ seq, lack }) => [seq, lack])).toEqual([[1, 1]])
    ledger.answer = () => ({})
    gate.resolve()
    await pass(20)
    expect(ledger.words.map(({ seq, lack }) => [seq, lack])).toEqual([
      [1, 1],
      [2, 7],
    ])
    expect(quota.granted).toBe(8)
  })

  test('gives everything back at its end, after the word that is under way', async () => {
    const { quota, taker, ledger, ended } = await busyRig()
    const gate = Promise.withResolvers<void>()
    ledger.answer = async () => (await gate.promise, {}) as never
    taker.set({ wanting: 5 })
    await pass(20)
    quota.end()
    await pass(20)
    expect({ granted: quota.granted, given: ledger.given, ended: ended() }).toEqual({
      granted: 0,
      given: 0,
      ended: 0,
    })
    gate.resolve()
    await quota.close()
    expect({ granted: quota.granted, given: ledger.given, ended: ended() }).toEqual({
      granted: 0,
      given: 1,
      ended: 1,
    })
    expect(vi.getTimerCount()).toBe(0)
  })
})
