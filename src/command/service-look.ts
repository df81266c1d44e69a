/** What a running service is doing at one moment, and what has changed between two. */
import { performance } from 'node:perf_hooks'
import { LIMITS } from '../base/limits.ts'
import { type ApiRow, numberAt, rowsAt } from './row-field.ts'
import { askService, type ServiceFlags } from './service-call.ts'

export type ServiceLook = {
  /** When it was answered, on a clock that only rises. */
  readonly atMs: number
  readonly stats: ApiRow
  readonly targets: readonly ApiRow[]
  readonly workers: readonly ApiRow[]
}

/** Errors: as `askService`; it takes no longer than a look may. */
export async function lookAtService(flags: ServiceFlags, signal?: AbortSignal): Promise<ServiceLook> {
  const ask = (path: string): Promise<ApiRow> =>
    askService(flags, { method: 'GET', path, timeoutMs: LIMITS.topLookMs, signal })
  const [stats, targets, workers] = await Promise.all([
    ask('/v1/stats'),
    ask('/v1/targets'),
    ask('/v1/workers'),
  ])
  return {
    atMs: performance.now(),
    stats,
    targets: rowsAt(targets, 'targets'),
    workers: rowsAt(workers, 'workers'),
  }
}

/** How fast the counts of rows rise, from one look to the next. */
export class Rates {
  readonly #before: ReadonlyMap<string, ApiRow>
  readonly #seconds: number

  constructor(before: readonly ApiRow[], seconds: number) {
    this.#before = new Map(before.map(row => [keyOf(row), row]))
    this.#seconds = seconds
  }

  /** In a second; null for a row that is new, and for a count that has begun anew. */
  of(row: ApiRow, path: string): number | null {
    const before = this.#before.get(keyOf(row))
    const [from, to] = [before === undefined ? null : numberAt(before, path), numberAt(row, path)]
    return from === null || to === null || to < from || this.#seconds <= 0
      ? null
      : (to - from) / this.#seconds
  }

  /** Of all rows together; null where none has one. */
  sum(rows: readonly ApiRow[], path: string): number | null {
    const known = rows.map(row => this.of(row, path)).filter(rate => rate !== null)
    return known.length === 0 ? null : known.reduce((sum, rate) => sum + rate, 0)
  }
}

/** What makes a row the same one in two looks: a described target is one of its tenant, and a worker one of its thread. */
function keyOf(row: ApiRow): string {
  return JSON.stringify(['name', 'tenant', 'kind', 'id', 'threadId', 'work'].map(field => row[field] ?? null))
}
