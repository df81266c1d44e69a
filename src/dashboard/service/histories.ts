/** The histories of all targets together and of each: fed by rounds of figures and by events. */
import type { ServiceEvent } from './event-lines.ts'
import type { ServiceFigures, TargetFigures } from './figures.ts'
import { TargetHistory } from './target-history.ts'

/** Targets with a history of their own; of more, the charts of all together tell. */
const TARGETS_MAX = 200

export class Histories {
  readonly all: TargetHistory = new TargetHistory()
  readonly #byTarget = new Map<string, TargetHistory>()
  /** Events that the service had to leave out as the page read too slowly. */
  dropped = 0

  /** One that nothing is known of is empty. */
  of(target: string): TargetHistory {
    return this.#byTarget.get(target) ?? new TargetHistory()
  }

  round(service: ServiceFigures, targets: readonly TargetFigures[], nowMs: number): void {
    this.all.point({ waiters: service.waiters, leased: service.connections.leased }, nowMs)
    const names = new Set(targets.map(({ name }) => name))
    for (const name of this.#byTarget.keys()) if (!names.has(name)) this.#byTarget.delete(name)
    for (const { name, waiters, connections } of targets)
      this.#known(name)?.point({ waiters, leased: connections.leased }, nowMs)
  }

  happened({ kind, target, ms, count }: ServiceEvent, nowMs: number): void {
    if (kind === 'dropped') this.dropped += count
    if (ms === null) return
    const own = target === null ? null : this.#known(target)
    for (const history of [this.all, own])
      if (kind === 'lease') history?.waited(ms, nowMs)
      else if (kind === 'release') history?.held(ms, nowMs)
  }

  #known(name: string): TargetHistory | null {
    const known = this.#byTarget.get(name)
    if (known !== undefined || this.#byTarget.size >= TARGETS_MAX) return known ?? null
    const fresh = new TargetHistory()
    this.#byTarget.set(name, fresh)
    return fresh
  }
}
