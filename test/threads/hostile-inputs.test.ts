/** Each hostile input ends by a limit, a failure with its place or its deadline, and harms nobody beside it. */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { SockpoolError } from '../../src/base/errors.ts'
import { createPool } from '../../src/library/create-pool.ts'
import type { Pool } from '../../src/pool/pool.ts'
import { HOSTILE_INPUTS } from '../support/hostile-inputs.ts'

const TIMEOUT_MS = 10_000
const BACKTRACKING = new URL('../fixtures/parse/backtracking-format.ts', import.meta.url)
/** A document that no thread has at hand in place. */
const BYSTANDER = Buffer.from(JSON.stringify({ text: 'x'.repeat(10_000) }))

function poolWith(parseIsolation: 'thread' | 'process'): Promise<Pool> {
  return createPool({ parseWorkers: 2, parseIsolation, formats: { backtracking: BACKTRACKING } })
}

/** How it ended, and the milliseconds that took, less what this thread itself was held up. */
async function ended(
  pool: Pool,
  format: string,
  bytes: Buffer,
  options: object | undefined,
  timeoutMs: number,
): Promise<{ readonly error: SockpoolError; readonly ms: number }> {
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  const began = performance.now()
  const error = await pool.parse(format, bytes, options, { timeoutMs }).then(
    values => expect.unreachable(`it has ${values.length} values`),
    (failure: SockpoolError) => failure,
  )
  const ms = performance.now() - began - delay.max / 1e6
  delay.disable()
  return { error, ms }
}

describe.each(['thread', 'process'] as const)('with isolation %s', isolation => {
  let pool: Pool

  beforeAll(async () => {
    pool = await poolWith(isolation)
  })
  afterAll(() => pool.close())

  test.each(HOSTILE_INPUTS)('$format: $name ends where it is', async ({ format, options, bytes }) => {
    const beside = pool.parse('json', BYSTANDER)
    const { error, ms } = await ended(pool, format, bytes(), options, TIMEOUT_MS)
    expect(['PARSE_LIMIT', 'PARSE_FAILED'], `${error.code}: ${error.message}`).toContain(error.code)
    expect(error.offset, error.message).toEqual(expect.any(Number))
    expect(ms).toBeLessThan(TIMEOUT_MS + 200)
    expect(await beside).toHaveLength(1)
    expect(await pool.parse('json', BYSTANDER)).toHaveLength(1)
  })

  test('a pattern that never ends is ended at its deadline, and the next parse goes on', async () => {
    const input = Buffer.from(`${'a'.repeat(60)}b`)
    // The first parse starts the worker, which takes its time.
    expect(await pool.parse('backtracking', Buffer.from('a'))).toEqual([true])
    const { error, ms } = await ended(pool, 'backtracking', input, undefined, 500)
    expect(error).toMatchObject({ code: 'PARSE_TIMEOUT', reason: 'running' })
    expect(ms).toBeLessThan(700)
    expect(await pool.parse('json', BYSTANDER)).toHaveLength(1)
  })
})
