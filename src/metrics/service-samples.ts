/** The figures of what serves all targets: parse workers, HTTP, the egress rules, and the log. */
import type { DurationCounts } from '../base/duration-tally.ts'
import { PARSE_PLACES, type ParseTally } from '../base/parse-tally.ts'
import type { NamedDurations } from '../channel/shared-durations.ts'
import type { ParsersStats } from '../parse/parsers.ts'
import type { Samples } from './samples.ts'
import type { ServiceCounts } from './service-counts.ts'

export type ServiceSources = {
  readonly parse: { readonly tally: ParseTally; stats(): ParsersStats }
  /** Of all threads that serve HTTP: by method, route and status. */
  readonly requests: () => readonly NamedDurations[]
  readonly counts: ServiceCounts
  /** Lines so far that never reached the log's reader. */
  readonly logDropped: () => number
  readonly version: string
}

export function addService(samples: Samples, { parse, requests, counts, ...sources }: ServiceSources): void {
  addParse(samples, parse)
  for (const [name, durations] of summed(requests())) {
    const [method = '', route = '', status = ''] = name.split(' ')
    samples.addDurations('request', { method, route, status }, durations)
  }
  for (const [reason, count] of counts.denied) samples.add('egressDenied', { reason }, count)
  samples.add('logDropped', {}, sources.logDropped())
  samples.add('buildInfo', { version: sources.version, node: process.versions.node }, 1)
}

function addParse(samples: Samples, { tally, stats }: ServiceSources['parse']): void {
  const { bytes, processes, live, calls, parked } = stats()
  const kinds = [bytes, processes, live, calls]
  samples.add(
    'parseQueue',
    {},
    kinds.reduce((sum, { waiting }) => sum + waiting, parked),
  )
  for (const place of PARSE_PLACES) samples.addDurations('parseTask', { place }, tally.tasks[place])
  samples.addDurations('parseWait', {}, tally.waits)
  samples.add(
    'workerLost',
    { kind: 'parse' },
    kinds.reduce((sum, { died }) => sum + died, 0),
  )
}

/** What several threads have counted under one name, together. */
function summed(rows: readonly NamedDurations[]): ReadonlyMap<string, DurationCounts> {
  const sums = new Map<string, DurationCounts>()
  for (const row of rows) {
    const { counts, sumSeconds, exemplars } = sums.get(row.name) ?? {
      counts: [],
      sumSeconds: 0,
      exemplars: null,
    }
    sums.set(row.name, {
      counts: Array.from(row.counts, (count, bucket) => count + (counts[bucket] ?? 0)),
      sumSeconds: sumSeconds + row.sumSeconds,
      exemplars: exemplars ?? row.exemplars,
    })
  }
  return sums
}
