/**
 * A random walk over the alphabet of the fence: many leases side by side, each brought into a random moment and ended in a
 * random way, and the ends of ended leases used at random times later. What each lease does follows from the seed and its
 * number; how leases meet is up to the threads. No test code: attached threads walk too.
 */
import {
  type Cell,
  type EndingName,
  type EndName,
  impossible,
  type MomentName,
  nameOf,
} from './fence-cells.ts'
import type { Call, NearEnds } from './fence-ends.ts'
import { strangeOf, wrongOf } from './fence-judge.ts'
import { type Outcome, tried } from './fence-outcome.ts'
import { Random } from './fence-random.ts'
import { mayBeServed, WalkedLease } from './fence-walked-lease.ts'

/** How often each is drawn. What has no weight is no choice of a single lease. */
export type Weights = {
  readonly ends: Readonly<Partial<Record<EndName, number>>>
  readonly moments: Readonly<Partial<Record<MomentName, number>>>
  readonly endings: Readonly<Partial<Record<EndingName, number>>>
}

export const TENANTS = ['ann', 'bob', 'cy'] as const
/** Ends of ended leases that are kept to be used. */
const KEPT_MAX = 96
/** Calls on them before each lease. */
const USES = 2
/** Milliseconds after which a lease is taken to wait for ever. */
const PATIENCE_MS = 20_000
const FAULTS_MAX = 30

export type WalkParts = {
  readonly open: (end: EndName, tenant: string) => Promise<{ readonly ends: NearEnds; readonly port: number }>
  /** Begins the numbers of its leases; a word. */
  readonly name: string
  readonly seed: number
  readonly leases: number
  readonly concurrency: number
  readonly weights: Weights
  /** When an I/O worker was lost last, in milliseconds since 1970: whatever lived then may have been lost with it. */
  readonly lostAt: () => number
}

export type WalkReport = {
  readonly leases: number
  /** Calls on ends of leases that had ended. */
  readonly uses: number
  /** Leases whose connection served again, and those that an I/O worker took along. */
  readonly reused: number
  readonly lost: number
  /** What moved that was not its lease's, or waits for ever. */
  readonly faults: readonly string[]
  /** Calls that were answered otherwise than they should, and how often. */
  readonly answered: Readonly<Record<string, number>>
  /** How many of each end and moment, and the milliseconds that they took together. */
  readonly kinds: Readonly<Record<string, { readonly count: number; readonly ms: number }>>
}

type Kept = { readonly one: WalkedLease; readonly calls: readonly Call[]; readonly bornAt: number }

export class Walk {
  readonly #parts: WalkParts
  readonly #random: Random
  readonly #kept: Kept[] = []
  readonly #faults: string[] = []
  readonly #answered: Record<string, number> = {}
  readonly #kinds: Record<string, { count: number; ms: number }> = {}
  #next = 0
  #uses = 0
  #reused = 0
  #lost = 0

  constructor(parts: WalkParts) {
    this.#parts = parts
    this.#random = new Random(parts.seed)
  }

  /** Ends early where it finds one fault after another. */
  async run(): Promise<WalkReport> {
    const { leases, concurrency } = this.#parts
    const walk = async (): Promise<void> => {
      while (this.#next < leases && this.#faults.length < FAULTS_MAX) await this.#step(this.#next++)
    }
    await Promise.all(Array.from({ length: concurrency }, walk))
    return {
      leases: this.#next,
      uses: this.#uses,
      reused: this.#reused,
      lost: this.#lost,
      faults: this.#faults,
      answered: this.#answered,
      kinds: this.#kinds,
    }
  }

  async #step(number: number): Promise<void> {
    const startedMs = performance.now()
    const bornAt = Date.now()
    const random = Random.of(this.#parts.seed, number)
    const cell = drawCell(random, this.#parts.weights)
    for (let use = 0; use < USES; use++) await this.#useKept()
    try {
      await within(this.#play(cell, random, `${this.#parts.name}${number}`, bornAt))
    } catch (error) {
      if (this.#isLoss(error, bornAt)) this.#lost++
      else this.#fault(cell, `it stopped: ${error instanceof Error ? error.message : String(error)}`)
    }
    const name = `${cell.end} × ${cell.moment}`
    const kind = this.#kinds[name] ?? { count: 0, ms: 0 }
    this.#kinds[name] = { count: kind.count + 1, ms: kind.ms + performance.now() - startedMs }
  }

  async #play(cell: Cell, random: Random, lease: string, bornAt: number): Promise<void> {
    const tenant = TENANTS[random.below(TENANTS.length)] ?? TENANTS[0]
    const { ends, port } = await this.#parts.open(cell.end, tenant)
    const one = new WalkedLease(cell, ends, { tenant, lease, port }, random)
    try {
      for (let round = random.below(3); round > 0; round--) await one.greet()
      await one.enter()
      if (random.chance(0.3)) await this.#useKept()
      if ((await one.finish()) === 'reused') this.#reused++
      for (const outcome of await ends.waited())
        if (!mayBeServed(outcome)) this.#judge({ one, bornAt }, 'waited', outcome)
      const isStanding = cell.ending === 'RST' && random.chance(0.5)
      if (isStanding)
        for (const call of sample(ends.calls(0, 'streams'), random, 3))
          this.#judge({ one, bornAt }, 'used', await tried(...call))
    } finally {
      await ends.end('discard')
    }
    this.#keep({ one, calls: ends.calls(0, 'all'), bornAt })
  }

  /** One call on an end of a lease that ended some time ago. */
  async #useKept(): Promise<void> {
    const kept = this.#kept[this.#random.below(KEPT_MAX)]
    const call = kept?.calls[this.#random.below(kept.calls.length)]
    if (kept === undefined || call === undefined) return
    this.#uses++
    this.#judge(kept, 'used', await tried(...call))
  }

  #keep(kept: Kept): void {
    if (this.#kept.length < KEPT_MAX) this.#kept.push(kept)
    else this.#kept[this.#random.below(KEPT_MAX)] = kept
  }

  #judge({ one, bornAt }: Pick<Kept, 'one' | 'bornAt'>, phase: 'waited' | 'used', outcome: Outcome): void {
    const { cell } = one
    const strange = strangeOf(cell, outcome, text => one.isOwn(text))
    if (strange !== null) return this.#fault(cell, strange)
    const wrong = wrongOf(cell, phase, outcome)
    if (wrong === null) return
    const wasLost = bornAt <= this.#parts.lostAt()
    if (wasLost && wrongOf({ ...cell, ending: 'worker lost' }, phase, outcome) === null) return
    const row = `${nameOf(cell)}: ${wrong}`
    this.#answered[row] = (this.#answered[row] ?? 0) + 1
  }

  #isLoss(error: unknown, bornAt: number): boolean {
    if (typeof error !== 'object' || error === null) return false
    const { code, cause } = error as { readonly code?: unknown; readonly cause?: unknown }
    if (this.#isLoss(cause, bornAt)) return true
    return bornAt <= this.#parts.lostAt() && (code === 'WORKER_LOST' || code === 'LEASE_GONE')
  }

  #fault(cell: Cell, text: string): void {
    if (this.#faults.length < FAULTS_MAX) this.#faults.push(`${nameOf(cell)}: ${text}`)
  }
}

/** A cell that exists, by the weights. */
function drawCell(random: Random, { ends, moments, endings }: Weights): Cell {
  for (;;) {
    const cell = { end: random.pick(ends), moment: random.pick(moments), ending: random.pick(endings) }
    if (impossible(cell) === null && !isUnasked(cell)) return cell
  }
}

/** The peer is asked by lines for what it does, and in these moments no line reaches it. */
function isUnasked({ end, moment, ending }: Cell): boolean {
  // A thread that blocks in a call could not ask for its end.
  if (end === 'attached blocking' && moment !== 'idle') return true
  const isByPeer = ending === 'FIN' || ending === 'RST' || ending === 'borrower returned'
  if (!isByPeer) return false
  return moment === 'overfull' || moment === 'upgrading' || (end === 'REST' && moment !== 'idle')
}

/** Neighbours among all. */
function sample<T>(all: readonly T[], random: Random, count: number): readonly T[] {
  const start = random.below(Math.max(1, all.length - count + 1))
  return all.slice(start, start + count)
}

async function within<T>(promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`it waits longer than ${PATIENCE_MS} ms`)), PATIENCE_MS)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
