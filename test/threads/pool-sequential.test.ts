import { expect, test } from 'vitest'
import { echoLine, startLineServer } from '../support/line-server.ts'
import { openPool, targetOf } from '../support/pool-fixture.ts'

const read = { line: true } as const

test('a caller that asks one thing after the other has one connection', async () => {
  const server = await startLineServer(echoLine)
  const pool = await openPool({ targets: { it: targetOf(server, { reuse: 'clean' }) } })
  for (let call = 0; call < 200; call++) {
    const { data, reused } = await pool.exchange('it', { write: `${call}\n`, read })
    expect([String(data), reused]).toEqual([`${call}\n`, call > 0])
  }
  expect(server.accepted).toBe(1)
})

test('a caller that awaits no release has one connection, with no wait for others of its own', async () => {
  const server = await startLineServer(echoLine)
  const pool = await openPool({ targets: { it: targetOf(server, { reuse: 'clean' }) } })
  const results: Promise<unknown>[] = []
  for (let call = 0; call < 200; call++) {
    const lease = await pool.lease('it', { waitMs: 0 })
    lease.writer.write(`${call}\n`)
    expect(String(await lease.reader.readLine())).toBe(`${call}\n`)
    results.push(lease.release())
  }
  expect(new Set((await Promise.all(results)).map(result => JSON.stringify(result)))).toEqual(
    new Set(['{"outcome":"reused","reason":"clean"}']),
  )
  expect(server.accepted).toBe(1)
})

test('callers that ask all at once, again and again, have a connection each', async () => {
  const server = await startLineServer(echoLine)
  const pool = await openPool({ targets: { it: targetOf(server, { reuse: 'clean', pool: { max: 64 } }) } })
  for (let round = 0; round < 20; round++) {
    const ask = (_: unknown, call: number) => pool.exchange('it', { write: `${call}\n`, read })
    const replies = await Promise.all(Array.from({ length: 16 }, ask))
    expect(replies.map(({ data }) => String(data))).toEqual(replies.map((_, call) => `${call}\n`))
  }
  expect(server.accepted).toBeLessThanOrEqual(16)
})
