import { expect, test } from 'vitest'
import { echoLine, startLineServer } from '../support/line-server.ts'
import { openPool, targetOf } from '../support/pool-fixture.ts'

test('a use inside a use of a target that it holds whole fails at once', async () => {
  const server = await startLineServer(echoLine)
  const pool = await openPool({ targets: { it: targetOf(server, { pool: { max: 2 } }) } })
  const inner = pool.use('it', () => pool.use('it', () => pool.use('it', () => 'never')))
  await expect(inner).rejects.toMatchObject({ code: 'WOULD_DEADLOCK' })
  // What ended is not held, and who is not inside may wait.
  expect(await pool.use('it', () => pool.use('it', () => 'two'))).toBe('two')
  const callers = Array.from({ length: 6 }, () => pool.use('it', () => 'served'))
  expect(await Promise.all(callers)).toEqual(Array(6).fill('served'))
})

test('callers of a small pool that can be served in their time all are', async () => {
  const server = await startLineServer((line, socket) => void setTimeout(() => socket.write(`${line}\n`), 5))
  const target = targetOf(server, { reuse: 'clean', pool: { max: 1, waitTimeoutMs: 60_000 } })
  const pool = await openPool({ targets: { it: target } })
  const ask = () => pool.exchange('it', { write: 'x\n', read: { line: true } })
  const replies = await Promise.all(Array.from({ length: 60 }, ask))
  expect(replies.every(({ data }) => String(data) === 'x\n')).toBe(true)
})

test('calls that could never be served in their time are refused early, and the others are served', async () => {
  const server = await startLineServer((line, socket) => void setTimeout(() => socket.write(`${line}\n`), 20))
  const target = targetOf(server, { reuse: 'clean', pool: { max: 1, waitTimeoutMs: 1_000 } })
  const pool = await openPool({ targets: { it: target } })
  const codes: string[] = []
  const ask = (): Promise<unknown> =>
    pool.exchange('it', { write: 'x\n', read: { line: true } }).then(
      () => codes.push('served'),
      ({ code }) => codes.push(code),
    )
  await Promise.all(Array.from({ length: 400 }, ask))
  const count = (code: string): number => codes.filter(own => own === code).length
  expect(count('served')).toBeGreaterThan(3)
  expect(count('QUEUE_FULL')).toBeGreaterThan(200)
  // The early refusals came first, where anybody waited to the end at all.
  const [early, late] = [codes.indexOf('QUEUE_FULL'), codes.indexOf('WAIT_TIMEOUT')]
  expect(late === -1 || early < late).toBe(true)
})
