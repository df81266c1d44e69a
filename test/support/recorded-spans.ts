/** The spans of the test's own process, while it runs: as a program has them that has set up OpenTelemetry for itself. */
import { context, propagation, SpanStatusCode, trace } from '@opentelemetry/api'
import { NodeSDK } from '@opentelemetry/sdk-node'
import { until } from './until.ts'

type Processor = NonNullable<NonNullable<ConstructorParameters<typeof NodeSDK>[0]>['spanProcessors']>[number]
type Ended = Parameters<Processor['onEnd']>[0]

export type RecordedSpan = {
  readonly name: string
  readonly traceId: string
  readonly spanId: string
  /** Null for the first of its trace. */
  readonly parentId: string | null
  /** As the API numbers them. */
  readonly kind: number
  readonly isFailed: boolean
  readonly attributes: Readonly<Record<string, unknown>>
  readonly events: readonly string[]
  readonly ms: number
}

export class RecordedSpans {
  readonly all: RecordedSpan[] = []

  /** `undo`: registers the teardown. */
  static start(undo: (close: () => Promise<void>) => void): RecordedSpans {
    const recorded = new RecordedSpans()
    const sdk = new NodeSDK({
      spanProcessors: [
        {
          onStart: () => {},
          onEnd: span => void recorded.all.push(recordOf(span)),
          forceFlush: async () => {},
          shutdown: async () => {},
        },
      ],
      metricReaders: [],
      logRecordProcessors: [],
      autoDetectResources: false,
    })
    sdk.start()
    undo(async () => {
      await sdk.shutdown()
      for (const registered of [trace, context, propagation]) registered.disable()
    })
    return recorded
  }

  named(name: string): readonly RecordedSpan[] {
    return this.all.filter(span => span.name === name)
  }

  /** The one span of this name, once it has ended. */
  async one(name: string): Promise<RecordedSpan> {
    await until(`${name} has ended`, () => this.named(name).length > 0)
    const [span, ...others] = this.named(name)
    if (span === undefined || others.length > 0) throw new Error(`${name} came ${others.length + 1} times`)
    return span
  }

  /** Runs within a span of the test's own; its ids. */
  async within(run: () => Promise<void>): Promise<{ readonly traceId: string; readonly spanId: string }> {
    return await trace.getTracer('test').startActiveSpan('caller', async span => {
      await run().finally(() => span.end())
      return span.spanContext()
    })
  }
}

function recordOf(span: Ended): RecordedSpan {
  const { name, kind, attributes, status, parentSpanContext, events, duration } = span
  const { traceId, spanId } = span.spanContext()
  return {
    ...{ name, kind, traceId, spanId, attributes },
    parentId: parentSpanContext?.spanId ?? null,
    isFailed: status.code === SpanStatusCode.ERROR,
    events: events.map(event => event.name),
    ms: duration[0] * 1_000 + duration[1] / 1e6,
  }
}
