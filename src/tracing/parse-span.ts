/** The span of one parse: of a message, or of a whole input. */
import { SpanKind } from '@opentelemetry/api'
import type { CallerTrace, SpanParent } from './caller-trace.ts'
import { PoolSpan } from './pool-span.ts'

/** Characters of a format's name: a longer one is none. */
const NAME_CHARS_MAX = 64

export type ParseSpanOptions = {
  readonly format: string
  /** What it hangs below; default: what the caller says or has active. */
  readonly within?: SpanParent | undefined
  readonly said?: CallerTrace | undefined
  /** Of the input, where it is known as a whole. */
  readonly bytes?: number
}

/** Null where nobody traces. */
export function beginParse({ format, within, said, bytes }: ParseSpanOptions): PoolSpan | null {
  const span = PoolSpan.begin('sockpool.parse', within, said, SpanKind.INTERNAL)
  if (span?.isRecording)
    span.set({
      ...(format.length <= NAME_CHARS_MAX && { 'sockpool.format': format }),
      ...(bytes !== undefined && { 'sockpool.bytes': bytes }),
    })
  return span
}

/** Runs a parse within its span. Errors: those of `run`. */
export function tracedParse<T>(options: ParseSpanOptions, run: () => Promise<T>): Promise<T> {
  const span = beginParse(options)
  return span === null ? run() : span.over(run)
}
