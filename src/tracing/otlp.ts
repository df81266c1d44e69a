/**
 * Sends spans to a collector by OTLP over HTTP, by the SDK of OpenTelemetry, which is loaded only then: its packages are the
 * operator's to install. Where to, with which headers and how many, its own OTEL_ variables say.
 *
 * Each thread that makes spans has an SDK of its own. What cannot be sent is dropped after the SDK's bounds, and holds up
 * nobody.
 */
import { context, diag, propagation, trace } from '@opentelemetry/api'
import { errorText } from '../base/error-text.ts'
import { LIMITS } from '../base/limits.ts'
import { settledWithin } from '../base/wait.ts'
import { isTraced } from './pool-span.ts'

/** What has to be there, and how it comes there. No bundle and no installation brings what is named here alone. */
const SDK = '@opentelemetry/sdk-node'
const EXPORTER = '@opentelemetry/exporter-trace-otlp-http'
export const OTLP_INSTALL: string = `npm install ${SDK} ${EXPORTER}`

export type OtlpOptions = {
  /** What the service is called in traces; default: as the OTEL_ variables say. */
  readonly serviceName?: string | undefined
  /** Told of the first spans that could not be sent, and again once some were sent in between. `reason`: a code, no text. */
  readonly onFailure: (reason: string) => void
}

export type OtlpStart =
  | { readonly kind: 'started'; readonly traces: OtlpTraces }
  /** The program that loaded this one traces already, and goes on to. */
  | { readonly kind: 'registered' }
  /** The packages are not installed, or cannot be used. */
  | { readonly kind: 'missing'; readonly reason: string }

/** As much of the two packages as is used. */
type Packages = {
  readonly NodeSDK: new (options: object) => Sdk
  readonly OTLPTraceExporter: new () => Exporter
}

type Sdk = { start(): void; shutdown(): Promise<void> }
type Sent = { readonly code: number; readonly error?: Error }
type Exporter = { export(spans: readonly unknown[], done: (sent: Sent) => void): void }

/** Why spans cannot be sent, or null: what a start would find. */
export async function otlpFault(): Promise<string | null> {
  const loaded = await load()
  return typeof loaded === 'string' ? loaded : null
}

/** From here on the spans of this thread are sent. */
export async function startOtlp(options: OtlpOptions): Promise<OtlpStart> {
  if (isTraced()) return { kind: 'registered' }
  const loaded = await load()
  if (typeof loaded === 'string') return { kind: 'missing', reason: loaded }
  try {
    return { kind: 'started', traces: new OtlpTraces(startSdk(loaded, options)) }
  } catch (error) {
    return { kind: 'missing', reason: `${SDK} cannot be started: ${errorText(error)}` }
  }
}

function startSdk({ NodeSDK, OTLPTraceExporter }: Packages, { serviceName, onFailure }: OtlpOptions): Sdk {
  const exporter = new OTLPTraceExporter()
  report(exporter, onFailure)
  const sdk = quietly(
    () =>
      new NodeSDK({
        ...(serviceName !== undefined && { serviceName }),
        traceExporter: exporter,
        // Without these the SDK would send what nobody has asked for.
        metricReaders: [],
        logRecordProcessors: [],
        instrumentations: [],
      }),
  )
  sdk.start()
  return sdk
}

export class OtlpTraces {
  readonly #sdk: Sdk

  constructor(sdk: Sdk) {
    this.#sdk = sdk
  }

  /** Sends what has not been sent, as far as there is time for that; it never rejects. */
  async close(): Promise<void> {
    const ended = this.#sdk.shutdown().catch((error: unknown) => errorText(error))
    await settledWithin(ended, LIMITS.traceFlushMs)
    for (const registered of [trace, context, propagation]) registered.disable()
  }
}

/** The packages, or why there are none. */
async function load(): Promise<Packages | string> {
  try {
    const [sdk, exporter]: object[] = await Promise.all([import(SDK), import(EXPORTER)])
    return { ...sdk, ...exporter } as Packages
  } catch (error) {
    const isAbsent = error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND'
    return isAbsent
      ? `${SDK} and ${EXPORTER} are not installed`
      : `${SDK} and ${EXPORTER} cannot be loaded: ${errorText(error)}`
  }
}

/** Where OTEL_LOG_LEVEL is set the SDK writes text to stdout and stderr, which belong to others, with headers that it cannot use. */
function quietly(make: () => Sdk): Sdk {
  const { setLogger } = diag
  diag.setLogger = () => false
  try {
    return make()
  } finally {
    diag.setLogger = setLogger
  }
}

/** The code of an export that went well. */
const WENT_WELL = 0

/** The SDK itself keeps silent about what it cannot send. */
function report(exporter: Exporter, onFailure: OtlpOptions['onFailure']): void {
  const send = exporter.export.bind(exporter)
  let isFailing = false
  exporter.export = (spans, done) =>
    send(spans, result => {
      const { code, error } = result
      const hasFailed = code !== WENT_WELL
      if (hasFailed && !isFailing) onFailure(error === undefined ? 'unknown' : codeOf(error))
      isFailing = hasFailed
      done(result)
    })
}

function codeOf(error: Error): string {
  return 'code' in error && error.code !== undefined ? String(error.code) : error.name
}
