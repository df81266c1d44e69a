/**
 * Looks at the rows of a pool's targets all the time: connecting + idle + leased + multiplexed + quarantined + closing are its
 * connections, and these are never more than its maximum.
 */
import type { Pool } from '../../src/pool/pool.ts'
import type { TargetStats } from '../../src/pool/target/pool-stats.ts'
import { SLOT_STATES } from '../../src/pool/target/slot.ts'
import type { Findings } from './findings.ts'

/** Milliseconds between two looks, beside those that a play takes itself. */
const LOOK_MS = 10

/** The slots that a target has in use. */
export function sizeOf({ connections }: TargetStats): number {
  return SLOT_STATES.reduce((sum, state) => sum + connections[state], 0)
}

export class LawWatch {
  readonly #pool: Pool
  readonly #findings: Findings
  readonly #connectingMax: number
  readonly #timer: NodeJS.Timeout
  /** By target, the most that may be in use: what was there when its maximum was lowered may outlast that. */
  readonly #bounds = new Map<string, number>()

  /** `connectingMax`: of each target, the dials under way at once. */
  constructor(pool: Pool, findings: Findings, connectingMax: number = Number.POSITIVE_INFINITY) {
    this.#pool = pool
    this.#findings = findings
    this.#connectingMax = connectingMax
    this.#timer = setInterval(() => this.look(), LOOK_MS)
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  look(): void {
    const rows = this.#pool.targets()
    const listed = this.#pool.connections()
    const { connections: totals } = this.#pool.stats()
    this.#findings.count('looks at the law')
    let all = 0
    for (const row of rows) {
      const size = sizeOf(row)
      all += size
      const bound = Math.max(row.connections.max, Math.min(size, this.#bounds.get(row.name) ?? 0))
      this.#bounds.set(row.name, bound)
      if (size > bound) this.#findings.violate(`${row.name} has ${size} connections of ${bound}`)
      const { connecting } = row.connections
      if (connecting > this.#connectingMax)
        this.#findings.violate(`${row.name} has ${connecting} dials under way`)
      const own = listed.filter(({ target }) => target === row.name)
      for (const state of SLOT_STATES)
        this.#compare(row, state, own.filter(one => one.state === state).length)
    }
    this.#findings.most('connections at once', all)
    for (const state of SLOT_STATES) {
      const sum = rows.reduce((total, { connections }) => total + connections[state], 0)
      if (sum !== totals[state])
        this.#findings.violate(`the targets have ${sum} ${state}, the pool ${totals[state]}`)
    }
  }

  /** One that is being dialled has no row yet, and neither has one whose dial was given up. */
  #compare({ name, connections }: TargetStats, state: (typeof SLOT_STATES)[number], listed: number): void {
    const counted = connections[state]
    const agrees =
      state === 'connecting' ? listed === 0 : state === 'closing' ? listed <= counted : listed === counted
    if (!agrees) this.#findings.violate(`${name} counts ${counted} ${state} and lists ${listed}`)
  }
}
