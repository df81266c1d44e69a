/** Where a call comes from, in traces: what it says of itself, or what is active on this thread when it is made. */
import { type Context, context, isSpanContextValid, ROOT_CONTEXT, trace } from '@opentelemetry/api'
import { headersOf, remoteSpanOf, type TraceHeaders } from './trace-parent.ts'

/** What spans are begun below. */
export type SpanParent = Context

/** Of a span that is the first of its trace. */
export const NO_PARENT: SpanParent = ROOT_CONTEXT

/** What a caller may say of its trace. */
export type CallerTrace = { readonly [Name in keyof TraceHeaders]?: TraceHeaders[Name] | undefined }

/**
 * What spans of the call hang below. Headers count for more than what is active, unless that is a part of the same trace:
 * then it is the nearer one, such as the span that an instrumentation has opened for the request.
 */
export function callerParent(said?: CallerTrace): SpanParent {
  const active = context.active()
  if (said?.traceparent === undefined) return active
  const { traceparent, tracestate } = said
  const remote = remoteSpanOf({ traceparent, tracestate })
  if (remote === null) return active
  const near = trace.getSpanContext(active)
  return near?.traceId === remote.traceId ? active : trace.setSpanContext(NO_PARENT, remote)
}

/** What another thread has said by `callerHeaders`: what is active on this one has nothing to do with it. */
export function parentOf(said: TraceHeaders | null): SpanParent {
  const remote = said && remoteSpanOf(said)
  return remote === null ? NO_PARENT : trace.setSpanContext(NO_PARENT, remote)
}

/** The same for another thread, or another process, to read; null where there is no trace. */
export function callerHeaders(within: SpanParent): TraceHeaders | null {
  const span = trace.getSpanContext(within)
  return span === undefined || !isSpanContextValid(span) ? null : headersOf(span)
}

const NONE: Readonly<Record<string, string>> = {}

/** The headers by which a request takes the active trace along. */
export function activeTraceHeaders(): Readonly<Record<string, string>> {
  const headers = callerHeaders(context.active())
  if (headers === null) return NONE
  const { traceparent, tracestate } = headers
  return tracestate === undefined ? { traceparent } : { traceparent, tracestate }
}

/** Runs it as a part of that trace; undefined: of what is active anyway. */
export function runWithin<T>(within: SpanParent | undefined, run: () => T): T {
  return within === undefined ? run() : context.with(within, run)
}
