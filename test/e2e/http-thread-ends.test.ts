/** How what an HTTP thread relays ends: at the client and at the target as it does where one thread serves. */
import { connect } from 'node:net'
import type { Worker } from 'node:worker_threads'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { jsonOf } from '../support/api.ts'
import { Visitor } from '../support/forward-fixture.ts'
import { echoLine, startLineServer } from '../support/line-server.ts'
import { type ServiceFixture, startServiceFixture } from '../support/service-fixture.ts'
import { startTestServer } from '../support/test-server.ts'
import { until, untilSteady } from '../support/until.ts'

type Row = {
  readonly kind: string
  readonly threadId: number
  readonly state: string
  readonly connections: number
}

const workers = new Set<Worker>()
const noteWorker = (worker: Worker): void => {
  workers.add(worker)
  worker.once('exit', () => workers.delete(worker))
}
beforeAll(() => void process.on('worker', noteWorker))
afterAll(() => void process.off('worker', noteWorker))

async function started(port: number): Promise<ServiceFixture> {
  return await startServiceFixture({
    config: {
      http: { threads: 2 },
      limits: { drainTimeout: 0 },
      targets: { it: { host: '127.0.0.1', port, reuse: 'clean', pool: { max: 8 } } },
    },
    finally: onTestFinished,
  })
}

/** A tunnel that is open. */
async function tunnelOf(service: ServiceFixture): Promise<Visitor> {
  const visitor = Visitor.of(connect({ host: '127.0.0.1', port: service.port, allowHalfOpen: true }))
  visitor.write(`CONNECT it:1 HTTP/1.1\r\nHost: it\r\nProxy-Authorization: Bearer ${service.token}\r\n\r\n`)
  await until('there is an answer', () => visitor.text.includes('\r\n\r\n'))
  expect(visitor.text).toMatch(/^HTTP\/1\.1 200 /)
  return visitor
}

async function rowsOf({ api }: ServiceFixture): Promise<readonly Row[]> {
  const { workers: rows } = jsonOf<{ workers: readonly Row[] }>(await api.get('/v1/workers'))
  return rows.filter(({ kind }) => kind === 'http')
}

/** Of all threads together, but for the one that asks. */
async function connectionsOf(service: ServiceFixture): Promise<number> {
  return (await rowsOf(service)).reduce((sum, { connections }) => sum + connections, 0)
}

async function killThreads(service: ServiceFixture): Promise<void> {
  for (const { threadId } of await rowsOf(service))
    await [...workers].find(worker => worker.threadId === threadId)?.terminate()
}

test('a client that takes no bytes is cut by a kill all the same', async () => {
  const flood = Buffer.alloc(1 << 20, 'z')
  const server = await startTestServer(
    socket => {
      const more = (): void => {
        while (socket.writable && socket.write(flood));
      }
      socket.on('drain', more).resume()
      more()
    },
    { tolerant: true },
  )
  const service = await started(server.port)
  const idle = await connectionsOf(service)
  const visitor = await tunnelOf(service)
  visitor.socket.pause()
  const [socket] = server.sockets
  // Nobody takes more of it.
  await untilSteady(() => socket?.bytesWritten ?? 0, 300)
  expect(await connectionsOf(service)).toBe(idle + 1)
  const { leases } = jsonOf<{ leases: { id: string }[] }>(await service.api.get('/v1/leases'))
  await service.api.request('DELETE', `/v1/leases/${leases[0]?.id}?kill=true`)
  while ((await connectionsOf(service)) > idle);
  visitor.socket.resume()
  await visitor.closed
  expect(visitor.error?.code).toBe('ECONNRESET')
})

test('a thread that dies takes along the leases of its tunnels, and ends the calls that it relays; leases stay', async () => {
  const server = await startLineServer(echoLine, { tolerant: true })
  const service = await started(server.port)
  const kept = await service.api.lease('it')
  const reading = kept.call('readline').catch(() => 'its connection is cut')
  await kept.begun('readline')
  const visitors = [await tunnelOf(service), await tunnelOf(service), await tunnelOf(service)]
  expect(service.leases).toBe(4)
  await killThreads(service)
  await Promise.all(visitors.map(({ closed, socket }) => (socket.end(), closed)))
  expect(await reading).toBe('its connection is cut')
  await until('the leases of the tunnels have ended', () => service.leases === 1, 10_000)
  await until('their connections are closed', () => server.sockets.size === 1)
  for (;;) {
    // Until a thread has taken the place of one that died nobody accepts.
    const held = await kept.look().catch(() => null)
    if (held?.status === 200 && jsonOf<{ idleMs: number }>(held).idleMs > 0) break
  }
  await kept.call('write', { body: 'still here\n' })
  expect((await kept.call('readline')).text).toBe('still here\n')
  await kept.release()
})

test('a thread that dies is replaced at once, and a lease is held throughout', async () => {
  const server = await startLineServer(echoLine, { tolerant: true })
  const beginMs = performance.now()
  const service = await started(server.port)
  const startMs = performance.now() - beginMs
  const lease = await service.api.lease('it')
  const before = await rowsOf(service)
  await killThreads(service)
  const deadMs = performance.now()
  for (;;) {
    const rows = await rowsOf(service).catch(() => [])
    if (rows.length === 2 && rows.every(({ state }) => state === 'serving')) break
  }
  const tookMs = performance.now() - deadMs
  expect((await rowsOf(service)).map(({ threadId }) => threadId)).not.toEqual(
    before.map(({ threadId }) => threadId),
  )
  await lease.call('write', { body: 'x\n' })
  expect((await lease.call('readline')).text).toBe('x\n')
  // On a machine that is busy with others a thread takes as long to load its modules as it took at the start.
  expect(tookMs).toBeLessThan(Math.max(1_000, 2 * startMs))
})
