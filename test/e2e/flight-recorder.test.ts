/** Who holds what at a running service: what was done with a connection, and who has held one for too long. */
import { expect, onTestFinished, test } from 'vitest'
import { jsonOf, problemOf } from '../support/api.ts'
import { CLI, runCommand, type ServiceProcess, startServiceProcess } from '../support/service-process.ts'
import { until } from '../support/until.ts'
import { startUpstream, type Upstream } from '../support/upstream.ts'

type Operation = Readonly<Record<'name' | 'at' | 'outcome', string>> &
  Readonly<Record<'ms' | 'bytesIn' | 'bytesOut', number>>
type Connection = { readonly id: string; readonly state: string; readonly operations: readonly Operation[] }

async function started(more: object = {}): Promise<{ service: ServiceProcess; upstream: Upstream }> {
  const upstream = await startUpstream()
  onTestFinished(() => upstream.close())
  const { host, port } = upstream
  const service = await startServiceProcess({
    config: { targets: { it: { host, port, reuse: 'clean', ...more } } },
  })
  onTestFinished(() => service.stop())
  return { service, upstream }
}

const sockpool = (service: ServiceProcess, ...args: string[]) =>
  runCommand([process.execPath, CLI, ...args], {
    env: { SOCKPOOL_URL: service.url, SOCKPOOL_TOKEN: service.token ?? '' },
  })

test('a connection tells an admin what was done with it over its leases', async () => {
  const { service, upstream } = await started()
  const { api } = service
  const first = await api.lease('it')
  const { id, localPort } = first.view.connection
  const peer = await upstream.from(localPort)
  await first.call('write', { body: 'hello\n' })
  await peer.send('world\nmore\n')
  expect((await first.call('readline')).text).toBe('world\n')
  expect(problemOf(await first.call('readexactly?n=9&timeoutMs=50')).code).toBe('read_timeout')
  const look = async (): Promise<Connection> => jsonOf<Connection>(await api.get(`/v1/connections/${id}`))
  const { operations, ...row } = await look()
  const { connections } = jsonOf<{ connections: readonly object[] }>(await api.get('/v1/connections'))
  expect(Object.keys(connections[0] ?? {}).sort()).toEqual(Object.keys(row).sort())
  expect(row).toMatchObject({ id, target: 'it', state: 'leased', lastOperation: 'readexactly' })
  const whole = { at: expect.stringMatching(/^\d{4}-.*Z$/), ms: expect.any(Number), bytesIn: 0, bytesOut: 0 }
  expect(operations).toEqual([
    { ...whole, name: 'connect', outcome: 'ok' },
    { ...whole, name: 'lease', outcome: 'ok' },
    { ...whole, name: 'write', bytesOut: 6, outcome: 'ok' },
    { ...whole, name: 'readline', bytesIn: 6, outcome: 'ok' },
    { ...whole, name: 'readexactly', outcome: 'read_timeout' },
  ])
  const json = await sockpool(service, 'connection', id, '-o', 'json')
  expect(JSON.parse(json.stdout)).toMatchObject({ id, operations })
  const table = await sockpool(service, 'connection', id)
  expect(table.stdout).toMatch(
    /^id +target .*\nc1 +it .*\n\nname +at +ms +bytesIn +bytesOut +outcome\nconnect /,
  )
  expect(table.stdout.trimEnd()).toMatch(/\nreadexactly .* read_timeout$/)
  expect(`${json.stdout}${table.stdout}`).not.toContain(first.view.id)
  await first.release()
  const unknown = await sockpool(service, 'connection', 'c999')
  expect([unknown.code, unknown.stderr]).toEqual([1, expect.stringContaining('no connection has this id')])
  expect(problemOf(await api.get('/v1/connections/c999'))).toMatchObject({
    status: 404,
    code: 'connection_not_found',
  })
})

test('the stats are shown a number in a row', async () => {
  const { service } = await started()
  await service.api.lease('it')
  const { stdout } = await sockpool(service, 'stats')
  for (const row of [
    'leases 1',
    'connections.leased 1',
    'connections.idle 0',
    'parse.busy 0',
    'memory.rss \\d+',
  ])
    expect(stdout).toMatch(new RegExp(`\\n${row.replace(' ', ' +')}\\n`))
  expect((await sockpool(service, 'stats', 'parse')).stdout).toMatch(
    /^key +value\nparse.workers +1\nparse.busy +0\nparse.queued +0\nparse.inPlace +0\n$/,
  )
})

test('a lease that is held for too long is logged with its holder, its route and its trace, and again when it is back', async () => {
  const { service, upstream } = await started({ leakDetection: 100 })
  const trace = '0af7651916cd43dd8448eb211c80319c'
  const headers = { traceparent: `00-${trace}-b7ad6b7169203331-01` }
  const answer = await service.api.post('/v1/leases', { json: { target: 'it' }, headers })
  const lease = service.api.held(jsonOf(answer))
  const peer = await upstream.from(lease.view.connection.localPort)
  await lease.call('write', { body: 'abc' })
  await peer.send('hi\n')
  await lease.call('readline')
  const told = (): readonly Readonly<Record<string, unknown>>[] =>
    service
      .stderr()
      .split('\n')
      .filter(line => line.includes('leakDetection'))
      .map(line => JSON.parse(line))
  await until('the leak is logged', () => told().length === 1)
  await lease.release()
  await until('its end is logged', () => told().length === 2)
  const report = {
    target: 'it',
    tenant: 'generated',
    connection: lease.view.connection.id,
    route: 'POST /v1/leases',
    traceId: trace,
  }
  expect(told()).toMatchObject([report, report])
  expect(told()[1]).toMatchObject({
    lastOperation: 'readline',
    idleMs: expect.any(Number),
    ageMs: expect.any(Number),
    bytesIn: 3,
    bytesOut: 3,
  })
  expect(service.stderr()).not.toContain(lease.view.id)
})
