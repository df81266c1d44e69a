import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { openPool } from '../support/pool-fixture.ts'

/** The niceness of each thread of this process, by number. */
function niceness(): Map<string, number> {
  const fieldOf = (thread: string): string =>
    readFileSync(`/proc/self/task/${thread}/stat`, 'utf8').split(') ').at(-1)?.split(' ')[16] ?? ''
  return new Map(readdirSync('/proc/self/task').map(thread => [thread, Number(fieldOf(thread))]))
}

test.runIf(process.platform === 'linux')('a parse thread gives way to those that serve', async () => {
  const before = niceness()
  const pool = await openPool()
  await pool.lease('none').catch(() => 'there is no target, and the I/O workers run')
  // Long enough for a thread.
  expect(await pool.parse('json', Buffer.from(`[1,2]${' '.repeat(2_000)}`))).toEqual([[1, 2]])
  const now = niceness()
  const nicer = [...now].filter(([thread, nice]) => nice > (before.get(thread) ?? 0))
  expect(nicer.map(([, nice]) => nice)).toEqual([5])
  expect(now.get(String(process.pid))).toBe(before.get(String(process.pid)))
})
