/** Spans of the service as a collector gets them, and the trace that log lines name. */
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { connectPool } from '../../src/client/connect-pool.ts'
import { afterFile } from '../support/after-file.ts'
import { Collector } from '../support/collector.ts'
import { ExpositionPage } from '../support/exposition.ts'
import { RecordedSpans } from '../support/recorded-spans.ts'
import { CLI, runCommand, type ServiceProcess, startServiceProcess } from '../support/service-process.ts'
import { makeFolder } from '../support/temporary-folder.ts'
import { refusingPort } from '../support/test-server.ts'
import { until } from '../support/until.ts'

const SPAN = 'b7ad6b7169203331'
const OTLP = { telemetry: { traces: 'otlp' } }

let collector: Collector
let service: ServiceProcess

/** What says where to send spans, and that soon. */
const sendTo = (url: string, more: Readonly<Record<string, string>> = {}): Record<string, string> => ({
  OTEL_EXPORTER_OTLP_ENDPOINT: url,
  OTEL_EXPORTER_OTLP_HEADERS: 'x-key=the-key-of-the-collector',
  OTEL_BSP_SCHEDULE_DELAY: '20',
  ...more,
})

let count = 0

/** A trace of a test's own, and the headers that name it. */
function newTrace(flags = '01'): { readonly traceId: string; readonly headers: Record<string, string> } {
  const traceId = `${++count}`.padStart(32, 'a')
  return { traceId, headers: { traceparent: `00-${traceId}-${SPAN}-${flags}`, tracestate: 'vendor=1' } }
}

const linesOf = (stderr: string): readonly Readonly<Record<string, unknown>>[] =>
  stderr
    .split('\n')
    .filter(line => line !== '')
    .map(line => JSON.parse(line))

beforeAll(async () => {
  collector = await Collector.start(afterFile)
  service = await startServiceProcess({
    args: ['--demo'],
    config: {
      ...OTLP,
      http: { accessLog: 'all' },
      targets: { dead: { host: '127.0.0.1', port: await refusingPort() } },
    },
    env: sendTo(collector.url),
  })
  afterFile(() => service.stop())
})

describe('a service with telemetry.traces: otlp', () => {
  test('sends the tree of an exchange, below the span of its caller', async () => {
    const { traceId, headers } = newTrace()
    const answer = await service.api.post('/v1/exchange', {
      json: { target: 'demo', write: { text: 'ping\n' }, read: 'line' },
      headers,
    })
    expect(answer.status).toBe(200)
    const lease = await collector.span('sockpool.lease', traceId)
    const exchange = await collector.span('sockpool.exchange', traceId)
    const connect = await collector.span('sockpool.connect', traceId)
    const client = { traceId, kind: 3, status: 0, service: 'sockpool', traceState: 'vendor=1' }
    expect(exchange).toMatchObject({
      ...client,
      parentId: SPAN,
      attributes: { 'sockpool.target': 'demo', 'sockpool.bytes_written': 5, 'sockpool.bytes_read': 5 },
    })
    expect(lease).toMatchObject({ ...client, parentId: exchange.spanId, events: ['acquired'] })
    expect(connect).toMatchObject({
      ...client,
      parentId: lease.spanId,
      attributes: { 'server.address': '127.0.0.1', 'network.transport': 'tcp' },
    })
    expect(collector.headers[0]).toMatchObject({ 'x-key': 'the-key-of-the-collector' })
  })

  test('sends what became of an exchange that failed', async () => {
    const { traceId, headers } = newTrace()
    const json = { target: 'dead', write: { text: 'secret' }, read: 'line' }
    expect((await service.api.post('/v1/exchange', { json, headers })).status).toBe(502)
    for (const name of ['sockpool.exchange', 'sockpool.lease', 'sockpool.connect'])
      expect(await collector.span(name, traceId), name).toMatchObject({
        status: 2,
        attributes: { 'error.type': 'connect_refused' },
      })
  })

  test('sends a lease, and parses of a body, of a stream and of a lease', async () => {
    const { traceId, headers } = newTrace()
    const created = await service.api.post('/v1/leases', { json: { target: 'demo' }, headers })
    const { id } = JSON.parse(created.text) as { id: string }
    await service.api.post(`/v1/leases/${id}/write`, { body: '[1]\n' })
    await service.api.post(`/v1/leases/${id}/parse`, { json: { format: 'ndjson' }, headers })
    await service.api.request('DELETE', `/v1/leases/${id}`)
    expect(await collector.span('sockpool.lease', traceId)).toMatchObject({ parentId: SPAN })
    expect(await collector.span('sockpool.parse', traceId)).toMatchObject({ parentId: SPAN, kind: 1 })
    for (const accept of ['application/json', 'application/x-ndjson']) {
      const other = newTrace()
      const call = { body: '{"a":1}\n', headers: { ...other.headers, accept } }
      expect((await service.api.post('/v1/parse/ndjson', call)).status).toBe(200)
      expect(await collector.span('sockpool.parse', other.traceId), accept).toMatchObject({
        parentId: SPAN,
        status: 0,
        attributes: { 'sockpool.format': 'ndjson' },
      })
    }
    expect(collector.texts.join()).not.toContain(id)
  })

  test('records nothing of a trace that its caller does not sample', async () => {
    const unsampled = newTrace('00')
    const sampled = newTrace()
    for (const { headers } of [unsampled, sampled])
      await service.api.post('/v1/parse/json', { body: '1', headers })
    await collector.span('sockpool.parse', sampled.traceId)
    expect(collector.texts.join()).not.toContain(unsampled.traceId)
  })

  test('names the trace in the log lines of a request, and of no other', async () => {
    const { traceId, headers } = newTrace()
    await service.api.get('/v1/stats', { headers })
    await service.api.get('/v1/stats', { headers: { traceparent: '00-zz-zz-zz' } })
    const requests = () => linesOf(service.stderr()).filter(({ route }) => route === '/v1/stats')
    await until('both requests are logged', () => requests().length === 2)
    expect(requests()[0]).toMatchObject({ msg: 'request', traceId, spanId: SPAN })
    expect(requests()[1]).not.toHaveProperty('traceId')
  })

  test('is a part of the trace of a program that calls it by connectPool', async () => {
    const spans = RecordedSpans.start(onTestFinished)
    const pool = connectPool(service.url, { token: service.token ?? '' })
    onTestFinished(() => pool.close())
    const { traceId, spanId } = await spans.within(async () => {
      await pool.exchange('demo', { write: 'a\n', read: { line: true } })
    })
    expect(await collector.span('sockpool.exchange', traceId)).toMatchObject({ parentId: spanId })
    const leased = await spans.within(async () => await (await pool.lease('demo')).discard().then(() => {}))
    expect(await collector.span('sockpool.lease', leased.traceId)).toMatchObject({ parentId: leased.spanId })
  })
})

test.for([1, 2])(
  'the metrics of an exchange and of a lease name their traces, where %i threads serve HTTP',
  async threads => {
    const own = await Collector.start(onTestFinished)
    const traced = await startServiceProcess({
      args: ['--demo'],
      config: { ...OTLP, http: { threads } },
      env: sendTo(own.url),
    })
    onTestFinished(() => traced.stop())
    const { api } = traced
    const [exchanged, leased] = [newTrace(), newTrace()]
    const json = { target: 'demo', write: { text: 'ping\n' }, read: 'line' }
    expect((await api.post('/v1/exchange', { json, headers: exchanged.headers })).status).toBe(200)
    const created = await api.post('/v1/leases', { json: { target: 'demo-tls' }, headers: leased.headers })
    const { id } = JSON.parse(created.text) as { id: string }
    await api.request('DELETE', `/v1/leases/${id}`)
    const accept = 'application/openmetrics-text;version=1.0.0'
    const page = new ExpositionPage((await api.get('/metrics', { headers: { accept } })).text)
    const traceOf = (what: string, target: string) =>
      page.all(`sockpool_${what}_duration_seconds_bucket`, { target }).find(({ traceId }) => traceId !== null)
        ?.traceId
    expect(traceOf('exchange', 'demo')).toBe(exchanged.traceId)
    expect(traceOf('pool_acquire', 'demo')).toBe(exchanged.traceId)
    expect(traceOf('pool_lease', 'demo')).toBe(exchanged.traceId)
    expect(traceOf('pool_acquire', 'demo-tls')).toBe(leased.traceId)
    expect(traceOf('pool_lease', 'demo-tls')).toBe(leased.traceId)
  },
)

test('what was not sent is sent at the end, by all threads that serve HTTP', async () => {
  const own = await Collector.start(onTestFinished)
  const threaded = await startServiceProcess({
    args: ['--demo'],
    config: { ...OTLP, http: { threads: 2 } },
    env: sendTo(own.url, { OTEL_BSP_SCHEDULE_DELAY: '60000', OTEL_SERVICE_NAME: 'edge' }),
  })
  onTestFinished(() => threaded.stop())
  const { traceId, headers } = newTrace()
  const json = { target: 'demo', write: { text: 'a\n' }, read: 'line' }
  await threaded.api.post('/v1/exchange', { json, headers })
  await threaded.stop()
  const exchange = await own.span('sockpool.exchange', traceId)
  const lease = await own.span('sockpool.lease', traceId)
  expect(exchange).toMatchObject({ parentId: SPAN, service: 'edge' })
  expect(lease).toMatchObject({ parentId: exchange.spanId, service: 'edge' })
  expect(await own.span('sockpool.connect', traceId)).toMatchObject({ parentId: lease.spanId })
})

test('a collector that is not there is told once, and holds up neither a call nor the end', async () => {
  const url = `http://127.0.0.1:${await refusingPort()}`
  const lonely = await startServiceProcess({
    args: ['--demo'],
    config: OTLP,
    env: sendTo(url, { OTEL_EXPORTER_OTLP_TIMEOUT: '100', OTEL_LOG_LEVEL: 'debug' }),
  })
  onTestFinished(() => lonely.stop())
  const told = () => linesOf(lonely.stderr()).filter(({ path }) => path === 'telemetry.traces')
  await lonely.api.post('/v1/parse/json', { body: '1' })
  await until('it is told', () => told().length === 1)
  await lonely.api.post('/v1/parse/json', { body: '1' })
  // It fails where a line of stderr is no JSON.
  await lonely.stop()
  expect(told()).toMatchObject([{ level: 40, msg: expect.stringContaining('cannot be sent') }])
  expect(lonely.stderr()).not.toContain('the-key-of-the-collector')
})

describe('without the packages', () => {
  /** As where they are not installed. */
  const HIDDEN = `data:text/javascript,${encodeURIComponent(`
    import { registerHooks } from 'node:module'
    registerHooks({ resolve: (name, context, next) => {
      if (!/^@opentelemetry\\/(?:sdk-node|exporter)/.test(name)) return next(name, context)
      throw Object.assign(new Error('not found'), { code: 'ERR_MODULE_NOT_FOUND' })
    } })`)}`
  const env = { NODE_OPTIONS: `--import=${HIDDEN}` }

  test('the service says what to install, and serves', async () => {
    const bare = await startServiceProcess({ args: ['--demo'], config: OTLP, env })
    onTestFinished(() => bare.stop())
    const { traceId, headers } = newTrace()
    const answer = await bare.api.post('/v1/parse/json', { body: '1', headers })
    expect(answer.status).toBe(200)
    const lines = linesOf(bare.stderr()).filter(({ path }) => path === 'telemetry.traces')
    expect(lines).toMatchObject([
      {
        level: 40,
        msg: expect.stringMatching(/not installed; run "npm install @opentelemetry\/sdk-node @open/),
      },
    ])
    expect(bare.stderr()).not.toContain(traceId)
  })

  test('config validate says so too, and finds the file valid', async () => {
    const folder = await makeFolder({ 'sockpool.yaml': { text: JSON.stringify(OTLP) } })
    const file = `${folder}/sockpool.yaml`
    const run = (more: Record<string, string>) =>
      runCommand([process.execPath, CLI, 'config', 'validate', file], { env: more })
    expect(await run(env)).toMatchObject({
      code: 0,
      stdout: `${file}: valid\n`,
      stderr: expect.stringMatching(/^\S+: telemetry\.traces: no spans would be sent: .*not installed/),
    })
    expect(await run({})).toMatchObject({ code: 0, stdout: `${file}: valid\n`, stderr: '' })
  })
})
