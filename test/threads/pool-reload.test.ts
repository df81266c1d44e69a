/** A library's pool is told anew what it is to be; what a service makes of that is in e2e. */
import { expect, test } from 'vitest'
import { echoLine, startLineServer } from '../support/line-server.ts'
import { openPool, targetOf } from '../support/pool-fixture.ts'

test('reload ends what may not go on, on every end of it, and leaves the rest', async () => {
  const server = await startLineServer(echoLine)
  const it = targetOf(server, { reuse: 'clean' })
  const pool = await openPool({ targets: { it, other: it } })
  const [gone, kept] = [await pool.lease('it'), await pool.lease('other')]
  const reading = gone.reader.readLine().catch((error: unknown) => error)
  expect(pool.reload({ targets: { other: it } })).toEqual({
    leasesEnded: 1,
    connectionsRetired: 0,
    listenersClosed: 0,
  })
  expect(gone.gone).toBe('revoked')
  expect(await reading).toMatchObject({ code: 'LEASE_GONE', reason: 'revoked' })
  expect(() => gone.writer.write('x')).toThrow(expect.objectContaining({ reason: 'revoked' }))
  await expect(pool.lease('it')).rejects.toMatchObject({ code: 'TARGET_NOT_FOUND' })
  const described = await pool.lease({ host: server.host, port: server.port })
  const mayUse = (_tenant: string, target: string | null): boolean => target !== null
  expect(pool.reload({ mayUse })).toEqual({ leasesEnded: 1, connectionsRetired: 0, listenersClosed: 0 })
  expect([described.gone, kept.gone]).toEqual(['revoked', null])
  kept.writer.write('x\n')
  expect((await kept.reader.readLine()).toString()).toBe('x\n')
})

test.each([
  [{ targets: { it: { host: '', port: 1 } } }, 'targets.it.host'],
  [{ limits: { leases: 0 } }, 'limits.leases'],
  [{ egress: { allow: ['*'] } }, 'egress'],
])('reload refuses %j, and changes nothing', async (more, path) => {
  const server = await startLineServer(echoLine)
  const it = targetOf(server, { reuse: 'clean' })
  const pool = await openPool({ targets: { it } })
  const lease = await pool.lease('it')
  expect(() => pool.reload({ targets: {}, ...more } as never)).toThrow(
    expect.objectContaining({ code: 'INVALID_REQUEST', errors: [expect.objectContaining({ path })] }),
  )
  expect(lease.gone).toBeNull()
  expect(pool.targets().map(({ name }) => name)).toEqual(['it'])
})
