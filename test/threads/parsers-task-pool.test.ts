import { afterEach, expect, test } from 'vitest'
import { SockpoolError } from '../../src/base/errors.ts'
import { LIMITS } from '../../src/base/limits.ts'
import type { ParseTask } from '../../src/parse/formats/parse-task.ts'
import { TaskPool } from '../../src/parse/task-pool.ts'
import { ThreadEngine } from '../../src/parse/thread-engine.ts'
import type { Deed } from '../fixtures/parse/user-module.ts'
import { gatedWords } from '../support/gated-words.ts'

const USER = new URL('../fixtures/parse/user-module.ts', import.meta.url)

const opened: TaskPool[] = []

afterEach(async () => {
  for (const pool of opened.splice(0)) await pool.close()
})

function open(): TaskPool {
  const file = new URL('../fixtures/parse/memory-worker.ts', import.meta.url)
  const pool = new TaskPool(new ThreadEngine({ file, threadsMax: 1 }), {
    threadsMax: 1,
    tenantThreadsMax: 1,
    queueMax: 10,
  })
  opened.push(pool)
  return pool
}

const taskOf = (argument: Deed): ParseTask => ({ kind: 'run', module: USER.href, argument })

/** A task that holds its thread until `release`, and is aborted with the recall while it does. */
async function abortRunning(pool: TaskPool, recall: () => boolean) {
  const controller = new AbortController()
  const { words, begun } = gatedWords()
  const call = { what: 'the task', timeoutMs: 60_000, signal: controller.signal, recall }
  const outcome = pool.run(taskOf({ do: 'gate', gate: words }), call).catch((error: unknown) => error)
  await begun
  controller.abort()
  const release = (): void => {
    const view = new Int32Array(words)
    Atomics.store(view, 1, 1)
    Atomics.notify(view, 1)
  }
  return { outcome, release }
}

const echo = (pool: TaskPool): Promise<unknown> =>
  pool.run(taskOf({ do: 'echo', value: 'next' }), { what: 'the next task', timeoutMs: 60_000 })

test('TaskPool takes the reply of a task that heeds its recall', async () => {
  const pool = open()
  const { outcome, release } = await abortRunning(pool, () => true)
  release()
  expect(await outcome).toMatchObject({ outcome: { ok: true, value: 'through' } })
  expect(pool.stats()).toMatchObject({ threads: 1, aborted: 1, completed: 0, died: 0 })
})

test('TaskPool ends the thread of a task that does not heed its recall', async () => {
  const pool = open()
  const { outcome } = await abortRunning(pool, () => true)
  expect(await outcome).toMatchObject({ code: 'ABORTED', reason: 'running' })
  expect(await echo(pool)).toMatchObject({ outcome: { value: 'next' } })
  expect(pool.stats()).toMatchObject({ aborted: 1, completed: 1, running: 0 })
})

test('TaskPool keeps no caller waiting whose task will do nothing, and keeps its thread', async () => {
  const pool = open()
  const { outcome, release } = await abortRunning(pool, () => false)
  expect(await outcome).toMatchObject({ code: 'ABORTED', reason: 'queued', retryable: true })
  expect(pool.stats()).toMatchObject({ running: 1, aborted: 1 })
  release()
  expect(await echo(pool)).toMatchObject({ outcome: { value: 'next' } })
  expect(pool.stats()).toMatchObject({ threads: 1, running: 0, completed: 1, died: 0 })
})

test('TaskPool tells the caller of a recall that throws', async () => {
  const pool = open()
  const fault = new RangeError('no such channel')
  const { outcome } = await abortRunning(pool, () => {
    throw fault
  })
  const error = await outcome
  expect(error).toBeInstanceOf(SockpoolError)
  expect(error).toMatchObject({ code: 'INTERNAL', cause: fault })
  expect(await echo(pool)).toMatchObject({ outcome: { value: 'next' } })
})

test('TaskPool.threadGone resolves for a thread that is not there', async () => {
  await open().threadGone(987_654)
})

test('TaskPool bounds the bytes that wait for a thread', async () => {
  const pool = open()
  const { words, begun } = gatedWords()
  const running = pool.run(taskOf({ do: 'gate', gate: words }), { what: 'the first', timeoutMs: 60_000 })
  await begun
  const large = (): ArrayBuffer => new ArrayBuffer(LIMITS.parseQueueBytesMax / 2 + 1)
  const waiting = pool.run(taskOf({ do: 'thread' }), {
    what: 'the second',
    timeoutMs: 60_000,
    transfer: [large()],
  })
  const refused = pool.run(taskOf({ do: 'thread' }), { what: 'x', timeoutMs: 60_000, transfer: [large()] })
  await expect(refused).rejects.toMatchObject({ code: 'QUEUE_FULL' })
  expect(pool.stats()).toMatchObject({ waiting: 1, refused: 1 })
  const view = new Int32Array(words)
  Atomics.store(view, 1, 1)
  Atomics.notify(view, 1)
  await Promise.all([running, waiting])
})

test('TaskPool keeps half of the room that waits for others than one tenant', async () => {
  const pool = open()
  const { words, begun } = gatedWords()
  const running = pool.run(taskOf({ do: 'gate', gate: words }), { what: 'the first', timeoutMs: 60_000 })
  await begun
  const ask = (tenant: string | undefined, transfer: ArrayBuffer[] = []): Promise<unknown> =>
    pool.run(taskOf({ do: 'echo', value: tenant }), { what: 'x', timeoutMs: 60_000, tenant, transfer })
  const greedy = Array.from({ length: 5 }, () => ask('greedy'))
  const full = { code: 'QUEUE_FULL', message: '5 parse tasks of this tenant are waiting already' }
  await expect(ask('greedy')).rejects.toMatchObject(full)
  const others = [ask('other'), ask(undefined)]
  const quarter = (): ArrayBuffer => new ArrayBuffer(LIMITS.parseQueueBytesMax / 4 + 1)
  const large = ask('large', [quarter()])
  const bytes = {
    code: 'QUEUE_FULL',
    message: `${LIMITS.parseQueueBytesMax / 2} bytes of parse tasks of this tenant are waiting already`,
  }
  await expect(ask('large', [quarter()])).rejects.toMatchObject(bytes)
  expect(pool.stats()).toMatchObject({ waiting: 8, refused: 2 })
  const view = new Int32Array(words)
  Atomics.store(view, 1, 1)
  Atomics.notify(view, 1)
  await Promise.all([running, ...greedy, ...others, large])
})
