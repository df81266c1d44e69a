/** Counts an exchange whose bytes an attached thread moves, by what that thread tells of its end. */
import type { ResultTally } from '../../base/result-tally.ts'
import { runWithin, type SpanParent } from '../../tracing/caller-trace.ts'

/** It begins; null where nobody counts. To be called when it has ended. `within`: what its spans hang below. */
export function countedExchange(
  tally: ResultTally | undefined,
  within: SpanParent | undefined,
): ((outcome: string) => void) | null {
  if (tally === undefined) return null
  const sinceMs = performance.now()
  return outcome => {
    const result = outcome === 'error' ? 'internal' : outcome
    runWithin(within, () => tally.ended(performance.now() - sinceMs, result))
  }
}
