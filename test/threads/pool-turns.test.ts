import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { startLineServer } from '../support/line-server.ts'
import { openPool, targetOf } from '../support/pool-fixture.ts'

test('a call is served beside another tenant that always has more calls than connections', async () => {
  // The server takes a moment for each answer, so that calls queue up.
  const server = await startLineServer((line, socket) => void sleep(2).then(() => socket.write(`${line}\n`)))
  const pool = await openPool({ targets: { echo: targetOf(server, { reuse: 'clean', pool: { max: 10 } }) } })
  let isOver = false
  let count = 0
  const ask = (tenant: string) =>
    pool.exchange('echo', { tenant, write: 'x\n', read: { line: true }, timeoutMs: 10_000 })
  const busy = Array.from({ length: 25 }, async () => {
    while (!isOver) {
      await ask('busy')
      count++
    }
  })
  try {
    while (count < 50) await ask('busy')
    const before = count
    for (let call = 0; call < 5; call++) expect(String((await ask('quiet')).data)).toBe('x\n')
    // Each waited for the fifteen ahead of it and for one round of the ten, give or take the dial.
    expect(count - before).toBeLessThan(5 * 100)
  } finally {
    isOver = true
    await Promise.all(busy)
  }
})
