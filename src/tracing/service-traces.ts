/** The spans of a service, on one of its threads: sent where its configuration says so, and told in its log where they are not. */
import type { Config } from '../config/config.ts'
import { isServiceNamed } from '../config/environment.ts'
import { OTLP_INSTALL, type OtlpTraces, startOtlp } from './otlp.ts'

type TraceLog = {
  info(facts: object, text: string): void
  warn(facts: object, text: string): void
}

const PATH = { path: 'telemetry.traces' }

/** Null where none are sent. A service that cannot trace serves all the same. */
export async function startTraces(
  { traces }: Config['telemetry'],
  log: TraceLog,
): Promise<OtlpTraces | null> {
  if (traces === 'off') return null
  const start = await startOtlp({
    serviceName: isServiceNamed() ? undefined : 'sockpool',
    onFailure: reason =>
      log.warn({ ...PATH, reason }, 'spans cannot be sent to the collector, and are dropped'),
  })
  switch (start.kind) {
    case 'started':
      return start.traces
    case 'registered':
      log.info(PATH, 'spans go where the program that was loaded before this one sends them')
      return null
    case 'missing':
      log.warn(PATH, `no spans are sent: ${noSpans(start.reason)}`)
      return null
    default:
      return start satisfies never
  }
}

/** What is wrong, and what to do. */
export function noSpans(reason: string): string {
  return `${reason}; run "${OTLP_INSTALL}", or set telemetry.traces to off`
}
