import { createServer } from 'node:net'
import { expect, test } from 'vitest'
import { openPool } from '../support/pool-fixture.ts'
import { echo, startTestServer } from '../support/test-server.ts'

/** A port of this machine that nobody listens on. */
async function refusedPort(): Promise<number> {
  const server = createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise(resolve => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('the server had no port')
  return address.port
}

test('callers that try again and again do not have a refused target dialled again and again', async () => {
  const target = { host: '127.0.0.1', port: await refusedPort() }
  const pool = await openPool({ targets: { down: target } })
  const codes = new Map<string, number>()
  const callers = Array.from({ length: 32 }, async () => {
    for (let count = 0; count < 30; count++) {
      const code = await pool.lease('down').catch(({ code: own }) => own)
      codes.set(code, (codes.get(code) ?? 0) + 1)
    }
  })
  await Promise.all(callers)
  expect([...codes.keys()].sort()).toEqual(['BREAKER_OPEN', 'CONNECT_REFUSED'])
  const [worker] = (await pool.workers()) as readonly { id: number; dialled?: number }[]
  // Of 960 calls; ten at once are under way when the breaker opens.
  expect(worker?.dialled).toBeLessThan(20)
  expect(pool.targets()).toMatchObject([{ name: 'down', breaker: 'open' }])
})

test('a host that is dead is remembered, and not dialled first again', async () => {
  const server = await startTestServer(echo)
  const hosts = [
    { host: '127.0.0.1', port: await refusedPort() },
    { host: server.host, port: server.port },
  ]
  const pool = await openPool({ targets: { two: { hosts, balance: 'priority' } } })
  const dialled = async (): Promise<number> => {
    const [worker] = (await pool.workers()) as readonly { id: number; dialled?: number }[]
    return worker?.dialled ?? 0
  }
  for (let count = 0; count < 3; count++) await pool.use('two', () => {})
  expect(await dialled()).toBe(6)
  expect(pool.targets()).toMatchObject([{ hosts: [{ ...hosts[0], state: 'ejected' }, { state: 'up' }] }])
  await pool.use('two', () => {})
  expect(await dialled()).toBe(7)
})

test('a described target hears each refusal itself', async () => {
  const target = { host: '127.0.0.1', port: await refusedPort() }
  const pool = await openPool()
  for (let count = 0; count < 12; count++)
    await expect(pool.lease(target)).rejects.toMatchObject({ code: 'CONNECT_REFUSED' })
})
