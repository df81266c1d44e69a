/** A collector as OpenTelemetry has them: takes spans by OTLP over HTTP, as JSON, and keeps them for the test. */
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { until } from './until.ts'

export type CollectedSpan = {
  readonly name: string
  readonly traceId: string
  readonly spanId: string
  /** Null for the first of its trace. */
  readonly parentId: string | null
  readonly traceState: string | null
  /** As OTLP numbers them: 1 internal, 3 client. */
  readonly kind: number
  /** 0 unset, 2 error. */
  readonly status: number
  readonly attributes: Readonly<Record<string, unknown>>
  readonly events: readonly string[]
  /** Its `service.name`. */
  readonly service: unknown
}

type Pair = { readonly key: string; readonly value: Readonly<Record<string, unknown>> }
type Sent = {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly Pair[] }
    readonly scopeSpans: readonly { readonly spans: readonly SentSpan[] }[]
  }[]
}
type SentSpan = Pick<CollectedSpan, 'name' | 'traceId' | 'spanId' | 'kind'> & {
  readonly parentSpanId?: string
  readonly traceState?: string
  readonly status: { readonly code?: number }
  readonly attributes: readonly Pair[]
  readonly events: readonly { readonly name: string }[]
}

export class Collector {
  readonly url: string
  /** All that was sent, as it came. */
  readonly texts: string[] = []
  /** The headers of what was sent. */
  readonly headers: IncomingMessage['headers'][] = []
  readonly #spans: CollectedSpan[] = []

  private constructor(url: string) {
    this.url = url
  }

  /** `undo`: registers the teardown. */
  static async start(undo: (close: () => Promise<void>) => void): Promise<Collector> {
    const server = createServer((request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        collector.#take(Buffer.concat(chunks).toString('utf8'), request)
        response.writeHead(200, { 'content-type': 'application/json' }).end('{}')
      })
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    undo(async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    })
    const collector = new Collector(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
    return collector
  }

  /** Of this name and trace, in the order in which they came. */
  spans(name: string, traceId?: string): readonly CollectedSpan[] {
    return this.#spans.filter(span => span.name === name && (traceId ?? span.traceId) === span.traceId)
  }

  /** The one span of this name and trace, once it has come. */
  async span(name: string, traceId: string): Promise<CollectedSpan> {
    await until(`${name} was sent`, () => this.spans(name, traceId).length > 0)
    const [span, ...others] = this.spans(name, traceId)
    if (span === undefined || others.length > 0) throw new Error(`${name} came ${others.length + 1} times`)
    return span
  }

  #take(text: string, { headers }: IncomingMessage): void {
    this.texts.push(text)
    this.headers.push(headers)
    for (const { resource, scopeSpans } of (JSON.parse(text) as Sent).resourceSpans)
      for (const { spans } of scopeSpans)
        for (const span of spans)
          this.#spans.push(collected(span, plain(resource.attributes)['service.name']))
  }
}

function collected(span: SentSpan, service: unknown): CollectedSpan {
  const { name, traceId, spanId, kind, parentSpanId, traceState, status, attributes, events } = span
  return {
    ...{ name, traceId, spanId, kind, service },
    parentId: parentSpanId ?? null,
    traceState: traceState ?? null,
    status: status.code ?? 0,
    attributes: plain(attributes),
    events: events.map(event => event.name),
  }
}

function plain(pairs: readonly Pair[]): Readonly<Record<string, unknown>> {
  return Object.fromEntries(pairs.map(({ key, value }) => [key, Object.values(value)[0]]))
}
