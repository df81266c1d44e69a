/** What an attached thread tells the pool's thread of its trace, and how it calls a target that only that thread knows. */
import { callerHeaders, callerParent } from '../../tracing/caller-trace.ts'
import { isTraced } from '../../tracing/pool-span.ts'
import { DESCRIBED } from '../../tracing/span-places.ts'
import type { TraceHeaders } from '../../tracing/trace-parent.ts'
import type { TenantShare } from '../lease/lease-options.ts'
import type { AdHocTarget } from '../target/target-pools.ts'

/** What the span of a lease, or of a dial for an exchange, hangs below; null for nothing. */
export function attachedTrace({
  within,
  origin,
}: Pick<TenantShare, 'within' | 'origin'>): TraceHeaders | null {
  const { traceparent, tracestate } = origin ?? {}
  // Where nobody traces here it is as good as it came.
  if (within === undefined && traceparent !== undefined && !isTraced()) return { traceparent, tracestate }
  return callerHeaders(within ?? callerParent(origin))
}

/** As spans call it. */
export function attachedTarget(target: string | AdHocTarget): string {
  return typeof target === 'string' ? target : DESCRIBED
}
