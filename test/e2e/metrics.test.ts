/** What a scraper gets of a running service, and what is built on it: the dashboard and the alert rules. */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Agent, request } from 'undici'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { parse } from 'yaml'
import { exposition } from '../../src/metrics/exposition.ts'
import { FAMILIES } from '../../src/metrics/families.ts'
import { addInstances } from '../../src/metrics/instance-samples.ts'
import { processMetrics } from '../../src/metrics/process-metrics.ts'
import { Samples } from '../../src/metrics/samples.ts'
import { ServiceCounts } from '../../src/metrics/service-counts.ts'
import { type Api, jsonOf } from '../support/api.ts'
import { endNextLease } from '../support/end-next-lease.ts'
import { ExpositionPage, metricsOf } from '../support/exposition.ts'
import { fleetMeters } from '../support/fleet-meters.ts'
import { echoLine, startLineServer } from '../support/line-server.ts'
import { startMeteredService } from '../support/metered-service.ts'
import { startServiceFixture } from '../support/service-fixture.ts'
import { ROOT } from '../support/service-process.ts'
import { makeFolder } from '../support/temporary-folder.ts'
import { refusingPort } from '../support/test-server.ts'

const OPEN_METRICS = 'application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5'
const TRACE_ID = '0af7651916cd43dd8448eb211c80319c'
const TRACE = `00-${TRACE_ID}-b7ad6b7169203331-01`

async function scrape(api: Api, accept = 'text/plain'): Promise<ExpositionPage> {
  const answer = await api.get('/metrics', { headers: { accept } })
  expect(answer.status).toBe(200)
  return new ExpositionPage(answer.text)
}

/** A line that goes to the target and comes back. */
function echo(api: Api, target: unknown = 'line', headers: Readonly<Record<string, string>> = {}) {
  return api.post('/v1/exchange', { json: { target, write: { text: 'hello\n' }, read: 'line' }, headers })
}

/** A page that has a fleet too, as an instance of one exports it. */
async function pageOfFleet(): Promise<ExpositionPage> {
  const samples = new Samples()
  addInstances(samples, { instances: () => fleetMeters(), counts: new ServiceCounts() })
  return new ExpositionPage((await exposition(samples, processMetrics(), 'text/plain')).text)
}

describe('a service that has done one of everything', () => {
  let page: ExpositionPage
  let fleet: ExpositionPage
  const ends: (() => Promise<void>)[] = []
  beforeAll(async () => {
    const { api } = await startMeteredService(undo => void ends.push(undo))
    page = await scrape(api)
    fleet = await pageOfFleet()
  })
  afterAll(async () => {
    for (const end of ends.toReversed()) await end()
  })

  test('exports every metric, with the labels that are written down', () => {
    for (const { name, type, labels } of Object.values(FAMILIES)) {
      expect(page.types.get(name), name).toBe(type)
      const from = name.startsWith('sockpool_fleet_') ? fleet : page
      const lines = from.all(type === 'histogram' ? `${name}_bucket` : name)
      expect(lines.length, name).toBeGreaterThan(0)
      const own = type === 'histogram' ? [...labels, 'le'] : labels
      for (const line of lines) expect(Object.keys(line.labels).toSorted(), name).toEqual([...own].toSorted())
    }
    expect(page.types.get('process_cpu_seconds_total')).toBe('counter')
    // Who stands alone has nothing to say of a fleet.
    expect(page.samples.filter(({ name }) => name.startsWith('sockpool_fleet_'))).toEqual([])
  })

  test('counts each call by its target and what it came to', () => {
    const acquired = (target: string, result: string): number =>
      page.sum('sockpool_pool_acquire_duration_seconds_count', { target, result })
    // An exchange, two leases, and a client of the forward that is lent one and then keeps it.
    expect(acquired('cache', 'ok')).toBeGreaterThanOrEqual(3)
    expect(acquired('cache', 'wait_timeout')).toBe(1)
    expect(page.sum('sockpool_pool_acquire_timeouts_total', { target: 'cache' })).toBe(1)
    expect(acquired('gone', 'connect_refused')).toBe(1)
    expect(acquired('(described)', 'ok')).toBe(1)
    expect(acquired('(described)', 'target_denied')).toBe(1)
    const exchanged = (target: string, result: string): number =>
      page.sum('sockpool_exchange_duration_seconds_count', { target, result })
    expect(['cache', 'shared', '(described)'].map(target => exchanged(target, 'ok'))).toEqual([1, 1, 1])
    expect(exchanged('gone', 'connect_refused')).toBe(1)
    expect(page.sum('sockpool_pool_connect_duration_seconds_count', { target: 'gone' })).toBe(1)
    expect(page.sum('sockpool_breaker_state', { target: 'gone' })).toBe(2)
    expect(page.sum('sockpool_lease_lost_total', { target: 'cache', reason: 'killed' })).toBe(1)
    expect(page.sum('sockpool_forward_pins_total', { target: 'cache', reason: 'select' })).toBe(1)
    expect(page.sum('sockpool_egress_denied_total')).toBe(1)
    expect(page.sum('sockpool_pool_connections', { target: 'shared', state: 'multiplexed' })).toBe(1)
    expect(page.sum('sockpool_relay_bytes_total', { direction: 'in' })).toBeGreaterThanOrEqual(4 * 5)
  })

  test('counts parses by where they are done', () => {
    const done = (place: string): number => page.sum('sockpool_parse_task_duration_seconds_count', { place })
    expect([done('in_place'), done('thread')]).toEqual([1, 1])
    expect(page.sum('sockpool_parse_wait_duration_seconds_count')).toBe(1)
  })

  test('names routes by their pattern, and no host, lease or address anywhere', () => {
    const routes = page
      .all('sockpool_http_request_duration_seconds_count')
      .map(({ labels }) => labels['route'])
    expect(routes).toEqual(expect.arrayContaining(['/v1/exchange', '/v1/leases/:id', '/v1/parse/:format']))
    const values = page.samples
      .filter(({ name }) => name.startsWith('sockpool_'))
      .flatMap(({ labels }) => Object.values(labels))
    expect(values.filter(value => /127\.0\.0\.1|^[\w-]{43}$/.test(value))).toEqual([])
  })

  test('has histograms whose buckets add up', () => {
    for (const [name, type] of page.types) {
      if (type !== 'histogram' || !name.startsWith('sockpool_')) continue
      for (const { labels, value } of page.all(`${name}_count`)) {
        const buckets = page.all(`${name}_bucket`, labels).map(({ value: count }) => count)
        expect(buckets, name).toEqual(buckets.toSorted((a, b) => a - b))
        expect(buckets.at(-1), name).toBe(value)
      }
    }
  })

  test('exports whatever the dashboard draws', async () => {
    const board = JSON.parse(await readFile(join(ROOT, 'deploy/grafana/sockpool.json'), 'utf8')) as {
      panels: { title: string; targets?: { expr: string }[] }[]
      templating: { list: { type: string; definition?: string }[] }
    }
    expect(board.templating.list[0]).toMatchObject({ name: 'datasource', type: 'datasource' })
    const drawn = board.panels.flatMap(({ title, targets = [] }) =>
      targets.flatMap(({ expr }) => metricsOf(expr).map(name => `${title}: ${name}`)),
    )
    expect(drawn.length).toBeGreaterThan(30)
    const chosen = board.templating.list.flatMap(
      ({ definition = '' }) => /^label_values\(([a-z_]+)/.exec(definition)?.slice(1) ?? [],
    )
    expect(chosen).toHaveLength(2)
    const known = new Set([page, fleet].flatMap(({ samples }) => samples.map(({ name }) => name)))
    expect([...drawn, ...chosen].filter(text => !known.has(text.split(': ').at(-1) ?? ''))).toEqual([])
  })

  test('exports whatever the alert rules watch', async () => {
    const { groups } = parse(await readFile(join(ROOT, 'deploy/prometheus/alerts.yaml'), 'utf8')) as {
      groups: { rules: { alert: string; expr: string; annotations: { summary: string } }[] }[]
    }
    const rules = groups.flatMap(({ rules: own }) => own)
    expect(rules.length).toBeGreaterThan(7)
    const known = new Set([page, fleet].flatMap(({ samples }) => samples.map(({ name }) => name)))
    for (const { alert, expr, annotations } of rules) {
      expect(metricsOf(expr).length, alert).toBeGreaterThan(0)
      for (const name of metricsOf(expr)) expect(known, alert).toContain(name)
      expect(annotations.summary, alert).not.toBe('')
    }
  })
})

test('the alert rules are rules to Prometheus itself', ({ skip }) => {
  let found = true
  try {
    execFileSync('promtool', ['--version'], { stdio: 'ignore' })
  } catch {
    found = false
  }
  if (!found && process.env['SOCKPOOL_TEST_SERVICES'] === 'required') throw new Error('there is no promtool')
  skip(!found, 'there is no promtool, which the package prometheus brings')
  const text = execFileSync('promtool', ['check', 'rules', join(ROOT, 'deploy/prometheus/alerts.yaml')])
  expect(String(text)).toContain('SUCCESS')
})

describe('GET /metrics', () => {
  test.for([1, 2])('counts what %i HTTP threads serve, at once', async threads => {
    const server = await startLineServer(echoLine)
    const { host, port } = server
    const { api } = await startServiceFixture({
      config: { http: { threads }, targets: { line: { host, port, reuse: 'clean' } } },
      finally: onTestFinished,
    })
    for (let count = 0; count < 3; count++) await echo(api)
    expect((await api.get('/v1/nowhere')).status).toBe(404)
    const page = await scrape(api)
    const requests = (labels: Readonly<Record<string, string>>): number =>
      page.sum('sockpool_http_request_duration_seconds_count', labels)
    expect(requests({ method: 'POST', route: '/v1/exchange', status: '200' })).toBe(3)
    expect(requests({ method: 'GET', route: 'none', status: '404' })).toBe(1)
    expect(page.sum('sockpool_exchange_duration_seconds_count', { target: 'line', result: 'ok' })).toBe(3)
    expect(page.all('sockpool_worker_eventloop_utilization', { kind: 'http' })).toHaveLength(
      threads === 1 ? 0 : threads,
    )
  })

  test.for([1, 2])('counts what was killed as that, where %i threads serve HTTP', async threads => {
    const heard = Promise.withResolvers<void>()
    const { host, port } = await startLineServer(() => heard.resolve())
    const { api, token } = await startServiceFixture({
      config: { http: { threads }, targets: { line: { host, port } } },
      finally: onTestFinished,
    })
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
    const body = JSON.stringify({ target: 'line', write: { text: 'hello\n' }, read: 'line' })
    const send = async (): Promise<number> =>
      (await fetch(`${api.url}/v1/exchange`, { method: 'POST', headers, body })).status
    const answer = send()
    await heard.promise
    const { connections } = jsonOf<{ connections: { id: string }[] }>(await api.get('/v1/connections'))
    await api.request('DELETE', `/v1/connections/${connections[0]?.id}`)
    expect(await answer).toBe(410)
    endNextLease(record => record.kill('killed'))
    expect(await send()).toBe(410)
    const results = async (): Promise<readonly number[]> => {
      const page = await scrape(api)
      return ['ok', 'lease_gone'].map(result =>
        page.sum('sockpool_exchange_duration_seconds_count', { target: 'line', result }),
      )
    }
    // Who serves the request hears of the end before who counts it.
    await expect.poll(results).toEqual([0, 2])
  })

  test('names the trace of a request, to whoever reads OpenMetrics', async () => {
    const server = await startLineServer(echoLine)
    const { api } = await startServiceFixture({
      config: { http: { threads: 1 }, targets: { line: { host: server.host, port: server.port } } },
      finally: onTestFinished,
    })
    await echo(api, 'line', { traceparent: TRACE })
    const answer = await api.get('/metrics', { headers: { accept: OPEN_METRICS } })
    expect(answer.headers.get('content-type')).toBe(
      'application/openmetrics-text; version=1.0.0; charset=utf-8',
    )
    expect(answer.text.endsWith('\n# EOF\n')).toBe(true)
    const page = new ExpositionPage(answer.text)
    expect(page.types.get('sockpool_relay_bytes')).toBe('counter')
    expect(page.all('sockpool_relay_bytes_total')).toHaveLength(2)
    const [named] = page
      .all('sockpool_http_request_duration_seconds_bucket', { route: '/v1/exchange' })
      .filter(({ traceId }) => traceId !== null)
    expect(named?.traceId).toBe(TRACE_ID)
    // Prometheus's own format has no place for it; and one scrape does not rename the counters of the next.
    const plain = await scrape(api)
    expect(plain.samples.some(({ traceId }) => traceId !== null)).toBe(false)
    expect(plain.types.get('sockpool_relay_bytes_total')).toBe('counter')
  })

  test('has nothing of a target that a reload has taken away', async () => {
    const server = await startLineServer(echoLine)
    const place = { host: server.host, port: server.port, reuse: 'clean' }
    const service = await startServiceFixture({
      config: { targets: { line: place, other: place } },
      finally: onTestFinished,
    })
    await echo(service.api)
    await echo(service.api, 'other')
    const about = (page: ExpositionPage, target: string): number =>
      page.samples.filter(({ labels }) => labels['target'] === target).length
    expect(about(await scrape(service.api), 'other')).toBeGreaterThan(20)
    await service.configure({ targets: { line: place } })
    service.reload()
    const after = await scrape(service.api)
    expect([about(after, 'other'), about(after, 'line') > 20]).toEqual([0, true])
    await service.configure({ targets: { line: place, other: place } })
    service.reload()
    const again = await scrape(service.api)
    expect(again.sum('sockpool_exchange_duration_seconds_count', { target: 'other' })).toBe(0)
    expect(again.sum('sockpool_exchange_duration_seconds_count', { target: 'line' })).toBe(1)
  })

  test('answers within 50 ms while an I/O worker is stuck', async () => {
    const server = await startLineServer(echoLine)
    const { host, port } = server
    const { api, token } = await startServiceFixture({
      config: {
        ioWorkers: 2,
        limits: { drainTimeout: 0 },
        targets: {
          line: { host, port, reuse: 'clean' },
          stuck: { host, port, onConnect: { module: 'spin.ts' }, pool: { connectTimeout: '1s' } },
        },
      },
      // Its loop never turns again.
      files: { 'spin.ts': 'export default () => { for (;;); }' },
      finally: onTestFinished,
    })
    await echo(api)
    void echo(api, 'stuck').catch(() => {})
    let page = await scrape(api)
    const isStuck = (): boolean =>
      page
        .all('sockpool_event_loop_delay_seconds')
        .some(({ labels, value }) => labels['thread']?.startsWith('io-') === true && value >= 2)
    while (!isStuck()) page = await scrape(api)
    const times: number[] = []
    for (let round = 0; round < 15; round++) {
      const sinceMs = performance.now()
      const answer = await fetch(`${api.url}/metrics`, { headers: { authorization: `Bearer ${token}` } })
      expect((await answer.text()).length).toBeGreaterThan(10_000)
      times.push(performance.now() - sinceMs)
    }
    // Half of them at the least: others use this machine too, and one that asked the worker would never come.
    expect(times.toSorted((a, b) => a - b)[7]).toBeLessThan(50)
    expect(page.all('sockpool_worker_eventloop_utilization', { kind: 'io' })).toHaveLength(2)
    expect(page.sum('sockpool_relay_bytes_total', { direction: 'in' })).toBeGreaterThanOrEqual(6)
  })
})

describe('who may scrape', () => {
  const tokenOf = (name: string, more: object = {}): object => {
    const sha256 = createHash('sha256').update(name).digest('hex')
    return { name, sha256, targets: [], ...more }
  }

  test('is an admin, and a token with metrics: true', async () => {
    const { api } = await startServiceFixture({
      config: {
        auth: {
          tokens: [tokenOf('ops', { admin: true }), tokenOf('prometheus', { metrics: true }), tokenOf('dev')],
        },
      },
      finally: onTestFinished,
    })
    const status = async (token: string | null): Promise<number> =>
      (await api.as(token).get('/metrics')).status
    expect(await status('ops')).toBe(200)
    expect(await status('prometheus')).toBe(200)
    expect(await status('dev')).toBe(403)
    expect(await status(null)).toBe(401)
    expect((await api.as('prometheus').post('/v1/reload')).status).toBe(403)
  })

  test('is whoever reaches metrics.listen, under its name, until the service ends', async () => {
    const folder = await makeFolder()
    await mkdir(join(folder, 'run'), { mode: 0o700 })
    const path = join(folder, 'run', 'metrics.sock')
    const service = await startServiceFixture({
      config: { metrics: { listen: `unix:${path}` } },
      finally: onTestFinished,
    })
    const dispatcher = new Agent({ connect: { socketPath: path } })
    onTestFinished(() => dispatcher.close())
    const ask = async (url: string) => await request(`http://localhost${url}`, { dispatcher })
    const answer = await ask('/metrics')
    expect(answer.statusCode).toBe(200)
    expect(new ExpositionPage(await answer.body.text()).types.has('sockpool_build_info')).toBe(true)
    const elsewhere = await ask('/v1/stats')
    expect([elsewhere.statusCode, await elsewhere.body.json()]).toMatchObject([404, { code: 'not_found' }])
    await service.close()
    await expect(ask('/metrics')).rejects.toThrow()
  })

  test('reaches metrics.listen under the names that a reload says', async () => {
    const metrics = { listen: `127.0.0.1:${await refusingPort()}` }
    const service = await startServiceFixture({
      config: { metrics, http: { hosts: ['before.internal'] } },
      finally: onTestFinished,
    })
    const status = async (host: string): Promise<number> => {
      const { body, statusCode } = await request(`http://${metrics.listen}/metrics`, { headers: { host } })
      await body.dump()
      return statusCode
    }
    expect([await status('before.internal'), await status('after.internal')]).toEqual([200, 403])
    await service.configure({ metrics, http: { hosts: ['after.internal'] } })
    service.reload()
    expect([await status('before.internal'), await status('after.internal')]).toEqual([403, 200])
  })
})
