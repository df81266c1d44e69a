/** Several threads that serve HTTP on one port: whichever a caller's connection lands at, the service is the same. */
import { once } from 'node:events'
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { Agent, type IncomingHttpHeaders, request } from 'node:http'
import { request as requestTls, Agent as TlsAgent } from 'node:https'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Worker } from 'node:worker_threads'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { hashToken } from '../../src/config/token-file.ts'
import { afterFile } from '../support/after-file.ts'
import { type ClientCertificate, clientCertificate } from '../support/client-certificate.ts'
import { sendRaw } from '../support/raw-http.ts'
import { type ServiceFixture, startServiceFixture } from '../support/service-fixture.ts'
import { startServiceProcess } from '../support/service-process.ts'
import { testCertificate } from '../support/tls-certs.ts'
import { startUpstream, type Upstream } from '../support/upstream.ts'

type Reply = { readonly status: number; readonly headers: IncomingHttpHeaders; readonly text: string }
type Row = { readonly id: number; readonly kind: string; readonly threadId: number; readonly state: string }
type HttpRow = Row & { readonly connections: number; readonly requests: number }

const secretOf = (name: string): string => `the-secret-of-${name}`
const token = (name: string, more: object = {}) => ({ name, sha256: hashToken(secretOf(name)), ...more })
const TOKENS = [
  token('ops', { admin: true }),
  token('few', { limits: { leases: 3 } }),
  token('slow', { limits: { requestsPerSecond: 1, burst: 10 } }),
  token('narrow', { limits: { targets: 1 } }),
  token('leaving'),
]

const workers = new Set<Worker>()
const noteWorker = (worker: Worker): void => {
  workers.add(worker)
  worker.once('exit', () => workers.delete(worker))
}

let folder: string
let silent: Upstream
let service: ServiceFixture
let config: Readonly<Record<string, unknown>>

beforeAll(async () => {
  process.on('worker', noteWorker)
  afterFile(() => void process.off('worker', noteWorker))
  // The private socket lies in the folder of temporary files.
  folder = await mkdtemp(join(tmpdir(), 'sockpool-threads-'))
  afterFile(() => rm(folder, { recursive: true }))
  const { TMPDIR: outer } = process.env
  Object.assign(process.env, { TMPDIR: folder })
  silent = await startUpstream()
  afterFile(() => silent.close())
  const lines = createServer(socket => void socket.on('error', () => {}).pipe(socket)).listen(0, '127.0.0.1')
  await once(lines, 'listening')
  afterFile(() => void lines.close())
  config = {
    auth: { tokens: TOKENS },
    http: { threads: 2 },
    limits: { drainTimeout: 0 },
    egress: { allow: ['127.0.0.1:*'] },
    targets: {
      lines: {
        host: '127.0.0.1',
        port: (lines.address() as AddressInfo).port,
        reuse: 'clean',
        pool: { max: 20 },
      },
      silent: { host: silent.host, port: silent.port, pool: { max: 50 } },
    },
  }
  service = await startServiceFixture({ config, finally: afterFile })
  if (outer === undefined) Reflect.deleteProperty(process.env, 'TMPDIR')
  else Object.assign(process.env, { TMPDIR: outer })
})

type Call = {
  readonly as?: string
  readonly json?: unknown
  readonly headers?: object
  readonly agent?: Agent
}

/** On a connection of its own, unless the call has an agent: which thread accepts it is the system's choice. */
function ask(method: string, path: string, call: Call = {}): Promise<Reply> {
  const { as = 'ops', json, headers = {}, agent = new Agent() } = call
  const body = json === undefined ? '' : JSON.stringify(json)
  return new Promise((resolve, reject) => {
    const sent = request(
      new URL(path, service.url),
      {
        method,
        agent,
        headers: {
          authorization: `Bearer ${secretOf(as)}`,
          ...(json !== undefined && { 'content-type': 'application/json', 'content-length': body.length }),
          ...headers,
        },
      },
      answer => {
        const chunks: Buffer[] = []
        answer.on('data', (chunk: Buffer) => chunks.push(chunk))
        answer.once('error', reject)
        answer.once('end', () => {
          const text = Buffer.concat(chunks).toString()
          resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text })
        })
      },
    )
    sent.once('error', reject)
    sent.end(body)
  })
}

const exchange = (as: string, target: unknown = 'lines', more: Call = {}): Promise<Reply> =>
  ask('POST', '/v1/exchange', { as, json: { target, write: { text: 'hello\n' }, read: 'line' }, ...more })

/** An exchange that nobody answers, and the way to end it. */
function hanging(as: string, target: unknown = 'silent'): { readonly reply: Promise<Reply>; end(): void } {
  const agent = new Agent()
  const json = { target, write: { text: 'hello\n' }, read: 'line', timeoutMs: 20_000 }
  const reply = ask('POST', '/v1/exchange', { as, json, agent })
  reply.catch(() => 'its client has left')
  return { reply, end: () => agent.destroy() }
}

const codeOf = ({ text }: Reply): unknown => (text.startsWith('{') ? JSON.parse(text).code : undefined)

async function rows(): Promise<HttpRow[]> {
  const all = JSON.parse((await ask('GET', '/v1/workers')).text).workers as HttpRow[]
  return all.filter(({ kind }) => kind === 'http')
}

/** Asks again until the condition holds. */
async function eventually<T>(what: string, look: () => Promise<T>, holds: (seen: T) => boolean): Promise<T> {
  const deadline = performance.now() + 10_000
  for (;;) {
    await new Promise(resolve => setImmediate(resolve))
    const seen = await look().catch((error: unknown) => error as T)
    if (holds(seen)) return seen
    if (performance.now() > deadline) throw new Error(`never seen: ${what}, but ${JSON.stringify(seen)}`)
  }
}

describe('a service with http.threads: 2', () => {
  test('has a row for each thread, and both serve', async () => {
    const before = await rows()
    expect(before).toMatchObject([
      { kind: 'http', state: 'serving' },
      { kind: 'http', state: 'serving' },
    ])
    expect(new Set(before.map(({ threadId }) => threadId)).size).toBe(2)
    await eventually('both threads served', rows, seen =>
      seen.every(({ requests }, index) => requests > (before[index]?.requests ?? 0) + 2),
    )
    const all = JSON.parse((await ask('GET', '/v1/workers')).text).workers as Row[]
    expect(new Set(all.map(({ id }) => id)).size).toBe(all.length)
    expect(all.some(({ kind }) => kind === 'io')).toBe(true)
  })

  test('uses a lease that one connection took on all others', async () => {
    const taken = await ask('POST', '/v1/leases', { json: { target: 'lines' } })
    expect(taken.status).toBe(201)
    const { id } = JSON.parse(taken.text)
    for (let turn = 0; turn < 8; turn++) {
      const write = await ask('POST', `/v1/leases/${id}/writelines`, { json: [`${turn}\n`] })
      const read = await ask('POST', `/v1/leases/${id}/readline`)
      expect([write.status, read.status, read.text]).toEqual([200, 200, `${turn}\n`])
    }
    expect((await ask('DELETE', `/v1/leases/${id}`)).status).toBe(200)
    expect(codeOf(await ask('POST', `/v1/leases/${id}/readline`))).toBe('lease_gone')
  })

  test('gives one lease for one Idempotency-Key, whichever thread is asked', async () => {
    const headers = { 'idempotency-key': 'the same for all' }
    const json = { target: 'lines' }
    const taken = await Promise.all(
      Array.from({ length: 8 }, () => ask('POST', '/v1/leases', { json, headers })),
    )
    const [id, ...others] = new Set(taken.map(({ text }) => JSON.parse(text).id))
    expect([typeof id, others]).toEqual(['string', []])
    await ask('DELETE', `/v1/leases/${id}`)
  })

  test('holds a quota over all threads together, exchanges and leases alike', async () => {
    const lease = await ask('POST', '/v1/leases', { as: 'few', json: { target: 'silent' } })
    const many = Array.from({ length: 12 }, () => hanging('few'))
    const refused: unknown[] = []
    for (const { reply } of many)
      void reply.then(
        answer => refused.push(codeOf(answer)),
        () => {},
      )
    await eventually(
      'ten were refused',
      async () => refused.length,
      count => count === 10,
    )
    expect(new Set(refused)).toEqual(new Set(['queue_full']))
    expect(codeOf(await ask('POST', '/v1/leases', { as: 'few', json: { target: 'silent' } }))).toBe(
      'queue_full',
    )
    await ask('DELETE', `/v1/leases/${JSON.parse(lease.text).id}?discard=true`, { as: 'few' })
    for (const { end } of many) end()
    await eventually(
      'the quota is free',
      () => exchange('few'),
      ({ status }) => status === 200,
    )
  })

  test('holds a rate over all threads together, for what they serve and what they relay', async () => {
    const startedMs = performance.now()
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, index) =>
        index % 2 === 0 ? exchange('slow') : ask('GET', '/v1/targets', { as: 'slow' }),
      ),
    )
    const gained = Math.floor((performance.now() - startedMs) / 1_000)
    const passed = answers.filter(({ status }) => status === 200).length
    expect(passed).toBeGreaterThanOrEqual(10)
    expect(passed).toBeLessThanOrEqual(10 + gained)
    const limited = answers.filter(({ status }) => status !== 200)
    expect(new Set(limited.map(codeOf))).toEqual(new Set(['rate_limited']))
    expect(limited.every(({ headers }) => Number(headers['retry-after']) >= 1)).toBe(true)
  })

  test('counts described targets of all threads together', async () => {
    const { port } = silent
    const { accepted } = silent
    const here = hanging('narrow', { host: '127.0.0.1', port })
    onTestFinished(here.end)
    const other = (): Promise<Reply> => exchange('narrow', { host: '127.0.0.1', port: port + 1 })
    await eventually(
      'the first is in use',
      async () => silent.accepted,
      count => count > accepted,
    )
    for (let turn = 0; turn < 6; turn++) expect(codeOf(await other())).toBe('queue_full')
  })

  test('parses a body in parts on whichever thread it came to', async () => {
    const rows = Array.from({ length: 20_000 }, (_, id) => ({ id, name: 'somebody with a name' }))
    const headers = { accept: 'application/x-ndjson' }
    for (let turn = 0; turn < 4; turn++) {
      const { status, text } = await ask('POST', '/v1/parse/json', { json: rows, headers })
      expect([status, text]).toEqual([200, `${JSON.stringify(rows)}\n`])
    }
    const coded = await ask('POST', '/v1/parse/json', { json: 1, headers: { 'content-encoding': 'odd' } })
    expect([coded.status, codeOf(coded)]).toEqual([415, 'unsupported_media_type'])
    expect(codeOf(await ask('POST', '/v1/parse/json?odd=1', { json: 1 }))).toBe('invalid_request')
  })

  test('takes the word of its own threads alone on the private socket', async () => {
    const made = (await readdir(folder)).filter(name => name.startsWith('sockpool-http-'))
    expect(made).toHaveLength(1)
    const place = join(folder, String(made[0]))
    expect((await stat(place)).mode & 0o777).toBe(0o700)
    for (const headers of [{}, { 'relay-pass': 'guess e30' }]) {
      const refused = request({ socketPath: join(place, 'main'), path: '/livez', headers })
      refused.end()
      const [error] = await once(refused, 'error')
      expect(error).toMatchObject({ code: 'ECONNRESET' })
    }
    const { status } = await ask('GET', '/v1/targets', { headers: { 'relay-pass': 'guess e30' } })
    expect(status).toBe(200)
  })

  test('replaces a thread that dies, and leases and quotas are as they were', async () => {
    const { id } = JSON.parse((await ask('POST', '/v1/leases', { json: { target: 'lines' } })).text)
    const cut = Array.from({ length: 3 }, () => hanging('few'))
    await Promise.all(cut.map(() => silent.next()))
    for (const { threadId } of await rows()) {
      const before = await rows()
      const victim = [...workers].find(worker => worker.threadId === threadId)
      await victim?.terminate()
      const after = await eventually(
        'two threads serve again',
        rows,
        seen =>
          seen.length === 2 &&
          seen.every(({ state, threadId: now }) => state === 'serving' && now !== threadId),
      )
      expect(after.map(row => row.id)).toEqual(before.map(row => row.id))
      await ask('POST', `/v1/leases/${id}/writelines`, { json: ['still here\n'] })
      expect((await ask('POST', `/v1/leases/${id}/readline`)).text).toBe('still here\n')
    }
    // Their connections were those threads', and what they had taken of the quota is free.
    for (const { reply } of cut) await expect(reply).rejects.toThrow()
    await eventually(
      'the quota is free',
      () => exchange('few'),
      ({ status }) => status === 200,
    )
    await ask('DELETE', `/v1/leases/${id}`)
  })

  test('lets a reload hold on all threads once it is answered', async () => {
    const agents = Array.from({ length: 8 }, () => new Agent({ keepAlive: true }))
    onTestFinished(() => {
      for (const agent of agents) agent.destroy()
    })
    for (const agent of agents) expect((await exchange('leaving', 'lines', { agent })).status).toBe(200)
    await service.configure({ ...config, auth: { tokens: [...TOKENS.slice(0, 4), token('new')] } })
    expect((await ask('POST', '/v1/reload')).status).toBe(200)
    const answers = await Promise.all(
      agents.map(async agent => [
        (await exchange('leaving', 'lines', { agent })).status,
        (await ask('GET', '/v1/targets', { as: 'leaving', agent })).status,
        (await exchange('new', 'lines', { agent })).status,
      ]),
    )
    expect(answers).toEqual(agents.map(() => [401, 401, 200]))
  })

  test('refuses what is no request, and what asks for a tunnel, as one thread does', async () => {
    const broken = await sendRaw(service.port, 'BROKEN\r\n\r\n')
    expect([broken.status, broken.headers.get('content-type')]).toEqual([400, 'application/problem+json'])
    const tunnel = await sendRaw(service.port, 'CONNECT a.example:1 HTTP/1.1\r\nhost: a.example:1\r\n\r\n')
    expect([tunnel.status, codeOf({ ...tunnel, headers: {}, text: tunnel.body })]).toEqual([
      407,
      'unauthorized',
    ])
    const foreign = await sendRaw(
      service.port,
      'GET /v1/targets HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n',
    )
    expect(foreign.status).toBe(403)
    const old = await sendRaw(service.port, 'GET /livez HTTP/1.0\r\n\r\n')
    expect([old.status, old.body]).toEqual([200, '{"status":"live"}'])
  })
})

test('a service with several threads drains as one, and ends', async () => {
  const one = await startServiceProcess({
    args: ['--no-auth'],
    config: {
      http: { threads: 2 },
      limits: { drainTimeout: '10s' },
      targets: { silent: { host: silent.host, port: silent.port } },
    },
  })
  onTestFinished(() => one.stop())
  const lease = await one.api.lease('silent')
  one.signal('SIGTERM')
  const agents = Array.from({ length: 6 }, () => one.api.get('/v1/stats'))
  await eventually(
    'new leases are refused',
    () => one.api.post('/v1/leases', { json: { target: 'silent' } }),
    ({ status, headers }) => status === 503 && headers.get('connection') === 'close',
  )
  expect((await Promise.all(agents)).map(({ status }) => status)).toEqual(agents.map(() => 200))
  const order = { target: 'silent', write: { text: 'x' }, read: 'line' }
  const refused = await one.api.post('/v1/exchange', { json: order })
  expect([refused.status, refused.headers.get('connection')]).toEqual([503, 'close'])
  await lease.release('?discard=true')
  expect(await one.exited).toBe(0)
  for (const line of one.stderr().trim().split('\n')) expect(() => JSON.parse(line)).not.toThrow()
})

test('a second service does not share the port of the first', async () => {
  const listen = `127.0.0.1:${service.port}`
  await expect(
    startServiceProcess({ listen, args: ['--no-auth'], config: { http: { threads: 2 } } }),
  ).rejects.toThrow(/cannot listen.*EADDRINUSE/s)
})

test('on a unix socket one thread serves, with a warning', async () => {
  const path = join(folder, 'own', 'api.sock')
  const one = await startServiceProcess({ listen: `unix:${path}`, config: { http: { threads: 2 } } })
  onTestFinished(() => one.stop())
  const answer = request({ socketPath: path, path: '/livez' }).end()
  const [{ statusCode }] = await once(answer, 'response')
  expect(statusCode).toBe(200)
  expect(one.stderr()).toContain('on a unix socket one thread serves HTTP')
})

describe('over TLS', () => {
  test('a client certificate stands for its token in what a thread serves and in what it relays', async () => {
    const server = await testCertificate()
    const ops = await clientCertificate('ops')
    const secure = await startServiceFixture({
      demo: true,
      config: {
        auth: { tokens: [token('ops', { admin: true })] },
        http: { threads: 2, tls: { cert: 'cert.pem', key: 'key.pem', clientCa: 'clients.pem' } },
      },
      files: { 'cert.pem': server.cert, 'key.pem': server.key, 'clients.pem': ops.cert },
      finally: onTestFinished,
    })
    const askTls = (client: ClientCertificate | null, method: string, path: string, json?: object) =>
      new Promise<number>((resolve, reject) => {
        const agent = new TlsAgent({ ca: server.cert, servername: 'localhost', ...client })
        const sent = requestTls(
          new URL(path, secure.url),
          { method, agent, headers: json ? { 'content-type': 'application/json' } : {} },
          answer => {
            answer.resume()
            answer.once('end', () => resolve(answer.statusCode ?? 0))
          },
        )
        sent.once('error', reject)
        sent.end(json ? JSON.stringify(json) : undefined)
      })
    const order = { target: 'demo', write: { text: 'a\n' }, read: 'line' }
    for (const client of [ops, null]) {
      const status = client === null ? 401 : 200
      for (let turn = 0; turn < 4; turn++) {
        expect(await askTls(client, 'GET', '/v1/targets')).toBe(status)
        expect(await askTls(client, 'POST', '/v1/exchange', order)).toBe(status)
      }
    }
  })
})
