/** The span of one parse: of a message, or of a whole input. */
import { SpanKind } from '@opentelemetry/api'
import { PoolSpan, type SpanParent } from './pool-span.ts'

/** Characters of a format's name: a longer one is none. */
const NAME_CHARS_MAX = 64

/** `bytes`: of the input, where it is known as a whole. Null where nobody traces. */
export function beginParse(format: string, parent: () => SpanParent, bytes?: number): PoolSpan | null {
  const span = PoolSpan.begin('sockpool.parse', parent, SpanKind.INTERNAL)
  if (span?.isRecording)
    span.set({
      ...(format.length <= NAME_CHARS_MAX && { 'sockpool.format': format }),
      ...(bytes !== undefined && { 'sockpool.bytes': bytes }),
    })
  return span
}

/** Runs a parse within its span. Errors: those of `run`. */
export function tracedParse<T>(
  format: string,
  parent: () => SpanParent,
  run: () => Promise<T>,
  bytes?: number,
): Promise<T> {
  const span = beginParse(format, parent, bytes)
  return span === null ? run() : span.over(run)
}
