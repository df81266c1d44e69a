import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { EndName } from '../../src/channel/values.ts'
import { SLOT_STATES, type Slot } from '../../src/pool/target/slot.ts'
import { settle } from '../support/fake-connector.ts'
import { type Asked, TargetPoolBench } from '../support/target-pool-bench.ts'

/** What callers, peers, I/O workers and time do to a pool; `pick` chooses whom it befalls. */
type Step =
  | { readonly do: 'ask'; readonly tenant: string; readonly waitMs: number }
  | { readonly do: 'turn' | 'obey' | 'sweep' }
  | {
      readonly do: 'leave' | 'succeed' | 'fail' | 'discard' | 'release' | 'judge' | 'finish'
      readonly pick: number
    }
  | { readonly do: 'judgeBadly' | 'die' | 'dieAtOnce'; readonly pick: number; readonly how: EndName }
  | { readonly do: 'wait'; readonly ms: number }

const pick = fc.nat(20)
const how = fc.constantFrom<EndName>('reset', 'fin', 'workerLost', 'poisoned', 'tls')
const stepArbitrary: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('ask' as const),
      tenant: fc.constantFrom('a', 'b'),
      waitMs: fc.constantFrom(0, 60_000),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constantFrom('turn' as const, 'obey' as const, 'sweep' as const) }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constantFrom('leave', 'succeed', 'fail', 'discard', 'release', 'judge', 'finish'),
      pick,
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('judgeBadly', 'die', 'dieAtOnce'), pick, how }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.nat(500) }) },
)

type Caller = {
  readonly asked: Asked
  readonly tenant: string
  readonly controller: AbortController
  /** How often others were served while it was the first of all and nothing was on its way for it. */
  passedBy: number
}

class Run {
  readonly bench: TargetPoolBench
  readonly #asked: Caller[] = []
  readonly #max: number
  readonly #unfair: string[] = []
  readonly #gaveBack = new Set<Asked>()
  readonly #verdicts: Promise<unknown>[] = []

  constructor(max: number, min: number) {
    this.#max = max
    this.bench = new TargetPoolBench({ max, min, idleTimeoutMs: 300, maxLifetimeMs: 1_000 }, 8)
    this.bench.onServed = asked => this.#served(asked)
  }

  async step(step: Step): Promise<void> {
    const { bench } = this
    const { connector, pool } = bench
    const choose = <T>(among: readonly T[]): T | undefined =>
      'pick' in step && among.length > 0 ? among[step.pick % among.length] : undefined
    switch (step.do) {
      case 'ask': {
        const controller = new AbortController()
        const { tenant, waitMs } = step
        const caller = { asked: bench.ask({ tenant, waitMs, signal: controller.signal }), tenant, controller }
        this.#asked.push({ ...caller, passedBy: 0 })
        return
      }
      case 'turn':
        return await settle()
      case 'obey':
        return connector.obey()
      case 'sweep':
        return pool.sweep()
      case 'leave':
        return choose(this.#asked)?.controller.abort()
      case 'succeed':
        choose(connector.pending)?.succeed()
        return
      case 'fail':
        return choose(connector.pending)?.fail()
      case 'dieAtOnce':
        choose(connector.pending)?.succeed(connection => connection.die(step.how))
        return
      case 'discard':
      case 'release': {
        const asked = choose(this.#holding)
        if (asked?.slot)
          this.#verdicts.push(pool.release(asked.slot, step.do === 'release' ? null : 'discarded'))
        if (asked) this.#gaveBack.add(asked)
        return
      }
      case 'judge':
        return choose(connector.alive)?.judge('clean')
      case 'judgeBadly':
        return choose(connector.alive)?.judge('unread')
      case 'finish':
        return choose(connector.alive)?.finish()
      case 'die':
        return choose(connector.alive)?.die(step.how)
      case 'wait':
        bench.nowMs += step.ms
        return
      default:
        step satisfies never
    }
  }

  /** The callers that have a connection now; its slot may serve another once they have given it back. */
  get #holding(): readonly Asked[] {
    const all = this.#asked.map(({ asked }) => asked)
    return all.filter(asked => asked.slot?.state.kind === 'leased' && !this.#gaveBack.has(asked))
  }

  /** The first in the queue lets others pass for a round at the most, and not at all where it has nothing to hope for. */
  #served(asked: Asked): void {
    const { counts, connections } = this.bench.pool
    const { idle, leased, quarantined } = counts
    const queue = this.#asked.filter(
      caller =>
        caller.asked.slot === null && caller.asked.error === null && !caller.controller.signal.aborted,
    )
    const [head] = queue
    // Some have failed, and have not heard of it yet.
    if (head === undefined || queue.length !== this.bench.pool.waiters) return
    const callers = this.#asked.map(caller => caller.asked)
    // One that is served within the call that asks is the last of all.
    const isAhead = callers.includes(asked) && callers.indexOf(asked) < callers.indexOf(head.asked)
    if (isAhead || idle + leased + quarantined < this.#max) return
    head.passedBy++
    const isOut = (slot: Slot): boolean => slot.state.kind === 'leased' || slot.state.kind === 'quarantined'
    // Not an expectation here: the pool would take it for an error of the caller's.
    if (head.passedBy >= this.#max || !connections.some(slot => isOut(slot) && slot.tenant === head.tenant))
      this.#unfair.push(`${head.tenant} was passed by ${head.passedBy}`)
  }

  check(max: number): void {
    const { pool, waiting } = this.bench
    expect(this.#unfair).toEqual([])
    const sum = SLOT_STATES.reduce((total, state) => total + pool.counts[state], 0)
    expect(sum).toBe(pool.size)
    expect(sum).toBeLessThanOrEqual(max)
    expect(waiting).toBe(pool.waiters)
    // No connection is two callers' at once, and no caller waits beside one that it could have.
    const held = this.#holding.map(({ slot }) => slot)
    expect(new Set(held).size).toBe(held.length)
    if (pool.waiters > 0) expect(pool.size).toBeGreaterThan(0)
  }

  /** All leave, everything ends. */
  async end(): Promise<void> {
    const { connector, pool } = this.bench
    await settle()
    const closed = pool.close()
    for (const { asked, controller } of this.#asked) {
      controller.abort()
      if (this.#holding.includes(asked) && asked.slot) this.#verdicts.push(pool.release(asked.slot, null))
    }
    for (const dial of connector.pending) if (!dial.isAborted) dial.succeed()
    await settle()
    for (const connection of connector.alive) connection.judge('clean')
    connector.obey()
    await settle()
    connector.obey()
    await closed
    await Promise.all(this.#verdicts)
    expect(this.bench.waiting).toBe(0)
    expect(this.bench.faults).toEqual([])
    expect(pool.size).toBe(0)
    expect(connector.alive).toHaveLength(0)
    for (const { asked } of this.#asked) expect(asked.slot === null && asked.error === null).toBe(false)
  }
}

test('TargetPool never holds more slots than max, gets every one of them back, and serves every tenant in turn', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 4 }),
      fc.nat(2),
      fc.array(stepArbitrary, { maxLength: 80 }),
      async (max, min, steps) => {
        const run = new Run(max, Math.min(min, max))
        for (const step of steps) {
          await run.step(step)
          run.check(max)
        }
        await run.end()
      },
    ),
    { numRuns: 3_000 },
  )
})
