/** A pool whose targets are bounded by permits, with real connections: shared ones, front doors, reload. */
import { expect, onTestFinished, test } from 'vitest'
import type { PoolOptions } from '../../src/library/create-pool.ts'
import { startServer } from '../../src/library/start-server.ts'
import type { Pool } from '../../src/pool/pool.ts'
import type { PermitsOf } from '../../src/pool/target/permits.ts'
import type { TargetStats } from '../../src/pool/target/pool-stats.ts'
import { hears } from '../support/front-door.ts'
import { HandPermits } from '../support/hand-permits.ts'
import { echoLine, startLineServer } from '../support/line-server.ts'
import { type PeerSide, startMultiplexPeer } from '../support/multiplex-peer.ts'
import { openServicePool, targetOf } from '../support/pool-fixture.ts'
import { RawConnection } from '../support/raw-connection.ts'
import { until } from '../support/until.ts'

type Targets = NonNullable<PoolOptions['targets']>

/** A pool whose targets have so many permits each; those of `free` have none, and need none. */
function cappedPool(
  targets: Targets,
  granted: number,
  free: readonly string[] = [],
): { readonly pool: Pool; readonly permits: ReadonlyMap<string, readonly HandPermits[]> } {
  const permits = new Map<string, HandPermits[]>()
  const permitsOf: PermitsOf = (target, taker) => {
    if (free.includes(target)) return null
    const own = new HandPermits(granted)
    permits.set(target, [...(permits.get(target) ?? []), own])
    return own.permitsOf(target, taker)
  }
  return { pool: openServicePool({ targets }, { permitsOf }), permits }
}

function only(permits: ReadonlyMap<string, readonly HandPermits[]>, target = 'it'): HandPermits {
  const [own, ...others] = permits.get(target) ?? []
  if (own === undefined || others.length > 0) throw new Error('there is one pool of the target')
  return own
}

function row(pool: Pool): TargetStats {
  const [first] = pool.targets()
  if (first === undefined) throw new Error('there is a target')
  return first
}

const hello = (pool: Pool, text: string): Promise<string> =>
  pool.exchange('it', { write: `${text}\n`, timeoutMs: 5_000 }).then(({ data }) => String(data).trimEnd())

test('a target with permits dials no more than those, and its caller is served as one comes', async () => {
  const server = await startLineServer(echoLine)
  const { pool, permits } = cappedPool({ it: targetOf(server, { reuse: 'clean' }) }, 1)
  const own = only(permits)
  const first = await pool.lease('it')
  const second = pool.lease('it')
  await until('a second is wanted', () => own.use.wanting === 1)
  expect(server.accepted).toBe(1)
  own.grant(2)
  const other = await second
  expect(own.use).toMatchObject({ taken: 2, wanting: 0 })
  await Promise.all([first.discard(), other.discard()])
  await until('both are gone', () => own.use.taken === 0)
})

test('a target of no cap, and one that a caller describes, ask for no permit', async () => {
  const server = await startLineServer(echoLine)
  const { pool, permits } = cappedPool({ it: targetOf(server) }, 0, ['it'])
  const leases = [await pool.lease('it'), await pool.lease({ host: server.host, port: server.port })]
  expect([...permits]).toEqual([])
  await Promise.all(leases.map(lease => lease.discard()))
})

test('a cut ends the youngest lease, whose reads tell that it was killed', async () => {
  const server = await startLineServer(echoLine)
  const { pool, permits } = cappedPool({ it: targetOf(server, { reuse: 'clean' }) }, 2)
  const own = only(permits)
  const older = await pool.lease('it')
  await until('time goes on', () => older.ageMs > 1)
  const younger = await pool.lease('it')
  const reading = younger.reader.readLine().catch((error: unknown) => error)
  own.granted = 1
  expect(own.taker.cut()).toBe(1)
  expect(await reading).toMatchObject({ code: 'LEASE_GONE', reason: 'killed' })
  older.writer.write('still\n')
  expect(String(await older.reader.readLine())).toBe('still\n')
  await until('its socket is gone', () => own.use.taken === 1)
  await older.release()
  await until('it lies idle', () => own.use.idle === 1)
})

test('shared connections are dialled within permits, and more of them as more come', async () => {
  const held: (() => void)[] = []
  const peer = await startMultiplexPeer('line', (request, { socket }: PeerSide) => {
    held.push(() => socket.write(request))
  })
  const multiplex = { connections: 3, inFlight: 1 }
  const it = targetOf(peer, { frame: 'line', multiplex, pool: { max: 3 } })
  const { pool, permits } = cappedPool({ it }, 1)
  const own = only(permits)
  const answers = ['a', 'b', 'c'].map(text => hello(pool, text))
  await until('one is asked, and the others wait', () => held.length === 1 && own.use.wanting === 2)
  expect(peer.accepted).toBe(1)
  own.grant(2)
  await until('another is asked', () => held.length === 2)
  expect([peer.accepted, own.use.wanting]).toEqual([2, 1])
  const answerAll = setInterval(() => held.shift()?.(), 1)
  try {
    expect(await Promise.all(answers)).toEqual(['a', 'b', 'c'])
  } finally {
    clearInterval(answerAll)
  }
  expect(peer.accepted).toBe(2)
})

test('shared connections take no exchange while permits cannot be relied on, and go on when they can', async () => {
  const peer = await startMultiplexPeer('line')
  const it = targetOf(peer, { frame: 'line', multiplex: { connections: 1 } })
  const { pool, permits } = cappedPool({ it }, 2)
  const own = only(permits)
  expect(await hello(pool, 'before')).toBe('before')
  own.isReliable = false
  const waiting = hello(pool, 'meanwhile')
  await until('the call waits', () => row(pool).multiplex?.queued === 1)
  expect(peer.sides[0]?.requests.map(String)).toEqual(['before\n'])
  own.rely(true)
  expect(await waiting).toBe('meanwhile')
  expect(peer.accepted).toBe(1)
})

test('shared connections beyond permits that have become fewer end with their answers, and no call fails', async () => {
  const held: (() => void)[] = []
  const peer = await startMultiplexPeer('line', (request, { socket }) => {
    held.push(() => socket.write(request))
  })
  const multiplex = { connections: 4, inFlight: 1 }
  const it = targetOf(peer, { frame: 'line', multiplex, pool: { max: 4 } })
  const { pool, permits } = cappedPool({ it }, 4)
  const own = only(permits)
  const answers = ['a', 'b', 'c', 'd'].map(text => hello(pool, text))
  await until('all are asked', () => held.length === 4)
  own.grant(1)
  for (const answer of held) answer()
  expect(await Promise.all(answers)).toEqual(['a', 'b', 'c', 'd'])
  await until('three have ended', () => own.use.taken === 1)
  expect(row(pool)).toMatchObject({ closed: { resize: 3 }, connections: { multiplexed: 1 } })
})

test('a cut ends shared connections, whose calls fail with what they have sent', async () => {
  const peer = await startMultiplexPeer('line', () => {})
  const it = targetOf(peer, { frame: 'line', multiplex: { connections: 1 } })
  const { pool, permits } = cappedPool({ it }, 1)
  const own = only(permits)
  const failing = hello(pool, 'x').catch((error: unknown) => error)
  await until('it is asked', () => peer.sides[0]?.requests.length === 1)
  own.granted = 0
  expect(own.taker.cut()).toBe(1)
  expect(await failing).toMatchObject({
    code: expect.stringMatching(/CONNECTION_RESET|LEASE_GONE/),
    bytesAccepted: 2,
  })
  await until('its socket is gone', () => own.use.taken === 0)
  own.grant(1)
})

test('a target that is removed says when its last connection is gone; one that comes new asks for permits of its own', async () => {
  const server = await startLineServer(echoLine)
  const it = targetOf(server, { reuse: 'clean' })
  const { pool, permits } = cappedPool({ it }, 2)
  const own = only(permits)
  const lease = await pool.lease('it')
  pool.reload({ targets: { other: it } })
  expect(lease.gone).toBe('revoked')
  const other = only(permits, 'other')
  await until('it has ended', () => own.ends === 1)
  expect([own.use.taken, other.ends]).toEqual([0, 0])
  pool.reload({ targets: { it, other: it } })
  expect(permits.get('it')).toHaveLength(2)
  const again = await pool.lease('it')
  expect(permits.get('it')?.map(({ use }) => use.taken)).toEqual([0, 1])
  await again.discard()
  await pool.close()
  expect([...permits.values()].flat().map(({ ends }) => ends)).toEqual([1, 1, 1])
})

test('a target whose maximum is read anew keeps its permits', async () => {
  const server = await startLineServer(echoLine)
  const it = targetOf(server, { reuse: 'clean', pool: { max: 1 } })
  const { pool, permits } = cappedPool({ it }, 2)
  const own = only(permits)
  const first = await pool.lease('it')
  const second = pool.lease('it')
  await until('it waits', () => row(pool).waiters === 1)
  expect(own.use.wanting).toBe(0)
  pool.reload({ targets: { it: targetOf(server, { reuse: 'clean', pool: { max: 5 } }) } })
  const leases = [first, await second]
  const third = pool.lease('it')
  await until('it is wanted', () => own.use.wanting === 1)
  expect(row(pool).connections.max).toBe(5)
  own.grant(3)
  leases.push(await third)
  await Promise.all(leases.map(lease => lease.discard()))
})

test('clients of a front door go on after one another with what permits there are, and wait while they cannot be relied on', async () => {
  const peer = await startMultiplexPeer('line')
  const it = targetOf(peer, { frame: 'line', reuse: 'clean', pool: { max: 4 } })
  const { pool, permits } = cappedPool({ it }, 1)
  const own = only(permits)
  const forward = pool.messages.open('it', {})
  const server = await startServer(forward.handler, '127.0.0.1', 0, { pool })
  const clients = Array.from({ length: 3 }, () => RawConnection.open(server.address.port))
  onTestFinished(() => {
    for (const { socket } of clients) socket.destroy()
  })
  for (const [index, client] of clients.entries()) client.send(`first ${index}\n`)
  for (const [index, client] of clients.entries()) await hears(client, `first ${index}\n`)
  expect(peer.accepted).toBe(1)
  own.isReliable = false
  for (const [index, client] of clients.entries()) client.send(`then ${index}\n`)
  await until('they wait', () => row(pool).waiters > 0)
  await until('nobody holds it', () => own.use.idle === 1)
  own.rely(true)
  for (const [index, client] of clients.entries()) await hears(client, `first ${index}\nthen ${index}\n`)
  expect(peer.accepted).toBe(1)
})
