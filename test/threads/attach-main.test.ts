import { Worker } from 'node:worker_threads'
import { expect, onTestFinished, test } from 'vitest'
import { attachPool } from '../../src/library/attach-pool.ts'
import type { PoolOptions } from '../../src/library/create-pool.ts'
import type { AttachedPool } from '../../src/pool/attached/attached-pool.ts'
import type { PoolHandle } from '../../src/threads/attach-protocol.ts'
import { watchLeaks } from '../support/leak-watch.ts'
import { echoLine, startLineServer } from '../support/line-server.ts'
import { targetOf } from '../support/pool-fixture.ts'

/** A pool in a thread of its own, and this thread attached to it. */
async function attachHere(options: PoolOptions): Promise<{ worker: Worker; pool: AttachedPool }> {
  watchLeaks()
  const file = new URL('../fixtures/threads/pool-thread.ts', import.meta.url)
  const worker = new Worker(file, { workerData: options, execArgv: [] })
  onTestFinished(async () => void (await worker.terminate()))
  const handle = await new Promise<PoolHandle>((resolve, reject) => {
    worker.once('message', resolve)
    worker.once('error', reject)
  })
  const pool = attachPool(handle)
  onTestFinished(() => pool.close())
  return { worker, pool }
}

test('the main thread attaches to the pool of another, and may block on it', async () => {
  const server = await startLineServer(echoLine)
  const target = targetOf(server, { reuse: 'clean', pool: { max: 1 } })
  const { worker, pool } = await attachHere({ targets: { it: target } })
  const reply = await pool.exchange('it', { write: 'one\n', read: { line: true } })
  expect(reply).toMatchObject({ reused: false, offset: 0, eof: false })
  expect(reply.data.toString()).toBe('one\n')
  const lease = await pool.lease('it')
  expect(lease.reused).toBe(true)
  expect(await lease.release()).toEqual({ outcome: 'reused', reason: 'clean' })
  // The server is of this thread and cannot answer while it blocks; the pool can.
  const blocking = pool.leaseSync('it')
  expect(blocking.reused).toBe(true)
  expect(blocking.release()).toEqual({ outcome: 'reused', reason: 'clean' })
  expect(await pool.stats()).toMatchObject({ leases: 0, connections: { idle: 1, leased: 0 } })
  const exited = new Promise(resolve => worker.once('exit', resolve))
  worker.postMessage('end')
  expect(await exited).toBe(0)
  await expect(pool.lease('it')).rejects.toMatchObject({ code: 'DRAINING' })
})

test('a lease ends with an error when the thread of its pool is terminated', async () => {
  const server = await startLineServer(() => {}, { tolerant: true })
  const { worker, pool } = await attachHere({ targets: { it: targetOf(server, { reuse: 'clean' }) } })
  const lease = await pool.lease('it')
  const reading = lease.reader.readLine().catch(error => error)
  await worker.terminate()
  expect(await reading).toMatchObject({ code: 'WORKER_LOST' })
  expect(await lease.release()).toEqual({ outcome: 'closed', reason: 'error' })
  await expect(pool.lease('it')).rejects.toMatchObject({ code: 'DRAINING' })
})

test('AttachedPool.close discards what it holds, and the pool goes on', async () => {
  const server = await startLineServer(echoLine)
  const { pool } = await attachHere({ targets: { it: targetOf(server, { reuse: 'clean' }) } })
  const lease = await pool.lease('it')
  const peer = await server.connection()
  const closed = new Promise(resolve => peer.once('close', resolve))
  await pool.close()
  await closed
  expect(lease.gone).toBe('killed')
  await expect(pool.lease('it')).rejects.toMatchObject({ code: 'DRAINING' })
})
