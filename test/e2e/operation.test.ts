/** What the service shows of itself, whom it answers, and the document that describes it. */
import { request } from 'node:http'
import { describe, expect, onTestFinished, test } from 'vitest'
import { jsonOf, problemOf } from '../support/api.ts'
import { openApiFaults } from '../support/open-api-faults.ts'
import { useScriptedService } from '../support/scripted-service.ts'
import { servedBy, startServiceProcess } from '../support/service-process.ts'
import { startUpstream } from '../support/upstream.ts'

const scripted = useScriptedService(place => ({
  config: { targets: { script: { ...place, pool: { max: 5 } }, other: { ...place } } },
}))

const ROUTES = {
  '/livez': ['get'],
  '/metrics': ['get'],
  '/openapi.json': ['get'],
  '/readyz': ['get'],
  '/v1/leases': ['get', 'post'],
  '/v1/leases/{id}': ['delete', 'get', 'patch'],
  '/v1/leases/{id}/read': ['post'],
  '/v1/leases/{id}/readline': ['post'],
  '/v1/leases/{id}/readexactly': ['post'],
  '/v1/leases/{id}/readframe': ['post'],
  '/v1/leases/{id}/readuntil': ['post'],
  '/v1/leases/{id}/write': ['post'],
  '/v1/leases/{id}/writelines': ['post'],
  '/v1/leases/{id}/drain': ['post'],
  '/v1/leases/{id}/write_eof': ['post'],
  '/v1/leases/{id}/close': ['post'],
  '/v1/leases/{id}/wait_closed': ['post'],
  '/v1/leases/{id}/is_closing': ['get'],
  '/v1/leases/{id}/lines': ['get'],
  '/v1/leases/{id}/start_tls': ['post'],
  '/v1/leases/{id}/stream': ['get'],
  '/v1/leases/{id}/parse': ['post'],
  '/v1/events': ['get'],
  '/v1/exchange': ['post'],
  '/v1/fleet': ['get'],
  '/v1/forwards': ['get'],
  '/v1/connect/{target}': ['get'],
  '/v1/listeners': ['get', 'post'],
  '/v1/listeners/{id}': ['delete', 'get'],
  '/v1/listeners/{id}/accept': ['post'],
  '/v1/parse/{format}': ['post'],
  '/v1/targets': ['get'],
  '/v1/targets/{name}': ['get', 'patch'],
  '/v1/targets/{name}/pause': ['post'],
  '/v1/targets/{name}/resume': ['post'],
  '/v1/targets/{name}/disable': ['post'],
  '/v1/targets/{name}/enable': ['post'],
  '/v1/targets/{name}/drain': ['post'],
  '/v1/targets/{name}/reconnect': ['post'],
  '/v1/targets/{name}/wait-close': ['post'],
  '/v1/connections': ['get'],
  '/v1/connections/{id}': ['delete', 'get'],
  '/v1/workers': ['get'],
  '/v1/workers/{id}/drain': ['post'],
  '/v1/reload': ['post'],
  '/v1/stats': ['get'],
}

type Row = Readonly<Record<string, unknown>>

/** A request with a Host header, which fetch does not let a caller choose. */
function statusWithHost(path: string, host: string, headers: Record<string, string> = {}): Promise<number> {
  return new Promise((resolve, reject) => {
    const outgoing = request(new URL(path, scripted.api.url), { headers: { host, ...headers }, agent: false })
    outgoing.once('error', reject)
    outgoing.once('response', incoming => {
      incoming.resume()
      resolve(incoming.statusCode ?? 0)
    })
    outgoing.end()
  })
}

describe('the service', () => {
  test('counts its targets, connections, workers and leases', async () => {
    const { api, leased } = scripted
    const { lease } = await leased()
    const { targets } = jsonOf<{ targets: Row[] }>(await api.get('/v1/targets'))
    expect(targets.map(({ name }) => name)).toEqual(['script', 'other'])
    const row = jsonOf(await api.get('/v1/targets/script'))
    expect(row).toMatchObject({
      name: 'script',
      connections: { connecting: 0, idle: 0, leased: 1, closing: 0, max: 5 },
      waiters: 0,
    })
    expect(targets[0]).toEqual(row)
    const { connections } = jsonOf<{ connections: Row[] }>(await api.get('/v1/connections'))
    expect(connections).toContainEqual(
      expect.objectContaining({ id: lease.view.connection.id, target: 'script', state: 'leased' }),
    )
    const { workers } = jsonOf<{ workers: Row[] }>(await api.get('/v1/workers'))
    const isAlone = Number(servedBy()['SOCKPOOL_HTTP_THREADS'] ?? 1) === 1
    expect(new Set(workers.map(({ kind }) => kind))).toEqual(new Set(isAlone ? ['io'] : ['io', 'http']))
    for (const worker of workers)
      for (const field of ['id', 'threadId', 'connections', 'dialled', 'bytesIn', 'bytesOut', 'utilization'])
        expect(worker).toHaveProperty(field, expect.any(Number))
    await api.post('/v1/parse/json', { body: `[1]${' '.repeat(2_000)}` })
    const after = jsonOf<{ workers: Row[] }>(await api.get('/v1/workers')).workers
    expect(after.filter(({ kind }) => kind === 'parse')).toEqual([
      {
        id: expect.any(Number),
        kind: 'parse',
        threadId: expect.any(Number),
        state: 'idle',
        work: 'inputs',
        tasks: 1,
      },
    ])
    // Those of a thread that serves HTTP are its callers'.
    const own = workers.filter(({ kind }) => kind === 'io')
    expect(own.reduce((sum, { connections: open }) => sum + Number(open), 0)).toBe(1)
    expect(jsonOf(await api.get('/v1/stats'))).toEqual({
      leases: 1,
      waiters: 0,
      connections: { connecting: 0, idle: 0, leased: 1, multiplexed: 0, quarantined: 0, closing: 0 },
      targets: expect.any(Number),
      parse: { workers: 1, busy: 0, queued: 0, inPlace: 0, long: [] },
      memory: { rss: expect.any(Number), heapUsed: expect.any(Number), ringBytes: expect.any(Number) },
      uptimeMs: expect.any(Number),
    })
    const unknown = await api.get('/v1/targets/nobody')
    expect(problemOf(unknown)).toMatchObject({ status: 404, code: 'target_not_found' })
    const absent = await api.post('/v1/workers/99/drain')
    expect(problemOf(absent)).toMatchObject({ status: 404, code: 'not_found' })
  })

  test('answers its probes to anyone, and nothing else without a token', async () => {
    const stranger = scripted.api.as(null)
    expect(jsonOf(await stranger.get('/livez'))).toEqual({ status: 'live' })
    expect(jsonOf(await stranger.get('/readyz'))).toEqual({ status: 'ready' })
    for (const [api, path] of [
      [stranger, '/v1/stats'],
      [stranger, '/openapi.json'],
      [stranger, '/nowhere'],
      [scripted.api.as('wrong'), '/v1/stats'],
    ] as const) {
      const refused = await api.get(path)
      expect(problemOf(refused)).toMatchObject({ status: 401, code: 'unauthorized' })
      expect(refused.headers.get('www-authenticate')).toMatch(/^Bearer /)
    }
    expect(await statusWithHost('/livez', 'evil.example')).toBe(200)
  })

  test('refuses names and pages that are not its own', async () => {
    const { api, service } = scripted
    const { host } = new URL(service.url)
    const headers = { authorization: `Bearer ${service.token}` }
    expect(await statusWithHost('/v1/stats', host, headers)).toBe(200)
    expect(await statusWithHost('/v1/stats', 'evil.example', headers)).toBe(403)
    const page = await api.get('/v1/stats', { headers: { origin: 'https://evil.example' } })
    expect(problemOf(page)).toMatchObject({ status: 403, code: 'host_denied' })
  })

  test.each([
    ['GET', '/v1/nowhere', {}, 404, 'not_found'],
    ['POST', '/v1/stats', {}, 404, 'not_found'],
    [
      'POST',
      '/v1/leases',
      { body: '{', headers: { 'content-type': 'application/json' } },
      400,
      'invalid_request',
    ],
    ['POST', '/v1/leases', { json: {} }, 400, 'invalid_request'],
    ['POST', '/v1/leases', { json: { target: 'script', nonsense: 1 } }, 400, 'invalid_request'],
    ['POST', '/v1/leases', { json: { target: 'script', ttlMs: '5' } }, 400, 'invalid_request'],
    ['POST', '/v1/leases', { json: { target: { host: ['127.0.0.1'], port: 1 } } }, 400, 'invalid_request'],
    [
      'POST',
      '/v1/leases',
      { body: '{"target":"script","__proto__":{}}', headers: { 'content-type': 'application/json' } },
      400,
      'invalid_request',
    ],
    ['POST', '/v1/leases', { body: 'target=script' }, 415, 'unsupported_media_type'],
    ['POST', '/v1/leases', { json: { target: 'nobody' } }, 404, 'target_not_found'],
    ['GET', '/v1/leases/nobody', {}, 404, 'lease_not_found'],
    ['GET', '/v1/leases/%ff', {}, 400, 'invalid_request'],
  ] as const)('answers %s %s %j with a whole problem', async (method, path, call, status, code) => {
    const problem = problemOf(await scripted.api.request(method, path, call))
    expect(problem).toMatchObject({ status, code, type: `urn:sockpool:problem:${code}` })
    if (code === 'invalid_request' && 'json' in call) expect(problem).toHaveProperty('errors.0.path')
  })
})

describe('a described target', () => {
  const dialled = async (): Promise<number> => {
    const { workers } = jsonOf<{ workers: { dialled: number }[] }>(await scripted.api.get('/v1/workers'))
    return workers.reduce((sum, worker) => sum + worker.dialled, 0)
  }

  test.each([
    '127.0.0.1',
    '127.1',
    '0x7f000001',
    '2130706433',
    '0177.0.0.1',
    '127.0.0.1.',
    'localhost',
    'LOCALHOST.',
    '[::1]',
    '::1',
    '::ffff:127.0.0.1',
    '64:ff9b::7f00:1',
    '0.0.0.0',
    '10.0.0.1',
    '169.254.169.254',
    'fe80::1',
    'example.com',
    '8.8.8.8',
  ])('at %s is refused without a rule, and nothing is dialled', async host => {
    const { api, upstream } = scripted
    const { port } = upstream
    const before = { dialled: await dialled(), accepted: upstream.accepted }
    for (const [path, json] of [
      ['/v1/leases', { target: { host, port } }],
      ['/v1/exchange', { target: { host, port, tls: true }, write: { text: '' }, read: 'line' }],
    ] as const) {
      const problem = problemOf(await api.post(path, { json }))
      expect([400, 403]).toContain(problem.status)
      expect(['target_denied', 'invalid_request']).toContain(problem.code)
    }
    expect({ dialled: await dialled(), accepted: upstream.accepted }).toEqual(before)
  })

  test('is reached by a rule inside its special range, and no rule for everything opens one', async () => {
    const upstream = await startUpstream()
    onTestFinished(() => upstream.close())
    const { host, port } = upstream
    const service = await startServiceProcess({
      args: ['--allow', '*', '--allow', '0.0.0.0/0', '--allow', `127.0.0.0/8:${port}`],
    })
    onTestFinished(() => service.stop())
    const lease = await service.api.lease({ host, port })
    const peer = await upstream.from(lease.view.connection.localPort)
    await peer.send('hello\n')
    expect((await lease.call('readline')).text).toBe('hello\n')
    const own = Number(new URL(service.url).port)
    for (const target of [
      { host, port: scripted.upstream.port },
      { host: '169.254.169.254', port: 80 },
      { host: '10.0.0.1', port },
      { host, port: own },
    ]) {
      const problem = problemOf(await service.api.post('/v1/leases', { json: { target } }))
      expect(problem).toMatchObject({ status: 403, code: 'target_denied' })
    }
  })

  test('may not be the service itself, whatever the rules say', async () => {
    const service = await startServiceProcess({ args: ['--allow', '127.0.0.0/8'] })
    onTestFinished(() => service.stop())
    const target = { host: '127.0.0.1', port: Number(new URL(service.url).port) }
    const problem = problemOf(await service.api.post('/v1/leases', { json: { target } }))
    expect(problem).toMatchObject({ status: 403, code: 'target_denied' })
  })
})

describe('/openapi.json', () => {
  test('is OpenAPI 3.1 and lists every route', async () => {
    const document = jsonOf<{ openapi: string; paths: Record<string, object> }>(
      await scripted.api.get('/openapi.json'),
    )
    expect(document.openapi).toMatch(/^3\.1\.\d+$/)
    expect(openApiFaults(document)).toEqual([])
    const listed = Object.entries(document.paths).map(([path, item]) => [path, Object.keys(item).sort()])
    expect(Object.fromEntries(listed)).toEqual(ROUTES)
  })

  test('names routes that the service has', async () => {
    for (const [path, methods] of Object.entries(ROUTES))
      for (const method of methods) {
        const filled = path
          .replace('{id}', 'x'.repeat(43))
          .replace('{name}', 'script')
          .replace('{target}', 'script')
          .replace('{format}', 'json')
        // What goes on for as long as something comes is refused by its query.
        const answer = await scripted.api.request(method.toUpperCase(), `${filled}?nonsense=1`)
        // The document itself names the code, among others.
        const isAbsent = answer.status === 404 && problemOf(answer).code === 'not_found'
        expect(isAbsent, `${method} ${path}`).toBe(false)
      }
  })
})
