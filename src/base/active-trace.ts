/** The trace that the running code is a part of, as who has set OpenTelemetry up says. Without an SDK there is none. */
import { TraceFlags, trace } from '@opentelemetry/api'

/** 32 hexadecimal digits; null where no span is active, or its trace is recorded nowhere. */
export function activeTraceId(): string | null {
  const span = trace.getActiveSpan()
  if (span === undefined) return null
  const { traceId, traceFlags } = span.spanContext()
  return (traceFlags & TraceFlags.SAMPLED) === 0 ? null : traceId
}
