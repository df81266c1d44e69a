/** An operator at a running service: the verbs and the rows, by the command and over REST. */
import { describe, expect, onTestFinished, test } from 'vitest'
import { jsonOf, problemOf } from '../support/api.ts'
import { CLI, runCommand, type ServiceProcess, startServiceProcess } from '../support/service-process.ts'
import { startUpstream } from '../support/upstream.ts'

async function started(): Promise<ServiceProcess> {
  const upstream = await startUpstream()
  onTestFinished(() => upstream.close())
  const { host, port } = upstream
  const service = await startServiceProcess({
    config: { targets: { it: { host, port, reuse: 'clean', pool: { max: 4 } } } },
  })
  onTestFinished(() => service.stop())
  return service
}

/** The command at the service, by the environment alone. */
const sockpool = (service: ServiceProcess, ...args: string[]) =>
  runCommand([process.execPath, CLI, ...args], {
    env: { SOCKPOOL_URL: service.url, SOCKPOOL_TOKEN: service.token ?? '' },
  })

test('a target is paused, looked at, resized and resumed from the shell', async () => {
  const service = await started()
  const lease = await service.api.lease('it')
  expect(await sockpool(service, 'pause', 'it')).toMatchObject({
    code: 0,
    stdout: 'it is paused: 0 closed, 0 refused, 1 leased, 0 waiters\n',
  })
  const rows = await sockpool(service, 'targets', 'it')
  expect(rows.stdout).toMatch(/^name +state +breaker .*\nit +paused +closed .* 4\n$/)
  expect(await sockpool(service, 'resize', 'it', '--max', '2')).toMatchObject({ code: 0 })
  expect(await sockpool(service, 'resume', 'it', '-o', 'json')).toMatchObject({
    code: 0,
    stdout: '{"state":"active","closed":0,"refused":0,"leased":1,"waiters":0}\n',
  })
  const [target] = JSON.parse((await sockpool(service, 'targets', '-o', 'json')).stdout)
  expect(target).toMatchObject({ name: 'it', state: 'active', connections: { leased: 1, max: 2 } })
  expect(await sockpool(service, 'kill', lease.view.connection.id)).toMatchObject({
    code: 0,
    stdout: 'killed the connection\n',
  })
  expect(problemOf(await lease.call('readline'))).toMatchObject({ status: 410, reason: 'killed' })
})

test.each([['connections'], ['leases'], ['workers'], ['stats']])(
  '%s are shown as a table and as JSON',
  async what => {
    const service = await started()
    const { id } = (await service.api.lease('it')).view
    const [table, json] = await Promise.all([sockpool(service, what), sockpool(service, what, '-o', 'json')])
    expect([table.code, json.code]).toEqual([0, 0])
    expect(table.stdout.trimEnd().split('\n').length).toBeGreaterThan(1)
    expect(JSON.parse(json.stdout)).toBeTypeOf('object')
    // Whoever has the id has the lease.
    expect(table.stdout).not.toContain(id)
  },
)

describe('a verb that cannot be done', () => {
  test.each([
    [['pause', 'no-such'], 1, /no target of this name/],
    [['kill', 'no-such'], 1, /no connection and no lease/],
    [['resize', 'it'], 2, /--min, --max or both/],
    [['resize', 'it', '--min', 'x'], 2, /whole number/],
    [['resize', 'it', '--min', '9'], 1, /pool.min/],
    [['wait-close'], 2, /missing required argument/],
  ])('%j says why', async (args, code, reason) => {
    const service = await started()
    const run = await sockpool(service, ...args)
    expect(run.code).toBe(code)
    expect(run.stderr).toMatch(reason)
  })
})

test('a read that waits when its lease is killed hears of it, with the reason', async () => {
  const service = await started()
  const lease = await service.api.lease('it')
  const reading = lease.call('readline')
  const last = async (): Promise<unknown> =>
    jsonOf<Record<string, unknown>>(await service.api.get(`/v1/leases/${lease.view.id}`))['lastOperation']
  await expect.poll(last).toBe('readline')
  await service.api.request('DELETE', `/v1/leases/${lease.view.id}?kill=true`)
  expect(problemOf(await reading)).toMatchObject({ status: 410, code: 'lease_gone', reason: 'killed' })
})
