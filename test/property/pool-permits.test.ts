import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { TargetInput } from '../../src/config/target-input.ts'
import { SLOT_STATES, type Slot } from '../../src/pool/target/slot.ts'
import { settle } from '../support/fake-connector.ts'
import { HandPermits } from '../support/hand-permits.ts'
import { type Asked, TargetPoolBench } from '../support/target-pool-bench.ts'

/** What callers, peers, time, operators and whoever grants permits do to a pool; `pick` chooses whom it befalls, or how many. */
type Step = { readonly do: (typeof STEPS)[number]; readonly pick: number }

const STEPS = [
  ...(['ask', 'ask', 'ask', 'askAtOnce', 'askOther', 'leave', 'succeed', 'succeed', 'fail', 'obey'] as const),
  ...(['release', 'release', 'discard', 'judge', 'judge', 'die', 'share', 'sweep', 'turn', 'wait'] as const),
  ...(['grant', 'grant', 'grantUntold', 'doubt', 'rely', 'cut', 'pause', 'resume', 'resize'] as const),
] as const

const POOL: TargetInput['pool'] = { idleTimeoutMs: 300, maxLifetimeMs: 1_000 }

type Caller = { readonly asked: Asked; readonly controller: AbortController }

class Run {
  readonly permits: HandPermits
  readonly bench: TargetPoolBench
  readonly #callers: Caller[] = []
  readonly #gaveBack = new Set<Asked>()
  readonly #verdicts: Promise<unknown>[] = []
  readonly #misdeeds: string[] = []
  /** By whose word leases may be killed just now. */
  #isCutting = false

  constructor(granted: number, max: number, min: number) {
    this.permits = new HandPermits(granted)
    this.bench = new TargetPoolBench({ ...POOL, max, min }, 1_000, {}, this.permits.permitsOf)
    this.bench.onServed = asked => this.#served(asked)
  }

  async step({ do: what, pick }: Step): Promise<void> {
    const { permits, bench } = this
    const { connector, pool } = bench
    const choose = <T>(among: readonly T[]): T | undefined => among[pick % Math.max(1, among.length)]
    switch (what) {
      case 'ask':
        return this.#ask('a', 60_000)
      case 'askOther':
        return this.#ask('b', 60_000)
      case 'askAtOnce':
        return this.#ask('a', 0)
      case 'leave':
        return choose(this.#callers)?.controller.abort()
      case 'succeed':
        return void choose(connector.pending)?.succeed()
      case 'fail':
        return choose(connector.pending)?.fail()
      case 'obey':
        return connector.obey()
      case 'release':
      case 'discard':
        return this.#giveBack(choose(this.#holding), what === 'release' ? null : 'discarded')
      case 'judge':
        return choose(connector.alive)?.judge('clean')
      case 'die':
        return choose(connector.alive)?.die('reset')
      case 'share':
        return this.#share(choose(this.#holding))
      case 'sweep':
        return pool.sweep()
      case 'turn':
        return await settle()
      case 'wait':
        bench.nowMs += 20 * pick
        return
      case 'grant':
        return permits.grant(pick % 7)
      case 'grantUntold':
        // Whoever grants may count before it tells.
        permits.granted = pick % 7
        return
      case 'doubt':
        return permits.rely(false)
      case 'rely':
        return permits.rely(true)
      case 'cut':
        return this.#cut()
      case 'pause':
        return void pool.control.pause()
      case 'resume':
        return void pool.control.resume()
      case 'resize':
        return void pool.control.resize({ min: 0, max: 1 + (pick % 5) })
      default:
        what satisfies never
    }
  }

  #ask(tenant: string, waitMs: number): void {
    const controller = new AbortController()
    const asked = this.bench.ask({ tenant, waitMs, signal: controller.signal })
    this.#callers.push({ asked, controller })
  }

  get #holding(): readonly Asked[] {
    const all = this.#callers.map(({ asked }) => asked)
    return all.filter(asked => asked.slot?.state.kind === 'leased' && !this.#gaveBack.has(asked))
  }

  #giveBack(asked: Asked | undefined, refusal: 'discarded' | 'killed' | null): void {
    if (!asked?.slot) return
    this.#gaveBack.add(asked)
    asked.slot.lease = null
    this.#verdicts.push(this.bench.pool.release(asked.slot, refusal))
  }

  #share(asked: Asked | undefined): void {
    if (!asked?.slot?.connection) return
    this.bench.pool.share(asked.slot, asked.slot.connection)
  }

  /** The lease of a caller, which ends by a cut alone. */
  #served(asked: Asked): void {
    const { slot } = asked
    if (slot === null) return
    if (!this.permits.isReliable) this.#misdeeds.push('a caller was served by permits that nobody relies on')
    const sinceMs = this.bench.nowMs
    const none = { idleMs: 0, lastOperation: null, bytesIn: 0, bytesOut: 0 }
    slot.lease = {
      ...none,
      ageMs: -sinceMs,
      connectionLost: () => {},
      settle: () => {},
      kill: () => {
        if (!this.#isCutting) this.#misdeeds.push('a lease was killed by no cut')
        this.#giveBack(asked, 'killed')
      },
    }
  }

  #cut(): void {
    const { pool } = this.bench
    const { granted, taker } = this.permits
    const { closing } = pool.counts
    const surplus = Math.max(0, pool.size - closing - Math.min(granted, pool.target.pool.max))
    this.#isCutting = true
    const cut = taker.cut()
    this.#isCutting = false
    expect(cut).toBe(surplus)
    expect(pool.counts.closing).toBe(closing + surplus)
  }

  /** `before`: what the pool had in use, and might have. */
  check(before: { readonly size: number; readonly dials: number }): void {
    const { permits, bench } = this
    const { pool, connector } = bench
    const { max } = pool.target.pool
    expect(this.#misdeeds).toEqual([])
    expect(SLOT_STATES.reduce((total, state) => total + pool.counts[state], 0)).toBe(pool.size)
    // Nothing is added beyond the permits of the moment, and what was there beyond them only becomes less.
    expect(pool.size).toBeLessThanOrEqual(Math.max(before.size, Math.min(permits.granted, max)))
    if (!permits.isReliable || permits.granted === 0) expect(connector.dials.length).toBe(before.dials)
    expect(bench.waiting).toBe(pool.waiters)
    const { taken, idle, wanting, cold } = permits.use
    expect([taken, idle]).toEqual([pool.size, pool.counts.idle])
    expect(Math.min(wanting, cold)).toBeGreaterThanOrEqual(0)
    expect(Math.max(wanting, cold)).toBeLessThanOrEqual(Math.max(0, max - pool.size))
    expect(wanting).toBeLessThanOrEqual(pool.waiters)
    if (!pool.control.isActive) expect(wanting + cold).toBe(0)
    const held = this.#holding.map(({ slot }) => slot)
    expect(new Set(held).size).toBe(held.length)
  }

  /** With permits for all, everybody is served; then everything ends. */
  async end(): Promise<void> {
    const { permits, bench } = this
    const { connector, pool } = bench
    pool.control.resume()
    permits.isReliable = true
    permits.grant(1_000)
    for (let turn = 0; turn < 10_000 && pool.waiters > 0; turn++) {
      bench.nowMs += 10_000
      pool.sweep()
      for (const dial of connector.pending) if (!dial.isAborted) dial.succeed()
      for (const slot of pool.connections) if (slot.state.kind === 'multiplexed') void this.#endShared(slot)
      for (const asked of this.#holding) this.#giveBack(asked, 'discarded')
      for (const connection of connector.alive) connection.judge('clean')
      connector.obey()
      await settle()
    }
    expect(pool.waiters).toBe(0)
    const closed = pool.close()
    for (const asked of this.#holding) this.#giveBack(asked, null)
    for (const slot of pool.connections) if (slot.state.kind === 'multiplexed') void this.#endShared(slot)
    for (let turn = 0; turn < 3; turn++) {
      for (const dial of connector.pending) if (!dial.isAborted) dial.succeed()
      connector.obey()
      await settle()
    }
    await closed
    await Promise.all(this.#verdicts)
    expect([permits.ends, pool.size, bench.waiting, bench.faults]).toEqual([1, 0, 0, []])
    for (const { asked } of this.#callers) expect(asked.slot === null && asked.error === null).toBe(false)
  }

  #endShared(slot: Slot): Promise<unknown> {
    slot.lease = null
    return this.bench.pool.release(slot, 'policy')
  }
}

test('TargetPool never adds a slot beyond its permits, serves nobody by ones in doubt, kills by a cut alone, and loses no caller', async () => {
  const step: fc.Arbitrary<Step> = fc.record({ do: fc.constantFrom(...STEPS), pick: fc.nat(20) })
  await fc.assert(
    fc.asyncProperty(
      fc.nat(5),
      fc.integer({ min: 1, max: 5 }),
      fc.nat(3),
      fc.array(step, { minLength: 20, maxLength: 150, size: 'max' }),
      async (granted, max, min, steps) => {
        const run = new Run(granted, max, Math.min(min, max))
        for (const step of steps) {
          const before = { size: run.bench.pool.size, dials: run.bench.connector.dials.length }
          await run.step(step)
          run.check(before)
        }
        await run.end()
      },
    ),
    { numRuns: 500 },
  )
})
