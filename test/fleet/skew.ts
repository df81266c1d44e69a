/**
 * All that is asked for is asked of one instance, while the connections lie idle at the others: how soon it has them, and how much of
 * the cap is in use from then on.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Findings, type PlayReport } from '../soak/findings.ts'
import { Random } from '../support/fence-random.ts'
import { Caller, failureOf, jsonIn } from './caller.ts'
import { type Field, TARGET } from './field.ts'
import type { Instance } from './instance.ts'

export type SkewScale = {
  /** Callers beyond the cap, all of them at the one instance. */
  readonly callersBeyond: number
  /** Milliseconds that a caller holds a lease. */
  readonly holdMs: number
  /** Milliseconds for which the use is watched, once the instance has its share. */
  readonly forMs: number
  /** Milliseconds in which it must have it; and the share of the cap that must be in use then. */
  readonly withinMs: number
  readonly useMin: number
}

const SHARE = 0.95
/** Milliseconds until the others have all connections: a fleet that is new grows slowly at first. */
const GROW_MS = 60_000
/** Milliseconds until one instance has them in any case, and between two looks. */
const GIVE_UP_MS = 60_000
const LOOK_MS = 20

export async function skew(field: Field, scale: SkewScale): Promise<PlayReport> {
  const findings = new Findings()
  const caller = new Caller(field.token)
  try {
    const [wanting, ...others] = field.instances
    if (wanting === undefined || others.length === 0) throw new Error('it takes two instances')
    await spread(field, caller, findings, others)
    if (!findings.hasViolations) await want(field, caller, findings, scale, wanting)
  } finally {
    caller.close()
  }
  return findings.report('skew')
}

/** The others get all connections there may be, each as many as any other, and let them lie idle. */
async function spread(
  field: Field,
  caller: Caller,
  findings: Findings,
  others: readonly Instance[],
): Promise<void> {
  const untilMs = performance.now() + GROW_MS
  const held = Array.from({ length: field.cap }, async (_, number) => {
    const instance = others[number % others.length] as Instance
    for (;;) {
      const json = { target: TARGET, ttlMs: GROW_MS, waitMs: 5_000 }
      const answer = await caller.ask(instance, { method: 'POST', path: '/v1/leases', json })
      const failure = failureOf(answer)
      if (failure === null) return { instance, id: jsonIn<{ id: string }>(answer).id }
      if (!failure.isRetryable || performance.now() > untilMs) {
        findings.violate(`nobody lets ${instance.name} have its share: ${failure.detail}`)
        return null
      }
    }
  })
  const leases = await Promise.all(held)
  const { now } = await field.upstream.report()
  findings.set('open at the others', now.total - (now.byPort[0] ?? 0))
  const released = leases.map(async lease => {
    if (lease === null) return
    const path = `/v1/leases/${lease.id}`
    const failure = failureOf(await caller.ask(lease.instance, { method: 'DELETE', path }))
    if (failure !== null) findings.violate(`a release failed: ${failure.detail}`)
  })
  await Promise.all(released)
}

async function want(
  field: Field,
  caller: Caller,
  findings: Findings,
  scale: SkewScale,
  wanting: Instance,
): Promise<void> {
  const demand = new Demand(caller, findings, scale, wanting)
  const startedMs = performance.now()
  const left = demand.run(field.cap + scale.callersBeyond)
  left.catch(() => {})
  try {
    // What it may have whatever the others do.
    const share = Math.ceil(field.cap * SHARE)
    while (demand.held < share && performance.now() - startedMs < GIVE_UP_MS) await sleep(LOOK_MS)
    findings.atMost('ms until it holds 95 %', performance.now() - startedMs, scale.withinMs)
    findings.set('held then', demand.held)
    await watchUse(field, findings, scale, demand, wanting)
  } finally {
    demand.end()
    await left
  }
  for (const { total } of field.upstream.counts) findings.most('most open', total)
  if (findings.of('most open') > field.cap) findings.violate(`${findings.of('most open')} were open`)
}

async function watchUse(
  field: Field,
  findings: Findings,
  { forMs, useMin }: SkewScale,
  demand: Demand,
  wanting: Instance,
): Promise<void> {
  let looks = 0
  let held = 0
  let open = 0
  for (const untilMs = performance.now() + forMs; performance.now() < untilMs; await sleep(LOOK_MS)) {
    looks++
    held += demand.held
    open += field.upstream.latest.byPort[wanting.index] ?? 0
  }
  findings.set('share of the cap that was held', held / looks / field.cap)
  findings.set('share of the cap that was open', open / looks / field.cap)
  findings.set('leases', demand.served)
  if (open / looks / field.cap < useMin) findings.violate(`no more than ${open / looks} were open`)
}

/** More callers than there may be connections, all at one instance. */
class Demand {
  readonly #caller: Caller
  readonly #findings: Findings
  readonly #scale: SkewScale
  readonly #at: Instance
  readonly #random = new Random(1)
  #isOver = false
  #held = 0
  #served = 0

  constructor(caller: Caller, findings: Findings, scale: SkewScale, at: Instance) {
    this.#caller = caller
    this.#findings = findings
    this.#scale = scale
    this.#at = at
  }

  /** Leases that are held now, as their callers know. */
  get held(): number {
    return this.#held
  }

  get served(): number {
    return this.#served
  }

  async run(callers: number): Promise<void> {
    await Promise.all(Array.from({ length: callers }, () => this.#call()))
  }

  end(): void {
    this.#isOver = true
  }

  async #call(): Promise<void> {
    while (!this.#isOver) {
      const json = { target: TARGET, ttlMs: 60_000, waitMs: 10_000 }
      const answer = await this.#caller.ask(this.#at, { method: 'POST', path: '/v1/leases', json })
      const failure = failureOf(answer)
      if (failure?.isRetryable) {
        this.#findings.count(`tried again: ${failure.code}`)
        continue
      }
      if (failure !== null) return this.#findings.violate(`not acquired: ${failure.detail}`)
      this.#held++
      await sleep(this.#scale.holdMs * (0.5 + this.#random.next()))
      this.#held--
      const path = `/v1/leases/${jsonIn<{ id: string }>(answer).id}`
      const notReleased = failureOf(await this.#caller.ask(this.#at, { method: 'DELETE', path }))
      if (notReleased !== null) return this.#findings.violate(`not released: ${notReleased.detail}`)
      this.#served++
    }
  }
}
