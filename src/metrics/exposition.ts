/**
 * The page that a scraper reads, in one of two notations. Each scrape has a registry of its own: one registry has one
 * notation, and renames its counters for it. A long page is printed in several turns of the event loop, for others' sake.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { type Metric, openMetricsContentType, prometheusContentType, Registry } from '@prometheus-io/client'
import { LIMITS } from '../base/limits.ts'
import { FAMILIES, type FamilyKey } from './families.ts'
import type { Samples } from './samples.ts'

/** As media types, without their parameters. */
export type Notation = 'text/plain' | 'application/openmetrics-text'

const CONTENT_TYPES = {
  'text/plain': prometheusContentType,
  'application/openmetrics-text': openMetricsContentType,
} as const satisfies Readonly<Record<Notation, string>>

/** What a registry asks of a metric, as far as it prints it. */
type Printed = {
  readonly name: string
  readonly help: string
  readonly type: string
  get(): Promise<object>
}

export type MetricsPage = { readonly contentType: string; readonly text: string }

/** `process`: the registry of the process's own metrics. */
export async function exposition(
  samples: Samples,
  process: Pick<Registry, 'getMetricsAsJSON'>,
  notation: Notation,
): Promise<MetricsPage> {
  const contentType = CONTENT_TYPES[notation]
  const registry = new Registry(contentType)
  const own = Object.entries(FAMILIES).map(
    ([key, { name, help, type }]): Shown => ({ name, help, type, values: samples.of(key as FamilyKey) }),
  )
  const parts: string[] = []
  let chars = 0
  for (const shown of [...own, ...(await process.getMetricsAsJSON())]) {
    // The registry prints whatever has these members; its own classes cannot be filled with counts.
    const part = await registry.getMetricsAsString(metricOf(shown, notation) as unknown as Metric)
    parts.push(part)
    chars += part.length
    if (chars < LIMITS.metricsCharsPerTurn) continue
    chars = 0
    await nextTurn()
  }
  const text = notation === 'text/plain' ? `${parts.join('\n\n')}\n` : `${parts.join('\n')}\n# EOF\n`
  return { contentType, text }
}

type Shown = {
  readonly name: string
  readonly help: string
  readonly type: string
  readonly values: readonly object[]
}

/** In OpenMetrics the name of a counter goes without the ending that its line has. */
function metricOf(shown: Shown, notation: Notation): Printed {
  const isBare = notation === 'application/openmetrics-text' && shown.type === 'counter'
  const printed = isBare ? { ...shown, name: shown.name.replace(/_total$/, '') } : shown
  const { name, help, type } = printed
  return { name, help, type, get: () => Promise.resolve(printed) }
}
