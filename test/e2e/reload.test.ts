/** The configuration is read anew while the service runs: by the API, by a signal, by the command. */
import { once } from 'node:events'
import { connect } from 'node:tls'
import { describe, expect, onTestFinished, test } from 'vitest'
import { hashToken } from '../../src/config/token-file.ts'
import { type Api, type HeldLease, jsonOf, problemOf } from '../support/api.ts'
import { makeCertificate } from '../support/certificates.ts'
import { echoLine, startLineServer } from '../support/line-server.ts'
import { type ServiceFixture, startServiceFixture } from '../support/service-fixture.ts'
import { CLI, runCommand, type ServiceProcess, startServiceProcess } from '../support/service-process.ts'

const token = (name: string, more: object = {}) => ({ name, sha256: hashToken(`${name}-secret`), ...more })
const OPS = token('ops', { admin: true })

/** What a test still holds is not worth a wait. */
const SOON = { drainTimeout: 0 }

type Setting = {
  readonly service: ServiceFixture
  readonly ops: Api
  readonly dev: Api
  readonly port: number
  readonly before: Readonly<Record<string, unknown>>
}

async function upstreamPort(): Promise<number> {
  const { port } = await startLineServer(echoLine, { tolerant: true })
  return port
}

async function started(more: Readonly<Record<string, unknown>> = {}): Promise<Setting> {
  const port = await upstreamPort()
  const before = {
    auth: { tokens: [OPS, token('dev')] },
    targets: { it: targetAt(port), other: targetAt(port) },
    limits: SOON,
    ...more,
  }
  const service = await startServiceFixture({ config: before, finally: onTestFinished })
  const ops = service.api.as('ops-secret')
  return { service, ops, dev: service.api.as('dev-secret'), port, before }
}

const targetAt = (port: number, pool: object = { max: 4 }) => ({
  host: '127.0.0.1',
  port,
  reuse: 'clean',
  pool,
})

async function reload({ ops }: Setting): Promise<Record<string, unknown>> {
  const answer = await ops.post('/v1/reload')
  expect(answer.status).toBe(200)
  return jsonOf(answer)
}

const rowOf = async (api: Api, name: string): Promise<Record<string, unknown>> =>
  jsonOf(await api.get(`/v1/targets/${name}`))

async function echoed(lease: HeldLease): Promise<void> {
  await lease.call('write', { body: 'hello\n' })
  expect((await lease.call('readline')).text).toBe('hello\n')
}

describe('POST /v1/reload', () => {
  test('changes nothing where nothing has changed', async () => {
    const setting = await started()
    const lease = await setting.dev.lease('it')
    expect(await reload(setting)).toEqual({
      targets: { added: 0, changed: 0, removed: 0, unchanged: 2 },
      tokens: { added: 0, changed: 0, removed: 0, unchanged: 2 },
      leasesEnded: 0,
      connectionsRetired: 0,
      listenersClosed: 0,
      ignored: [],
    })
    await echoed(lease)
    expect(jsonOf(await lease.release())).toEqual({ outcome: 'reused', reason: 'clean' })
    await reload(setting)
    expect(jsonOf(await (await setting.dev.lease('it')).look())).toMatchObject({ reused: true })
  })

  test('needs an admin', async () => {
    const { dev } = await started()
    expect(problemOf(await dev.post('/v1/reload'))).toMatchObject({ status: 403, code: 'forbidden' })
  })

  test('changes nothing where anything is wrong, and says all of that', async () => {
    const setting = await started()
    const { service, ops, dev, before, port } = setting
    await service.configure({
      ...before,
      auth: { tokens: [OPS] },
      targets: { new: targetAt(port), bad: { host: '127.0.0.1' } },
      limits: { ...SOON, leases: 0 },
    })
    const problem = problemOf(await ops.post('/v1/reload'))
    expect(problem).toMatchObject({ status: 400, code: 'invalid_request' })
    expect(problem['errors']).toEqual([
      { path: 'limits.leases', message: expect.any(String) },
      { path: 'targets.bad.port', message: expect.any(String) },
    ])
    await echoed(await dev.lease('it'))
    expect(problemOf(await ops.get('/v1/targets/new'))).toMatchObject({ code: 'target_not_found' })
    await service.configure({ ...before, egress: { allow: [], dnsServers: ['999.1.1.1'] }, targets: {} })
    expect(problemOf(await ops.post('/v1/reload'))).toMatchObject({
      status: 400,
      errors: [{ path: 'egress.dnsServers' }],
    })
    await echoed(await dev.lease('it'))
  })

  test('ends the leases of a token that is gone, and its reads hear why', async () => {
    const setting = await started()
    const { service, ops, dev, before } = setting
    const lease = await dev.lease('it')
    const kept = await ops.lease('it')
    const reading = lease.call('readline')
    await lease.begun('readline')
    await service.configure({ ...before, auth: { tokens: [OPS] } })
    expect(await reload(setting)).toMatchObject({
      tokens: { added: 0, changed: 0, removed: 1, unchanged: 1 },
      leasesEnded: 1,
    })
    expect(problemOf(await reading)).toMatchObject({ status: 410, code: 'lease_gone', reason: 'revoked' })
    expect(problemOf(await lease.look())).toMatchObject({ status: 401, code: 'unauthorized' })
    await echoed(kept)
    // With its token back, a holder learns what became of its lease.
    await service.configure(before)
    await reload(setting)
    expect(problemOf(await lease.look())).toMatchObject({ status: 410, reason: 'revoked' })
  })

  test('ends leases and waits of a token that may not use the target any more, and no others', async () => {
    const setting = await started()
    const { service, dev, before, ops } = setting
    const [lease, kept] = [await dev.lease('it'), await dev.lease('other')]
    await ops.request('PATCH', '/v1/targets/it', { json: { pool: { max: 1 } } })
    const waiting = dev.post('/v1/leases', { json: { target: 'it' } })
    await expect.poll(async () => (await rowOf(ops, 'it'))['waiters']).toBe(1)
    await service.configure({ ...before, auth: { tokens: [OPS, token('dev', { targets: ['other'] })] } })
    expect(await reload(setting)).toMatchObject({ tokens: { changed: 1 }, leasesEnded: 1 })
    expect(problemOf(await waiting)).toMatchObject({ status: 403, code: 'forbidden' })
    expect(problemOf(await lease.look())).toMatchObject({ status: 410, reason: 'revoked' })
    const refused = await dev.post('/v1/leases', { json: { target: 'it' } })
    expect(problemOf(refused)).toMatchObject({ status: 403, code: 'forbidden' })
    await echoed(kept)
  })

  test('keeps what a token holds of its quota', async () => {
    const setting = await started()
    const { service, dev, before } = setting
    await dev.lease('it')
    await service.configure({ ...before, auth: { tokens: [OPS, token('dev', { limits: { leases: 1 } })] } })
    await reload(setting)
    const refused = await dev.post('/v1/leases', { json: { target: 'it' } })
    expect(problemOf(refused)).toMatchObject({ status: 503, code: 'queue_full' })
  })

  test('ends the leases of a target that is gone, and knows a new one', async () => {
    const setting = await started()
    const { service, dev, ops, before, port } = setting
    const lease = await dev.lease('it')
    await service.configure({ ...before, targets: { new: targetAt(port), other: targetAt(port) } })
    expect(await reload(setting)).toMatchObject({
      targets: { added: 1, changed: 0, removed: 1, unchanged: 1 },
      leasesEnded: 1,
    })
    expect(problemOf(await lease.look())).toMatchObject({ status: 410, reason: 'revoked' })
    const refused = await dev.post('/v1/leases', { json: { target: 'it' } })
    expect(problemOf(refused)).toMatchObject({ status: 404, code: 'target_not_found' })
    await echoed(await dev.lease('new'))
    expect(jsonOf(await ops.get('/v1/stats'))).toMatchObject({ targets: 2 })
  })

  test('leaves leases of a target that moved, closes what they give back, and dials the new place', async () => {
    const setting = await started()
    const { service, dev, ops, before } = setting
    const [lease, idle] = [await dev.lease('it'), await dev.lease('it')]
    await echoed(idle)
    expect(jsonOf(await idle.release())).toMatchObject({ reason: 'clean' })
    const port = await upstreamPort()
    await service.configure({ ...before, targets: { it: targetAt(port), other: targetAt(setting.port) } })
    expect(await reload(setting)).toMatchObject({
      targets: { changed: 1, unchanged: 1 },
      leasesEnded: 0,
      connectionsRetired: 2,
    })
    const fresh = await dev.lease('it')
    expect(fresh.view).toMatchObject({ reused: false, connection: { remotePort: port } })
    await echoed(lease)
    expect(jsonOf(await lease.release())).toEqual({ outcome: 'closed', reason: 'reconnect' })
    await expect.poll(async () => (await rowOf(ops, 'it'))['closed']).toEqual({ reconnect: 2 })
    expect(await rowOf(ops, 'it')).toMatchObject({ hosts: [{ port, connections: 1 }] })
  })

  test('has sizes that were patched be those of the file again, and keeps the connections', async () => {
    const setting = await started()
    const { dev, ops } = setting
    const lease = await dev.lease('it')
    await ops.request('PATCH', '/v1/targets/it', { json: { pool: { max: 9, min: 1 } } })
    expect(await reload(setting)).toMatchObject({ targets: { unchanged: 2 } })
    expect(await rowOf(ops, 'it')).toMatchObject({ connections: { max: 4, min: 0, leased: 1 } })
    await echoed(lease)
    expect(jsonOf(await lease.release())).toMatchObject({ outcome: 'reused' })
  })

  test('ends leases of an address that may not be dialled any more', async () => {
    const setting = await started({ egress: { allow: ['127.0.0.0/8'] } })
    const { service, dev, before, port } = setting
    const there = { host: '127.0.0.1', port }
    const [lease, named] = [await dev.lease(there), await dev.lease('it')]
    await service.configure({ ...before, egress: { allow: ['10.0.0.0/8'] } })
    expect(await reload(setting)).toMatchObject({ leasesEnded: 1 })
    expect(problemOf(await lease.look())).toMatchObject({ status: 410, reason: 'revoked' })
    const refused = await dev.post('/v1/leases', { json: { target: there } })
    expect(problemOf(refused)).toMatchObject({ status: 403, code: 'target_denied' })
    await echoed(named)
    await service.configure(before)
    await reload(setting)
    await echoed(await dev.lease(there))
  })

  test('knows new hosts, origins and bounds', async () => {
    const setting = await started()
    const { service, dev, before } = setting
    const origin = { origin: 'https://console.example' }
    expect(problemOf(await dev.get('/v1/leases', { headers: origin }))).toMatchObject({ code: 'host_denied' })
    await service.configure({
      ...before,
      http: { origins: ['https://console.example'] },
      limits: { ...SOON, leases: 1 },
    })
    await reload(setting)
    expect((await dev.get('/v1/leases', { headers: origin })).status).toBe(200)
    await dev.lease('it')
    const refused = await dev.post('/v1/leases', { json: { target: 'it' } })
    expect(problemOf(refused)).toMatchObject({ status: 503, code: 'queue_full' })
  })

  test('names what needs a restart, each time', async () => {
    const setting = await started()
    const { service, before, ops } = setting
    await service.configure({
      ...before,
      listen: '127.0.0.1:1',
      ioWorkers: 3,
      limits: { ...SOON, bodyBytes: 1 },
    })
    for (let time = 0; time < 2; time++)
      expect(await reload(setting)).toMatchObject({ ignored: ['listen', 'ioWorkers', 'limits.bodyBytes'] })
    expect((await ops.get('/v1/workers')).status).toBe(200)
  })

  test('refuses a file without tokens where none was made at the start', async () => {
    const setting = await started()
    const { service, before, ops } = setting
    await service.configure({ ...before, auth: { tokens: [] } })
    expect(problemOf(await ops.post('/v1/reload'))).toMatchObject({
      status: 400,
      errors: [{ path: 'auth.tokens' }],
    })
  })
})

test('new connections are shown the new certificate', async () => {
  const [first, second] = await Promise.all([makeCertificate('first'), makeCertificate('second')])
  const config = (name: string) => ({
    auth: { tokens: [OPS] },
    limits: SOON,
    http: { tls: { cert: `${name}.pem`, key: `${name}.key` } },
  })
  const files = {
    'first.pem': first.cert,
    'first.key': first.key,
    'second.pem': second.cert,
    'second.key': second.key,
  }
  const service = await startServiceFixture({ config: config('first'), files, finally: onTestFinished })
  const shown = async (): Promise<unknown> => {
    const socket = connect({ host: '127.0.0.1', port: service.port, rejectUnauthorized: false })
    onTestFinished(() => void socket.destroy())
    await once(socket, 'secureConnect')
    return socket.getPeerCertificate().subject.CN
  }
  expect(await shown()).toBe('first')
  await service.configure(config('second'))
  expect(service.reload()).toMatchObject({ ignored: [] })
  expect(await shown()).toBe('second')
  await service.configure({ auth: { tokens: [OPS] }, limits: SOON })
  expect(service.reload()).toMatchObject({ ignored: ['http.tls'] })
  expect(await shown()).toBe('second')
})

/** Lines of the log with this text. */
const logged = (service: ServiceProcess, text: string): Record<string, unknown>[] =>
  service
    .stderr()
    .split('\n')
    .slice(0, -1)
    .map(line => JSON.parse(line))
    .filter(({ msg }) => String(msg).includes(text))

async function startedProcess(): Promise<{ service: ServiceProcess; port: number }> {
  const port = await upstreamPort()
  const service = await startServiceProcess({ config: { targets: { it: targetAt(port) } } })
  onTestFinished(() => service.stop())
  return { service, port }
}

test('SIGHUP reads the file anew, and logs what came of it in one line', async () => {
  const { service, port } = await startedProcess()
  await service.configure({ targets: { it: targetAt(port), more: targetAt(port) } })
  service.signal('SIGHUP')
  await expect
    .poll(() => logged(service, 'holds'))
    .toMatchObject([{ targets: { added: 1, unchanged: 1 }, leasesEnded: 0, ignored: [] }])
  await echoed(await service.api.lease('more'))
  await service.configure('targets: [')
  service.signal('SIGHUP')
  await expect
    .poll(() => logged(service, 'stays as it was'))
    .toMatchObject([{ errors: [{ path: '', message: expect.stringContaining('line 1') }] }])
  await echoed(await service.api.lease('more'))
})

test('the command reads the file anew, and says what came of it', async () => {
  const { service, port } = await startedProcess()
  const sockpool = () =>
    runCommand([process.execPath, CLI, 'reload'], {
      env: { SOCKPOOL_URL: service.url, SOCKPOOL_TOKEN: service.token ?? '' },
    })
  await service.configure({ ioWorkers: 9, targets: { it: targetAt(port, { max: 5 }) } })
  expect(await sockpool()).toMatchObject({
    code: 0,
    stdout:
      'targets: 0 added, 1 changed, 0 removed, 0 unchanged\ntokens: 0 added, 0 changed, 0 removed, 0 unchanged\n' +
      '0 leases ended, 0 connections retired, 0 listeners closed\nneeds a restart: ioWorkers\n',
  })
  await service.configure({ targets: { it: { host: '' } } })
  const refused = await sockpool()
  expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('targets.it.host')])
})
