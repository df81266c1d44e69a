/**
 * Nobody ever hears another's answer: callers that cancel and time out at random, and a peer that answers late, sends what
 * nobody asked for, and drops the connection. SOCKPOOL_TEST_EXCHANGES says how many exchanges each of 64 callers makes.
 */
import { randomInt } from 'node:crypto'
import { expect, test } from 'vitest'
import { SockpoolError } from '../../src/base/errors.ts'
import type { Pool } from '../../src/pool/pool.ts'
import { bodyOf, idOf, modbus, oneIn, type PeerSide, startMultiplexPeer } from '../support/multiplex-peer.ts'
import { openPool, targetOf } from '../support/pool-fixture.ts'
import { until } from '../support/until.ts'

const CALLERS = 64
const EXCHANGES = Number(
  process.env['SOCKPOOL_TEST_EXCHANGES'] ?? (process.env['SOCKPOOL_TEST_LONG'] ? 1_000 : 150),
)

/** What a call may end with, beside its answer. */
const ENDS = new Set(['ABORTED', 'READ_TIMEOUT', 'WAIT_TIMEOUT', 'CONNECTION_RESET', 'QUEUE_FULL'])

/** What answers nobody, and says so. */
const PUSH = '>2\r\n$7\r\nmessage\r\n$3\r\nall\r\n'

type Count = { right: number; wrong: string[]; readonly failed: Map<string, number> }

/** `ask` gives what the answer says, which is to be what was asked. */
async function storm(ask: (text: string, more: object) => Promise<string>): Promise<Count> {
  const count: Count = { right: 0, wrong: [], failed: new Map() }
  const callers = Array.from({ length: CALLERS }, async (_, caller) => {
    for (let call = 0; call < EXCHANGES; call++) {
      const text = `${caller}:${call}:${'.'.repeat(randomInt(40))}`
      const signal = oneIn(20) ? AbortSignal.timeout(randomInt(3)) : undefined
      const timeoutMs = oneIn(20) ? 1 + randomInt(4) : 2_000
      try {
        const heard = await ask(text, { signal, timeoutMs, tenant: `t${caller % 3}` })
        if (heard === text) count.right++
        else count.wrong.push(`${text} heard ${heard}`)
      } catch (error) {
        const code = error instanceof SockpoolError ? error.code : String(error)
        if (!ENDS.has(code)) count.wrong.push(`${text}: ${code}`)
        count.failed.set(code, (count.failed.get(code) ?? 0) + 1)
      }
    }
  })
  await Promise.all(callers)
  return count
}

/** All that was given up is forgotten in the end, and every call has ended in one of the ways. */
async function settled(pool: Pool, count: Count): Promise<void> {
  expect(count.wrong).toEqual([])
  const failed = [...count.failed.values()].reduce((sum, one) => sum + one, 0)
  expect(count.right + failed).toBe(CALLERS * EXCHANGES)
  expect(count.right).toBeGreaterThan((CALLERS * EXCHANGES) / 2)
  const row = () => pool.targets()[0]?.multiplex
  await until('nothing is under way', () => row()?.inFlight === 0, 10_000)
  expect(row()).toMatchObject({ queued: 0, orphans: 0, inFlight: 0 })
}

test('answers in order reach those who asked, with pushes between them', { timeout: 600_000 }, async () => {
  const later = new Map<PeerSide, string[]>()
  const flush = (side: PeerSide): void => {
    side.socket.write((later.get(side) ?? []).join(''))
    later.delete(side)
  }
  const peer = await startMultiplexPeer('resp', (request, side) => {
    if (oneIn(3_000)) return void side.socket.destroy()
    const text = request.toString().split('\r\n').at(-2)
    const answer = `${oneIn(20) ? PUSH : ''}$${text?.length}\r\n${text}\r\n`
    const waiting = later.get(side)
    if (waiting) waiting.push(answer)
    else if (oneIn(10)) {
      later.set(side, [answer])
      setTimeout(() => flush(side), randomInt(4))
    } else side.socket.write(answer)
  })
  const it = targetOf(peer, { frame: 'resp', multiplex: { connections: 2, orphanMs: 5_000 } })
  const pool = await openPool({ targets: { it } })
  const ask = async (text: string, more: object): Promise<string> => {
    const write = `*2\r\n$4\r\nECHO\r\n$${text.length}\r\n${text}\r\n`
    const { data } = await pool.exchange('it', { write, ...more })
    return data.toString().split('\r\n')[1] ?? ''
  }
  await settled(pool, await storm(ask))
  expect(pool.targets()[0]?.multiplex?.unsolicited).toBeGreaterThan(0)
})

test('answers by id reach those who asked, in whatever order', { timeout: 600_000 }, async () => {
  const peer = await startMultiplexPeer('modbus', (request, { socket }) => {
    if (oneIn(3_000)) return void socket.destroy()
    if (oneIn(50)) socket.write(modbus(randomInt(40_000, 65_536), 'surprise'))
    if (oneIn(500)) return
    if (oneIn(4)) setTimeout(() => socket.write(request), randomInt(5))
    else socket.write(request)
  })
  const multiplex = { connections: 2, match: { offset: 0, bytes: 2 }, orphanMs: 200 }
  const pool = await openPool({ targets: { it: targetOf(peer, { frame: 'modbus', multiplex }) } })
  const ask = async (text: string, more: object): Promise<string> => {
    const id = randomInt(4)
    const { data } = await pool.exchange('it', { write: modbus(id, text), ...more })
    return idOf(data) === id ? bodyOf(data) : `the id ${idOf(data)} in place of ${id}`
  }
  await settled(pool, await storm(ask))
})
