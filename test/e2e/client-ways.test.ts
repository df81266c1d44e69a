/** The ways from `connectPool` to a service that Node alone has: unix sockets, and TLS with certificates of one's own. */
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { SockpoolError } from '../../src/base/errors.ts'
import type { ConnectPoolOptions } from '../../src/client/client-options.ts'
import { connectPool } from '../../src/client/connect-pool.ts'
import type { RemotePool } from '../../src/client/remote-pool.ts'
import { clientCertificate } from '../support/client-certificate.ts'
import { type ServiceFixture, startServiceFixture } from '../support/service-fixture.ts'
import { makeFolder } from '../support/temporary-folder.ts'
import { testCertificate } from '../support/tls-certs.ts'

function connect(url: string, options: ConnectPoolOptions): RemotePool {
  const pool = connectPool(url, options)
  onTestFinished(() => pool.close())
  return pool
}

const tokenOf = ({ token }: ServiceFixture): ConnectPoolOptions => (token === null ? {} : { token })

/** A call, and a stream. */
async function expectAllWorks(pool: RemotePool): Promise<void> {
  const { data } = await pool.exchange('demo', { write: 'ping\n', read: { line: true } })
  expect(String(data)).toBe('ping\n')
  const lease = await pool.lease('demo')
  lease.writer.write('over a stream\n')
  expect(String(await lease.reader.readLine())).toBe('over a stream\n')
  expect(await lease.release()).toEqual({ outcome: 'reused', reason: 'clean' })
}

const failure = (promise: Promise<unknown>): Promise<SockpoolError> =>
  promise.then(
    value => {
      throw new Error(`resolved with ${String(value)}`)
    },
    (error: SockpoolError) => error,
  )

describe('a service on a unix socket', () => {
  test.each(['unix:', 'unix://'])('is reached by %sPATH', async scheme => {
    // A name that a URL would not leave as it is.
    const path = join(await makeFolder(), 'a b', 'ä:p.sock')
    const service = await startServiceFixture({
      demo: true,
      config: { listen: `unix:${path}` },
      finally: onTestFinished,
    })
    await expectAllWorks(connect(`${scheme}${path}`, tokenOf(service)))
  })

  test('that is not there is unreachable', async () => {
    const pool = connect('unix:/nowhere/at/all.sock', { retry: false })
    expect(await failure(pool.stats())).toMatchObject({
      code: 'SERVICE_UNREACHABLE',
      reason: 'ENOENT',
      bytesAccepted: 0,
    })
  })
})

describe('a service with TLS', () => {
  async function serveTls(): Promise<{
    service: ServiceFixture
    ca: string
    client: { cert: string; key: string }
  }> {
    const { cert, key } = await testCertificate()
    const client = await clientCertificate('ops')
    const sha256 = createHash('sha256').update('unused').digest('hex')
    const service = await startServiceFixture({
      demo: true,
      config: {
        auth: { tokens: [{ name: 'ops', sha256, targets: ['*'], admin: true }] },
        http: { hosts: ['localhost'], tls: { cert: 'cert.pem', key: 'key.pem', clientCa: 'clients.pem' } },
      },
      files: { 'cert.pem': cert, 'key.pem': key, 'clients.pem': client.cert },
      finally: onTestFinished,
    })
    return { service, ca: cert, client }
  }

  test('knows its caller by a certificate, on calls and on streams', async () => {
    const { service, ca, client } = await serveTls()
    const { cert, key } = client
    await expectAllWorks(connect(service.url, { tls: { ca, cert: Buffer.from(cert), key } }))
    const pool = connect(service.url, { tls: { ca, cert, key, servername: 'localhost' } })
    expect(await pool.stats()).toMatchObject({ leases: 0 })
  })

  test('is not spoken to where its certificate is another’s, and lets nobody in without one', async () => {
    const { service, ca, client } = await serveTls()
    const strange = await failure(connect(service.url, { tls: client, retry: false }).stats())
    expect(strange).toMatchObject({ code: 'SERVICE_UNREACHABLE', bytesAccepted: 0 })
    expect(strange.reason).toMatch(/SELF_SIGNED|UNABLE_TO_VERIFY/)
    const misnamed = connect(service.url, {
      tls: { ca, ...client, servername: 'other.example' },
      retry: false,
    })
    expect(await failure(misnamed.stats())).toMatchObject({ reason: 'ERR_TLS_CERT_ALTNAME_INVALID' })
    const without = await failure(connect(service.url, { tls: { ca }, retry: false }).stats())
    expect(['UNAUTHORIZED', 'SERVICE_UNREACHABLE']).toContain(without.code)
  })
})
