/**
 * One span of the pool. Where no provider is registered there is none, and nothing else of tracing is done; one that is
 * sampled out costs no attributes. A span holds names and numbers alone: no payload, no id of a lease, no words of an error.
 */
import {
  type Attributes,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  type TracerProvider,
  trace,
} from '@opentelemetry/api'
import { SockpoolError } from '../base/errors.ts'
import { type CallerTrace, callerParent, runWithin, type SpanParent } from './caller-trace.ts'
import type { TraceIds } from './trace-parent.ts'

export type PoolSpanName = 'sockpool.lease' | 'sockpool.connect' | 'sockpool.exchange' | 'sockpool.parse'

/** As the API makes them: which one delegates to another, and whether it does yet, their type does not tell. */
type Provider = TracerProvider & { getDelegateTracer?(name: string): Tracer | undefined }

const SCOPE = 'sockpool'

/** Null where nobody traces. Asked for each span: a program may register its provider at any time. */
function tracerNow(): Tracer | null {
  const provider: Provider = trace.getTracerProvider()
  return provider.getDelegateTracer === undefined
    ? provider.getTracer(SCOPE)
    : (provider.getDelegateTracer(SCOPE) ?? null)
}

/** Whether anybody traces. */
export function isTraced(): boolean {
  return tracerNow() !== null
}

export class PoolSpan {
  /** What spans below it are begun with. */
  readonly within: SpanParent
  readonly #span: Span

  private constructor(span: Span, parent: SpanParent) {
    this.#span = span
    this.within = trace.setSpan(parent, span)
  }

  /** Below `within`; where that is undefined, below what the caller says or has active. */
  static begin(
    name: PoolSpanName,
    within: SpanParent | undefined,
    said?: CallerTrace,
    kind: SpanKind = SpanKind.CLIENT,
  ): PoolSpan | null {
    const tracer = tracerNow()
    if (tracer === null) return null
    const parent = within ?? callerParent(said)
    return new PoolSpan(tracer.startSpan(name, { kind }, parent), parent)
  }

  get isRecording(): boolean {
    return this.#span.isRecording()
  }

  get ids(): TraceIds {
    const { traceId, spanId } = this.#span.spanContext()
    return { traceId, spanId }
  }

  set(attributes: Attributes): void {
    this.#span.setAttributes(attributes)
  }

  event(name: string): void {
    this.#span.addEvent(name)
  }

  /** `failure`: the code that stands for it, in lower case, or null. `atMs`: on the monotonic clock; default: now. */
  end(failure: string | null, atMs?: number): void {
    if (failure !== null) {
      this.#span.setAttribute('error.type', failure)
      this.#span.setStatus({ code: SpanStatusCode.ERROR })
    }
    this.#span.end(atMs)
  }

  /** As `end`, with what was thrown. */
  fail(error: unknown): void {
    this.end(SockpoolError.from(error).code.toLowerCase())
  }

  /** Runs what it is about, as what is active, and ends with it. `told`: attributes of what came of it. Errors: those of `run`. */
  async over<T>(run: () => Promise<T>, told: (result: T) => Attributes = () => ({})): Promise<T> {
    try {
      const result = await runWithin(this.within, run)
      if (this.isRecording) this.set(told(result))
      this.end(null)
      return result
    } catch (error) {
      this.fail(error)
      throw error
    }
  }
}
