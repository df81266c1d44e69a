/** The trace that the running code is a part of, as who has set OpenTelemetry up says. Without an SDK there is none. */
import { TraceFlags, trace } from '@opentelemetry/api'

/** 32 hexadecimal digits; null where no span is active, or its trace is recorded nowhere. */
export function activeTraceId(): string | null {
  const span = trace.getActiveSpan()
  if (span === undefined) return null
  const { traceId, traceFlags } = span.spanContext()
  return (traceFlags & TraceFlags.SAMPLED) === 0 ? null : traceId
}

const TRACE_PARENT = /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]([0-9a-f])(?:-|$)/

/** The trace that a `traceparent` header names, where it is recorded; else null. */
export function traceIdOf(traceParent: string | undefined): string | null {
  if (traceParent === undefined) return null
  const [, id, flags = '0'] = TRACE_PARENT.exec(traceParent) ?? []
  if (id === undefined || /^0+$/.test(id)) return null
  return (Number.parseInt(flags, 16) & TraceFlags.SAMPLED) === 0 ? null : id
}
