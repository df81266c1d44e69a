import { expect, test } from 'vitest'
import type { Lease } from '../../src/pool/lease/lease.ts'
import type { Pool } from '../../src/pool/pool.ts'
import { echoLine, startLineServer } from '../support/line-server.ts'
import { poolCounts } from '../support/open-connections.ts'
import { openPool, targetOf } from '../support/pool-fixture.ts'
import { echo, startTestServer } from '../support/test-server.ts'
import { until } from '../support/until.ts'

/** A generator of its own, so that a run that failed can be run again. */
function randomOf(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff
    return state / 0x80000000
  }
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise(resolve => setImmediate(resolve))
}

function expectAllFree(pool: Pool): void {
  expect(pool.stats()).toMatchObject({ leases: 0, waiters: 0 })
  const [target] = pool.targets()
  expect(target?.connections).toMatchObject({ leased: 0, connecting: 0, quarantined: 0, closing: 0 })
}

const CODES_OF_CANCEL = ['ABORTED', 'LEASE_GONE', 'READ_TIMEOUT', 'WAIT_TIMEOUT']

test('a storm of cancels at every await leaves no slot behind', async () => {
  const server = await startLineServer(echoLine)
  const pool = await openPool({
    ioWorkers: 2,
    targets: { it: targetOf(server, { reuse: 'clean', pool: { max: 16 } }) },
  })
  // The threads have started.
  await pool.use('it', () => {})
  const random = randomOf(42)
  // As long as a hundred calls take on this machine, most of them end while others are cancelled.
  const startedMs = performance.now()
  const alone = async ({ reader, writer }: Lease): Promise<void> => {
    writer.write('alone\n')
    await reader.readLine()
  }
  await Promise.all(Array.from({ length: 100 }, () => pool.use('it', alone)))
  const spanMs = Math.max(80, 2 * (performance.now() - startedMs))
  let cancelled = 0
  let finished = 0
  const one = async (index: number): Promise<void> => {
    const controller = new AbortController()
    const { signal } = controller
    // From "before it began" to "long after it ended", through every await between.
    const isEarly = random() < 0.4
    const lives = isEarly
      ? turns(random() * 20)
      : new Promise(resolve => setTimeout(resolve, random() * spanMs))
    const leaving = lives.then(() => controller.abort())
    try {
      await pool.use(
        'it',
        async ({ reader, writer }) => {
          writer.write(`${index}\n`)
          await writer.drain({ signal })
          expect((await reader.readLine({ signal })).toString()).toBe(`${index}\n`)
        },
        { signal },
      )
      finished++
    } catch (error) {
      if (!CODES_OF_CANCEL.includes((error as { code: string }).code)) throw error
      cancelled++
    }
    await leaving
  }
  for (let wave = 0; wave < 10; wave++)
    await Promise.all(Array.from({ length: 100 }, (_, index) => one(wave * 100 + index)))
  await until('nothing was on its way', () => {
    const { connecting, quarantined, closing } = pool.targets()[0]?.connections ?? {}
    return connecting === 0 && quarantined === 0 && closing === 0
  })
  expectAllFree(pool)
  expect(cancelled).toBeGreaterThan(100)
  expect(finished).toBeGreaterThan(100)
  // All sixteen can be had at once.
  const leases = await Promise.all(Array.from({ length: 16 }, () => pool.lease('it', { waitMs: 2_000 })))
  expect(new Set(leases.map(lease => lease.connection.id)).size).toBe(16)
})

test('an aborted exchange closes its connection and ends at once', async () => {
  const { promise: asked, resolve: ask } = Promise.withResolvers<string>()
  const server = await startLineServer(ask)
  const pool = await openPool({ targets: { it: targetOf(server, { reuse: 'clean' }) } })
  const controller = new AbortController()
  const exchange = pool.exchange('it', { write: 'x\n', read: { line: true }, signal: controller.signal })
  expect(await asked).toBe('x')
  controller.abort()
  await expect(exchange).rejects.toMatchObject({ code: 'ABORTED', name: 'AbortError' })
  await until('it was closed', () => poolCounts(pool).connections === 0)
})

test('a lease whose signal has fired is never handed out', async () => {
  const server = await startLineServer(echoLine)
  const pool = await openPool({ targets: { it: targetOf(server, { reuse: 'clean', pool: { max: 1 } }) } })
  await expect(pool.lease('it', { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ABORTED' })
  await (await pool.lease('it')).release()
  // The connection comes free in the very turn in which the caller leaves.
  await expect(pool.lease('it', { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ABORTED' })
  await until('it was back', () => pool.targets()[0]?.connections.quarantined === 0)
  expectAllFree(pool)
})

test('no more leases are held than limits.leases, however many ask at once', async () => {
  const server = await startTestServer(echo)
  const pool = await openPool({
    limits: { leases: 3 },
    targets: { it: targetOf(server, { reuse: 'clean', pool: { max: 10 } }) },
  })
  const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => pool.lease('it')))
  const refused = outcomes.flatMap(outcome => (outcome.status === 'rejected' ? [outcome.reason.code] : []))
  expect(refused).toEqual(Array.from({ length: 5 }, () => 'QUEUE_FULL'))
  expect(pool.stats().leases).toBe(3)
})

test('waiters are bounded over all targets together', async () => {
  const server = await startTestServer(echo)
  const pool = await openPool({
    limits: { waiters: 2 },
    targets: { a: targetOf(server, { pool: { max: 1 } }), b: targetOf(server, { pool: { max: 1 } }) },
  })
  await Promise.all([pool.lease('a'), pool.lease('b')])
  const waiting = [pool.lease('a'), pool.lease('b')].map(lease => lease.catch(error => error))
  await expect(pool.lease('a')).rejects.toMatchObject({ code: 'QUEUE_FULL' })
  const closed = pool.close()
  for (const outcome of await Promise.all(waiting)) expect(outcome).toMatchObject({ code: 'DRAINING' })
  await closed
})

test('close waits for leases as long as it is told, and takes back what is released meanwhile', async () => {
  const server = await startLineServer(echoLine)
  const pool = await openPool({ targets: { it: targetOf(server, { reuse: 'clean' }) } })
  const lease = await pool.lease('it')
  const closed = pool.close({ drainMs: 5_000 })
  await expect(pool.lease('it')).rejects.toMatchObject({ code: 'DRAINING' })
  lease.writer.write('still here\n')
  expect((await lease.reader.readLine()).toString()).toBe('still here\n')
  expect((await lease.release()).outcome).toBe('closed')
  await closed
  await pool.close()
})

test('close kills what is held when the time is up', async () => {
  const server = await startTestServer(echo)
  const pool = await openPool({ targets: { it: targetOf(server) } })
  const lease = await pool.lease('it')
  const reading = lease.reader.read(1).catch(error => error)
  await pool.close({ drainMs: 30 })
  expect(lease.gone).toBe('killed')
  expect(await reading).toMatchObject({ code: 'LEASE_GONE', reason: 'killed' })
})

test('close in the turn in which a lease is asked for or served leaves nobody waiting', async () => {
  const server = await startLineServer(echoLine)
  for (let delay = 0; delay < 6; delay++) {
    const pool = await openPool({ targets: { it: targetOf(server, { reuse: 'clean', pool: { max: 1 } }) } })
    const first = await pool.lease('it')
    const second = pool.lease('it').catch(error => error)
    void first.release()
    await turns(delay)
    await pool.close()
    const outcome = await second
    if ('code' in outcome) expect(outcome).toMatchObject({ code: 'DRAINING' })
    else expect(outcome.gone).toBe('killed')
    const early = await openPool({ targets: { it: targetOf(server, { pool: { max: 1 } }) } })
    const dialling = early.lease('it').catch(error => error)
    await turns(delay)
    await early.close()
    expect(await dialling).toBeDefined()
  }
})

test('the stamp of one lease is never another’s, whatever is cancelled, with reuse: clean', async () => {
  // Answers come at once or up to some milliseconds late, always in order, as a protocol of lines has them.
  const random = randomOf(7)
  const server = await startTestServer(socket => {
    let chain = Promise.resolve()
    let rest = ''
    socket.setEncoding('utf8')
    socket.on('data', (text: string) => {
      const lines = (rest + text).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) {
        const delayMs = random() < 0.1 ? random() * 4 : 0
        chain = chain.then(async () => {
          if (delayMs > 0) await new Promise(resolve => setTimeout(resolve, delayMs))
          if (!socket.destroyed) socket.write(`${line}\n`)
        })
      }
    })
  })
  const pool = await openPool({
    ioWorkers: 2,
    targets: { it: targetOf(server, { reuse: 'clean', pool: { max: 24 } }) },
  })
  const LEASES = 5_000
  const reasons = new Map<string, number>()
  let next = 0
  const caller = async (): Promise<void> => {
    while (next < LEASES) {
      const stamp = next++
      const lease = await pool.lease('it', { tenant: random() < 0.5 ? 'a' : 'b' })
      const requests = 1 + Math.floor(random() * 3)
      try {
        for (let request = 0; request < requests; request++) {
          const line = `${stamp}.${request}\n`
          lease.writer.write(line)
          const fate = random()
          const timeoutMs = fate < 0.15 ? random() * 2 : 5_000
          const controller = new AbortController()
          const signal = fate > 0.9 ? controller.signal : undefined
          if (signal) setImmediate(() => controller.abort())
          expect((await lease.reader.readLine({ timeoutMs, signal })).toString()).toBe(line)
        }
      } catch (error) {
        if (!['READ_TIMEOUT', 'ABORTED'].includes((error as { code: string }).code)) throw error
      }
      const { reason } = await (random() < 0.05 ? lease.discard() : lease.release())
      reasons.set(reason, (reasons.get(reason) ?? 0) + 1)
    }
  }
  await Promise.all(Array.from({ length: 48 }, caller))
  expect([...reasons.values()].reduce((sum, count) => sum + count, 0)).toBe(LEASES)
  expect(reasons.get('clean')).toBeGreaterThan(LEASES / 3)
  expect(reasons.get('timed_out')).toBeGreaterThan(LEASES / 50)
  expect([...reasons.keys()].sort()).toEqual(['clean', 'discarded', 'timed_out'])
})
