/** How far a parse is, while its thread works: told in shared words, and of long ones as an event and a row. */
import { afterEach, describe, expect, test } from 'vitest'
import type { LongParse } from '../../src/base/parse-load.ts'
import { ParseProgress } from '../../src/channel/parse-progress.ts'
import { LongWork } from '../../src/parse/long-work.ts'
import { TaskPool } from '../../src/parse/task-pool.ts'
import { ThreadEngine } from '../../src/parse/thread-engine.ts'
import { workerFile } from '../../src/threads/worker-file.ts'

const pools: TaskPool[] = []

afterEach(async () => {
  for (const pool of pools.splice(0)) await pool.close()
})

describe('the progress of a parse', () => {
  test('is noted by the thread that works', async () => {
    const file = workerFile('parse-worker')
    const pool = new TaskPool(new ThreadEngine({ file, threadsMax: 1 }), {
      threadsMax: 1,
      tenantThreadsMax: 1,
      queueMax: 1,
    })
    pools.push(pool)
    const bytes = new Uint8Array(Buffer.from('{"a":1}\n'.repeat(1_000)))
    const { length } = bytes
    const progress = new ParseProgress()
    const form = { kind: 'parcel' } as const
    const { memory } = progress
    const task = {
      kind: 'bytes',
      format: 'ndjson',
      options: {},
      form,
      bytes,
      bytesMax: length,
      progress: memory,
    } as const
    expect([progress.bytes, progress.values]).toEqual([0, 0])
    await pool.run(task, { what: 'parse()', timeoutMs: 30_000 })
    expect([progress.bytes, progress.values]).toEqual([length, 1_000])
  })

  test('is told once a second of a parse that takes longer, and shown for as long', async () => {
    const told: LongParse[] = []
    const { promise: over, resolve: finish } = Promise.withResolvers<void>()
    const { promise: heard, resolve: hear } = Promise.withResolvers<void>()
    const work = new LongWork(parse => {
      told.push(parse)
      hear()
    })
    const running = work.follow('ndjson', 100, async memory => {
      new ParseProgress(memory).note(40, 4)
      await over
      return 'values'
    })
    expect(work.rows).toEqual([])
    // The timer of it keeps no process alive, so this does.
    const held = setInterval(() => {}, 1_000)
    await heard
    clearInterval(held)
    const row = { format: 'ndjson', bytes: 100, bytesDone: 40, values: 4 }
    expect(told).toMatchObject([row])
    expect(told[0]?.ms).toBeGreaterThanOrEqual(1_000)
    expect(work.rows).toMatchObject([row])
    finish()
    expect(await running).toBe('values')
    expect(work.rows).toEqual([])
  })
})
