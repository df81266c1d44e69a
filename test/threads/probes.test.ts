/** Probes as the pool asks for them, across threads. */
import type { Socket } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { normaliseTarget } from '../../src/config/target.ts'
import { dialOf } from '../../src/pool/target/dial-of.ts'
import type { IoConnection } from '../../src/threads/io-connection.ts'
import { IoFleet } from '../../src/threads/io-fleet.ts'
import { watchLeaks } from '../support/leak-watch.ts'
import { startLineServer } from '../support/line-server.ts'
import { until } from '../support/until.ts'

const HOLDER = { rung: () => {}, broke: () => {} }

/** An open connection whose peer answers by `answer`, and what its listener hears. */
async function opened(
  answer: (line: string, socket: Socket) => void,
): Promise<{ connection: IoConnection; heard: string[] }> {
  watchLeaks()
  const server = await startLineServer(answer)
  const { host, port } = server
  const steps = (word: string) => [{ send: `${word}\n` }, { expect: `${word} ok\n`, timeoutMs: 100 }]
  const target = normaliseTarget({ host, port, probe: steps('PING'), onRelease: steps('RESET') })
  const fleet = new IoFleet({ workers: 1 })
  const connection = await fleet.open({ dial: dialOf(target, 'operator', ''), connectTimeoutMs: 5_000 })
  const heard: string[] = []
  connection.listen({
    onChecked: found => heard.push(found),
    onClosed: how => heard.push(`closed ${how}`),
  })
  onTestFinished(async () => {
    connection.abort()
    await fleet.stop()
  })
  return { connection, heard }
}

test('a probe goes between leases, whose releases have their own dialog', async () => {
  const lines: string[] = []
  const { connection, heard } = await opened((line, socket) => {
    lines.push(line)
    socket.write(`${line} ok\n`)
  })
  for (let round = 1; round <= 20; round++) {
    expect(await connection.probe()).toBe('clean')
    connection.hold(HOLDER)
    connection.letGo()
    await until('it was checked', () => heard.length === round)
  }
  expect(new Set(heard)).toEqual(new Set(['clean']))
  expect(lines).toEqual(Array.from({ length: 20 }, () => ['PING', 'RESET']).flat())
})

test('a probe that gets no answer closes the connection, in its own time', async () => {
  const { connection, heard } = await opened(() => {})
  expect(await connection.probe()).toBe('dialog_failed')
  await until('it closed', () => heard.includes('closed closed'))
})

test('a probe is over where its connection is given up', async () => {
  const { connection, heard } = await opened(() => {})
  const probed = connection.probe()
  connection.abort()
  expect(await probed).toBe('error')
  await until('it closed', () => heard.length === 1)
})
