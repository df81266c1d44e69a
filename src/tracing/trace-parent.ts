/**
 * The trace that a call belongs to, as W3C Trace Context puts it into two headers. It is read and written without an SDK, so
 * that logs can name the trace where nobody collects spans.
 */
import { createTraceState, type SpanContext, TraceFlags } from '@opentelemetry/api'

export type TraceHeaders = {
  readonly traceparent: string
  readonly tracestate?: string | undefined
}

/** How logs name a place in a trace. */
export type TraceIds = { readonly traceId: string; readonly spanId: string }

/** Version, trace, span, flags; later versions may say more behind them. */
const PARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/
const NO_TRACE = '0'.repeat(32)
const NO_SPAN = '0'.repeat(16)
/** Characters of a `tracestate` that are passed on: as many as the standard asks for. */
const STATE_CHARS_MAX = 512

/** The caller's trace and span; null where the header is none, or says nothing that can be used. */
export function traceIdsOf(traceparent: unknown): TraceIds | null {
  if (typeof traceparent !== 'string') return null
  const [, version, traceId, spanId, , rest] = PARENT.exec(traceparent) ?? []
  if (traceId === undefined || spanId === undefined || version === 'ff') return null
  if (version === '00' && rest !== undefined) return null
  return traceId === NO_TRACE || spanId === NO_SPAN ? null : { traceId, spanId }
}

/** The caller's trace, where it is recorded somewhere; else null. */
export function recordedTraceOf(traceparent: unknown): string | null {
  const ids = traceIdsOf(traceparent)
  if (ids === null || typeof traceparent !== 'string') return null
  return (flagsOf(traceparent) & TraceFlags.SAMPLED) === 0 ? null : ids.traceId
}

/** As the API of OpenTelemetry has it. */
export function remoteSpanOf({ traceparent, tracestate }: TraceHeaders): SpanContext | null {
  const ids = traceIdsOf(traceparent)
  if (ids === null) return null
  const isStated = tracestate !== undefined && tracestate.length <= STATE_CHARS_MAX
  return {
    ...ids,
    traceFlags: flagsOf(traceparent),
    isRemote: true,
    ...(isStated && { traceState: createTraceState(tracestate) }),
  }
}

/** As another process, or another thread, reads it. */
export function headersOf({ traceId, spanId, traceFlags, traceState }: SpanContext): TraceHeaders {
  const flags = (traceFlags & 0xff).toString(16).padStart(2, '0')
  const traceparent = `00-${traceId}-${spanId}-${flags}`
  const tracestate = traceState?.serialize() ?? ''
  return tracestate === '' ? { traceparent } : { traceparent, tracestate }
}

function flagsOf(traceparent: string): number {
  return Number.parseInt(traceparent.slice(53, 55), 16)
}
