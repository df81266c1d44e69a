/** The figures of one look at the service, by metric, in the shape in which the registry prints them. */
import { DURATION_BOUNDS } from '../base/duration-buckets.ts'
import type { DurationCounts, Exemplar } from '../base/duration-tally.ts'
import { FAMILIES, type FamilyKey } from './families.ts'

export type Labels = Readonly<Record<string, string>>

/** One line. `sharedLabels` are those that all lines of a histogram have; they are written once. */
export type Sample = {
  readonly metricName?: string
  readonly labels: Readonly<Record<string, string | number>>
  readonly sharedLabels?: Labels
  readonly value: number
  readonly exemplar?: {
    readonly labelSet: Labels
    readonly value: number
    /** Seconds since 1970. */
    readonly timestamp: number
  }
}

export class Samples {
  readonly #lines = new Map<FamilyKey, Sample[]>()

  add(family: FamilyKey, labels: Labels, value: number): void {
    this.#of(family).push({ labels, value })
  }

  addDurations(family: FamilyKey, labels: Labels, { counts, sumSeconds, exemplars }: DurationCounts): void {
    const { name } = FAMILIES[family]
    const lines = this.#of(family)
    const shared = { sharedLabels: labels }
    let count = 0
    for (let bucket = 0; bucket <= DURATION_BOUNDS.length; bucket++) {
      count += counts[bucket] ?? 0
      const exemplar = exemplars?.get(bucket)
      lines.push({
        ...shared,
        metricName: `${name}_bucket`,
        labels: { le: DURATION_BOUNDS[bucket] ?? '+Inf' },
        value: count,
        ...(exemplar && { exemplar: printed(exemplar) }),
      })
    }
    lines.push({ ...shared, metricName: `${name}_sum`, labels: {}, value: sumSeconds })
    lines.push({ ...shared, metricName: `${name}_count`, labels: {}, value: count })
  }

  of(family: FamilyKey): readonly Sample[] {
    return this.#lines.get(family) ?? []
  }

  #of(family: FamilyKey): Sample[] {
    const known = this.#lines.get(family) ?? []
    this.#lines.set(family, known)
    return known
  }
}

function printed({ traceId, seconds, atMs }: Exemplar): NonNullable<Sample['exemplar']> {
  return { labelSet: { trace_id: traceId }, value: seconds, timestamp: atMs / 1_000 }
}
