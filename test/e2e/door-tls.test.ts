/** The listener over TLS, and callers that a certificate stands for. */
import { createHash } from 'node:crypto'
import { Agent, request } from 'node:https'
import { connect } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { afterFile } from '../support/after-file.ts'
import { type ClientCertificate, clientCertificate } from '../support/client-certificate.ts'
import { type ServiceFixture, startServiceFixture } from '../support/service-fixture.ts'
import { type TestCertificate, testCertificate } from '../support/tls-certs.ts'

type Reply = { readonly status: number; readonly json: { readonly id?: string; readonly code?: string } }

const sha256 = (token: string): string => createHash('sha256').update(token).digest('hex')
const TOKENS = [
  { name: 'ops', sha256: sha256('ops-token'), targets: ['*'], admin: true },
  { name: 'dev.internal', sha256: sha256('dev-token'), targets: ['demo'] },
  { name: 'spiffe://example/batch', sha256: sha256('batch-token') },
]
const TLS = { cert: 'cert.pem', key: 'key.pem' }

let server: TestCertificate
let ops: ClientCertificate
let dev: ClientCertificate
let batch: ClientCertificate
let nobody: ClientCertificate
let foreign: ClientCertificate
let service: ServiceFixture

beforeAll(async () => {
  server = await testCertificate()
  ops = await clientCertificate('ops')
  dev = await clientCertificate(null, [{ kind: 'dns', value: 'dev.internal' }])
  batch = await clientCertificate('batch', [{ kind: 'uri', value: 'spiffe://example/batch' }])
  nobody = await clientCertificate('nobody')
  foreign = await clientCertificate('ops')
  service = await startServiceFixture({
    demo: true,
    config: { auth: { tokens: TOKENS }, http: { tls: { ...TLS, clientCa: 'clients.pem' } } },
    files: {
      'cert.pem': server.cert,
      'key.pem': server.key,
      'clients.pem': [ops, dev, batch, nobody].map(({ cert }) => cert).join('\n'),
    },
    finally: afterFile,
  })
})

type Call = {
  readonly path?: string
  readonly token?: string
  readonly json?: unknown
  readonly agent?: Agent
}

function ask(
  client: ClientCertificate | null,
  call: Call = {},
  to: ServiceFixture = service,
): Promise<Reply> {
  const { path = '/v1/leases', token, json, agent = false } = call
  const outgoing = request(new URL(path, to.url), {
    method: json === undefined ? 'GET' : 'POST',
    ca: server.cert,
    servername: 'localhost',
    agent,
    ...client,
    headers: {
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(json !== undefined && { 'content-type': 'application/json' }),
    },
  })
  return new Promise((resolve, reject) => {
    outgoing.once('error', reject)
    outgoing.once('response', incoming => {
      let text = ''
      incoming.setEncoding('utf8').on('data', chunk => {
        text += chunk
      })
      incoming.once('end', () => resolve({ status: incoming.statusCode ?? 0, json: JSON.parse(text) }))
    })
    outgoing.end(json === undefined ? undefined : JSON.stringify(json))
  })
}

describe('http.tls', () => {
  test('serves https, under its own origin, by bearer tokens', async () => {
    const plain = await startServiceFixture({
      config: { auth: { tokens: TOKENS }, http: { tls: TLS } },
      files: { 'cert.pem': server.cert, 'key.pem': server.key },
      finally: onTestFinished,
    })
    expect(plain.url).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/)
    expect((await ask(null, { token: 'ops-token' }, plain)).status).toBe(200)
    expect((await ask(null, {}, plain)).status).toBe(401)
    // Nobody asked for a certificate, so one that is sent stands for nobody.
    expect((await ask(ops, {}, plain)).status).toBe(401)
  })

  test('answers no plain HTTP and keeps no connection that speaks it', async () => {
    const socket = connect(service.port, '127.0.0.1', () =>
      socket.write('GET /livez HTTP/1.1\r\nHost: x\r\n\r\n'),
    )
    onTestFinished(() => void socket.destroy())
    const chunks: Buffer[] = []
    socket.on('data', chunk => chunks.push(chunk)).on('error', () => {})
    await new Promise(resolve => socket.once('close', resolve))
    expect(Buffer.concat(chunks).toString('latin1')).not.toContain('HTTP/1.1 200')
    expect((await ask(ops)).status).toBe(200)
  })

  test('speaks no version below TLS 1.2', async () => {
    const socket = connectTls({
      port: service.port,
      host: '127.0.0.1',
      ca: server.cert,
      maxVersion: 'TLSv1.1',
      minVersion: 'TLSv1',
    })
    await expect(new Promise((_, reject) => socket.once('error', reject))).rejects.toThrow()
  })

  test('whose key is that of another certificate is a fault of the config at its path', async () => {
    const other = await testCertificate('other.example')
    await expect(
      startServiceFixture({
        config: { http: { tls: TLS } },
        files: { 'cert.pem': server.cert, 'key.pem': other.key },
        finally: onTestFinished,
      }),
    ).rejects.toThrow(/: http\.tls\.key: is not the private key of the certificate in cert$/)
  })
})

describe('http.tls.clientCa', () => {
  test('makes of a certificate the token that has its name', async () => {
    for (const [client, target, status] of [
      [ops, 'demo-tls', 201],
      [dev, 'demo', 201],
      [dev, 'demo-tls', 403],
      [batch, 'demo', 201],
    ] as const) {
      const { status: got, json } = await ask(client, { json: { target } })
      expect(got, JSON.stringify(json)).toBe(status)
    }
  })

  test('keeps the leases of one name from the others', async () => {
    const { json } = await ask(dev, { json: { target: 'demo' } })
    expect((await ask(dev, { path: `/v1/leases/${json.id}` })).status).toBe(200)
    expect((await ask(null, { path: `/v1/leases/${json.id}`, token: 'dev-token' })).status).toBe(401)
    expect((await ask(nobody, { path: `/v1/leases/${json.id}`, token: 'dev-token' })).status).toBe(200)
    expect((await ask(ops, { path: `/v1/leases/${json.id}` })).status).toBe(404)
  })

  test.each([
    ['no certificate', () => null],
    ['one of another authority, with a known name', () => foreign],
  ])('refuses %s, with a token too', async (_title, client) => {
    for (const token of [undefined, 'ops-token']) {
      const { status, json } = await ask(client(), token === undefined ? {} : { token })
      expect([status, json.code]).toEqual([401, 'unauthorized'])
    }
    expect((await ask(client(), { path: '/readyz' })).status).toBe(200)
  })

  test('asks for a token where no token has the name, and lets a token that is sent decide', async () => {
    expect((await ask(nobody)).status).toBe(401)
    expect((await ask(nobody, { token: 'ops-token' })).status).toBe(200)
    expect((await ask(ops, { token: 'wrong' })).status).toBe(401)
    const { json } = await ask(ops, { token: 'dev-token', json: { target: 'demo-tls' } })
    expect(json.code).toBe('forbidden')
  })

  test('knows a caller again on a connection that is kept and on a resumed session', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1, maxCachedSessions: 10 })
    onTestFinished(() => agent.destroy())
    for (let round = 0; round < 3; round++) expect((await ask(ops, { agent })).status).toBe(200)
    for (const socket of Object.values(agent.freeSockets).flatMap(list => list ?? [])) socket.destroy()
    expect((await ask(ops, { agent })).status).toBe(200)
  })
})
