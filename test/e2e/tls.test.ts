/** TLS to a server that is not Node's: `openssl s_server -rev` answers each line reversed. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, expect, onTestFinished, test } from 'vitest'
import { jsonOf, problemOf, type Target } from '../support/api.ts'
import { type Certificate, makeCertificate } from '../support/certificates.ts'
import { dialledBy } from '../support/service-fixture.ts'
import {
  type ServiceProcess,
  type ServiceProcessOptions,
  startServiceProcess,
  within,
} from '../support/service-process.ts'
import { makeFolder } from '../support/temporary-folder.ts'
import { startUpstream } from '../support/upstream.ts'

const OPENSSL_TIMEOUT_MS = 10_000

/** Starts the server and resolves with its port once it accepts. */
async function startReverser({ cert, key }: Certificate, ...more: readonly string[]): Promise<number> {
  const folder = await makeFolder({ 'cert.pem': { text: cert }, 'key.pem': { text: key } })
  const files = ['-cert', join(folder, 'cert.pem'), '-key', join(folder, 'key.pem')]
  const server = spawn('openssl', ['s_server', '-accept', '127.0.0.1:0', ...files, '-rev', ...more])
  onTestFinished(() => end(server))
  server.stderr.resume()
  return await within(OPENSSL_TIMEOUT_MS, acceptedPort(server), 'openssl s_server does not accept')
}

async function acceptedPort(server: ChildProcess & { stdout: NodeJS.ReadableStream }): Promise<number> {
  for await (const line of createInterface({ input: server.stdout })) {
    const port = /^ACCEPT .*:(\d+)$/.exec(line)?.[1]
    if (port === undefined) continue
    server.stdout.resume()
    return Number(port)
  }
  throw new Error('openssl s_server ended')
}

async function end(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return
  const ended = once(server, 'exit')
  server.kill()
  await ended
}

async function start(options: ServiceProcessOptions): Promise<ServiceProcess> {
  const service = await startServiceProcess(options)
  onTestFinished(() => service.stop())
  return service
}

const ask = (target: Target) => ({
  json: { target, write: { text: 'drawer pool\n' }, read: 'line' },
})

describe('POST /v1/exchange over TLS', () => {
  test('verifies the server by the authority that the config file names', async () => {
    const certificate = await makeCertificate()
    const port = await startReverser(certificate)
    const tls = { ca: './ca.pem', servername: 'localhost', minVersion: 'TLSv1.2' }
    const { api } = await start({
      config: { targets: { reverser: { host: '127.0.0.1', port, tls, reuse: 'clean' } } },
      files: { 'ca.pem': certificate.cert },
    })
    for (const reused of ['false', 'true']) {
      const answer = await api.post('/v1/exchange', ask('reverser'))
      expect(answer.text).toBe('loop reward\n')
      expect(answer.headers.get('sockpool-reused')).toBe(reused)
    }
    const { connection } = (await api.lease('reverser')).view
    expect(connection).toMatchObject({
      remotePort: port,
      tls: { protocol: 'TLSv1.3', authorized: true, servername: 'localhost', alpnProtocol: null },
    })
  })

  test('answers tls_failed with the reason for another authority, and for another name', async () => {
    const [certificate, other] = await Promise.all([makeCertificate(), makeCertificate()])
    const port = await startReverser(certificate)
    const place = { host: '127.0.0.1', port }
    const { api } = await start({
      config: {
        targets: {
          'wrong-ca': { ...place, tls: { ca: './other.pem', servername: 'localhost' } },
          'wrong-name': { ...place, tls: { ca: './ca.pem', servername: 'other.example' } },
          'platform-ca': { ...place, tls: true },
        },
      },
      files: { 'ca.pem': certificate.cert, 'other.pem': other.cert },
    })
    const refused = async (target: string): Promise<object> =>
      problemOf(await api.post('/v1/exchange', ask(target)))
    expect(await refused('wrong-ca')).toMatchObject({
      status: 502,
      code: 'tls_failed',
      reason: expect.stringMatching(/^(DEPTH_ZERO_SELF_SIGNED_CERT|UNABLE_TO_VERIFY_LEAF_SIGNATURE)$/),
    })
    expect(await refused('platform-ca')).toMatchObject({ code: 'tls_failed' })
    expect(await refused('wrong-name')).toMatchObject({
      status: 502,
      code: 'tls_failed',
      reason: 'ERR_TLS_CERT_ALTNAME_INVALID',
    })
  })

  test('takes a described target with its authority as PEM text where a rule allows it', async () => {
    const certificate = await makeCertificate()
    const port = await startReverser(certificate, '-alpn', 'other,reverse')
    const { api } = await start({ args: ['--allow', `127.0.0.1:${port}`] })
    const tls = { ca: certificate.cert, servername: 'localhost', alpn: ['reverse'] }
    const target = { host: '127.0.0.1', port, tls }
    expect((await api.post('/v1/exchange', ask(target))).text).toBe('loop reward\n')
    const lease = await api.lease(target)
    expect(lease.view.connection.tls).toMatchObject({ alpnProtocol: 'reverse', authorized: true })
    expect(lease.view.reused).toBe(false)
    expect(jsonOf(await lease.release())).toEqual({ outcome: 'closed', reason: 'policy' })
    const unverified = await api.post('/v1/exchange', ask({ ...target, tls: true }))
    expect(problemOf(unverified)).toMatchObject({ status: 502, code: 'tls_failed' })
  })

  test('trusts each authority of a PEM text, and dials nobody for a text that it cannot load', async () => {
    const [certificate, other] = await Promise.all([makeCertificate(), makeCertificate('other.example')])
    const port = await startReverser(certificate)
    const { api } = await start({ args: ['--allow', `127.0.0.1:${port}`] })
    const target = (ca: string) => ({ host: '127.0.0.1', port, tls: { ca, servername: 'localhost' } })
    const glued = other.cert.trim() + certificate.cert.trim()
    expect((await api.post('/v1/exchange', ask(target(glued)))).text).toBe('loop reward\n')
    const dialled = await dialledBy(api)
    const broken = `${certificate.cert}\n-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n`
    const refused = {
      status: 400,
      code: 'invalid_request',
      errors: [{ path: 'target.tls.ca', message: expect.stringContaining('certificate 2 of 2') }],
    }
    expect(problemOf(await api.post('/v1/exchange', ask(target(broken))))).toMatchObject(refused)
    expect(problemOf(await api.post('/v1/leases', { json: { target: target(broken) } }))).toMatchObject(
      refused,
    )
    expect(await dialledBy(api)).toBe(dialled)
  })

  test('answers tls_failed where the target does not speak TLS', async () => {
    const upstream = await startUpstream()
    onTestFinished(() => upstream.close())
    const { host, port } = upstream
    const { api } = await start({ config: { targets: { plain: { host, port, tls: true } } } })
    const asked = api.post('/v1/exchange', ask('plain'))
    await (await upstream.next()).send('220 plain.example ready\r\n')
    expect(problemOf(await asked)).toMatchObject({ status: 502, code: 'tls_failed' })
  })
})
