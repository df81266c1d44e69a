/** Many exchanges on one connection, against a peer that the test has answer as it likes. */

import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Pool } from '../../src/pool/pool.ts'
import type { MultiplexStats } from '../../src/pool/target/pool-stats.ts'
import { attach } from '../support/attached.ts'
import { bodyOf, idOf, type MultiplexPeer, modbus, startMultiplexPeer } from '../support/multiplex-peer.ts'
import { openPool, targetOf } from '../support/pool-fixture.ts'
import { until } from '../support/until.ts'

type Settings = NonNullable<NonNullable<Parameters<typeof targetOf>[1]>['multiplex']>
type Bounds = NonNullable<Parameters<typeof targetOf>[1]>['pool']
type Opened = { readonly peer: MultiplexPeer; readonly pool: Pool }

/** A target whose messages are lines, answered in order; `hello` always is. */
async function lines(
  settings: Settings = {},
  answer?: Parameters<typeof startMultiplexPeer>[1],
  bounds: Bounds = {},
): Promise<Opened> {
  const isGreeting = (request: Buffer): boolean => String(request) === 'hello\n'
  const peer = await startMultiplexPeer('line', (request, side) => {
    if (isGreeting(request) || answer === undefined) side.socket.write(request)
    else answer(request, side)
  })
  const it = targetOf(peer, { frame: 'line', multiplex: settings, pool: bounds })
  return { peer, pool: await openPool({ targets: { it } }) }
}

/** A target whose messages carry ids, as Modbus/TCP's. */
async function ids(
  settings: Settings = {},
  answer?: Parameters<typeof startMultiplexPeer>[1],
): Promise<Opened> {
  const peer = await startMultiplexPeer('modbus', answer)
  const match = { offset: 0, bytes: 2 }
  const it = targetOf(peer, { frame: 'modbus', multiplex: { match, ...settings } })
  return { peer, pool: await openPool({ targets: { it } }) }
}

const ask = async (pool: Pool, text: string, more: object = {}): Promise<string> =>
  (await pool.exchange('it', { write: `${text}\n`, timeoutMs: 5_000, ...more })).data.toString().trimEnd()

function row(pool: Pool): MultiplexStats {
  const stats = pool.targets()[0]?.multiplex
  if (!stats) throw new Error('the target shares its connections')
  return stats
}

const silent = (): void => {}

describe('exchanges that share a connection', () => {
  test('each hear their own answer, and one connection serves all', async () => {
    const { peer, pool } = await lines()
    const texts = Array.from({ length: 200 }, (_, index) => `call ${index}`)
    expect(await Promise.all(texts.map(text => ask(pool, text)))).toEqual(texts)
    expect(peer.accepted).toBe(1)
    expect(pool.targets()[0]?.connections).toMatchObject({ multiplexed: 1, leased: 0, idle: 0 })
    expect(row(pool)).toEqual({ connections: 1, inFlight: 0, queued: 0, orphans: 0, unsolicited: 0 })
    expect(pool.connections()).toMatchObject([{ state: 'multiplexed', tenant: null }])
    expect(pool.stats().leases).toBe(0)
  })

  test('say that the connection was reused, but for its first', async () => {
    const { pool } = await lines()
    const first = await pool.exchange('it', { write: 'a\n' })
    expect(first).toMatchObject({ reused: false, offset: 0, eof: false, ending: null })
    expect(await pool.exchange('it', { write: 'b\n' })).toMatchObject({ reused: true, offset: 0 })
  })

  test('of one turn go out as one write', async () => {
    const { peer, pool } = await lines()
    await ask(pool, 'hello')
    const side = peer.sides[0]
    const before = side?.pieces ?? 0
    await Promise.all(Array.from({ length: 50 }, (_, index) => ask(pool, `call ${index}`)))
    expect((side?.pieces ?? 0) - before).toBe(1)
  })

  test('take the bytes as they were when they were called', async () => {
    const { pool } = await lines()
    const bytes = Buffer.from('mine\n')
    const answer = pool.exchange('it', { write: bytes })
    bytes.fill('x')
    expect((await answer).data.toString()).toBe('mine\n')
  })

  test('open another connection while the others are busy, up to their number', async () => {
    const held: (() => void)[] = []
    const { peer, pool } = await lines(
      { connections: 2 },
      (request, { socket }) => void held.push(() => socket.write(request)),
    )
    const calls = ['a', 'b', 'c', 'd'].map(text => ask(pool, text))
    await until('two connections are open', () => row(pool).connections === 2)
    const more = ['e', 'f'].map(text => ask(pool, text))
    await until('all requests have come', () => held.length === 6)
    for (const answer of held) answer()
    expect(await Promise.all([...calls, ...more])).toEqual(['a', 'b', 'c', 'd', 'e', 'f'])
    expect(peer.accepted).toBe(2)
  })

  test('leave other exchanges and leases a connection to themselves', async () => {
    const { peer, pool } = await lines({}, undefined, { max: 3 })
    await ask(pool, 'shared')
    const pipelined = await pool.exchange('it', { write: 'a\nb\n', read: { frames: 2 } })
    expect(pipelined.data.toString()).toBe('a\nb\n')
    const other = await pool.exchange('it', { write: 'c\n', read: { line: true } })
    expect(other.data.toString()).toBe('c\n')
    await pool.use('it', async lease => {
      lease.writer.write('d\n')
      expect((await lease.reader.readLine()).toString()).toBe('d\n')
      expect(pool.targets()[0]?.connections).toMatchObject({ multiplexed: 1, leased: 1 })
    })
    expect(peer.sides[0]?.requests.map(String)).toEqual(['shared\n'])
  })

  test('never take a connection that lies idle for a tenant, and never lie idle for one', async () => {
    const { peer, pool } = await lines()
    await pool.use(
      'it',
      async lease => {
        lease.writer.write('mine\n')
        await lease.reader.readLine()
      },
      { tenant: '' },
    )
    await until('it lies idle', () => pool.targets()[0]?.connections.idle === 1)
    expect(await ask(pool, 'shared')).toBe('shared')
    expect(peer.accepted).toBe(2)
  })
})

describe('a request that is not one whole message', () => {
  test.each([
    ['two', 'a\nb\n'],
    ['half a message', 'a'],
    ['one and a half', 'a\nb'],
    ['nothing', ''],
  ])('is refused before it is sent: %s', async (_, write) => {
    const { peer, pool } = await lines()
    await ask(pool, 'before')
    await expect(pool.exchange('it', { write })).rejects.toMatchObject({ code: 'FRAME_MISMATCH' })
    expect(await ask(pool, 'after')).toBe('after')
    expect(peer.sides[0]?.requests.map(String)).toEqual(['before\n', 'after\n'])
  })
})

describe('a call that is given up', () => {
  test('leaves an orphan, whose late answer nobody gets', async () => {
    const held: (() => void)[] = []
    const { pool, peer } = await lines(
      {},
      (request, { socket }) => void held.push(() => socket.write(request)),
    )
    await ask(pool, 'hello')
    const late = { code: 'READ_TIMEOUT', bytesAccepted: 5, retryable: false }
    await expect(ask(pool, 'late', { timeoutMs: 30 })).rejects.toMatchObject(late)
    const controller = new AbortController()
    const gone = ask(pool, 'gone', { signal: controller.signal })
    await until('both are with the peer', () => held.length === 2)
    controller.abort()
    await expect(gone).rejects.toMatchObject({ code: 'ABORTED', bytesAccepted: 5 })
    expect(row(pool)).toMatchObject({ orphans: 2, inFlight: 2 })
    const next = ask(pool, 'next')
    await until('the next is with the peer', () => held.length === 3)
    for (const answer of held) answer()
    expect(await next).toBe('next')
    expect(row(pool)).toMatchObject({ orphans: 0, inFlight: 0, unsolicited: 0, connections: 1 })
    expect(peer.accepted).toBe(1)
  })

  test('before it was written leaves nothing', async () => {
    const { pool, peer } = await lines()
    await ask(pool, 'before')
    const controller = new AbortController()
    const gone = ask(pool, 'gone', { signal: controller.signal })
    controller.abort()
    await expect(gone).rejects.toMatchObject({ code: 'ABORTED', bytesAccepted: 0 })
    expect(await ask(pool, 'after')).toBe('after')
    expect(peer.sides[0]?.requests.map(String)).toEqual(['before\n', 'after\n'])
    expect(row(pool)).toMatchObject({ orphans: 0, inFlight: 0 })
  })

  test('ends the connection, and its other calls, where the answer does not come in time', async () => {
    let isDeaf = true
    const { pool, peer } = await lines({ orphanMs: 60 }, (request, { socket }) => {
      if (!isDeaf) socket.write(request)
    })
    await ask(pool, 'hello')
    await expect(ask(pool, 'lost', { timeoutMs: 20 })).rejects.toMatchObject({ code: 'READ_TIMEOUT' })
    const behind = { code: 'CONNECTION_RESET', bytesAccepted: 7, retryable: false }
    await expect(ask(pool, 'behind')).rejects.toMatchObject(behind)
    isDeaf = false
    expect(await ask(pool, 'again')).toBe('again')
    expect(peer.accepted).toBe(2)
    expect(row(pool).orphans).toBe(0)
  })
})

describe('messages that answer nobody', () => {
  test('end a connection whose answers come in order', async () => {
    const { pool, peer } = await lines()
    await ask(pool, 'a')
    peer.sides[0]?.socket.write('surprise\n')
    await until('it is closed', () => peer.sockets.size === 0)
    expect(row(pool)).toMatchObject({ unsolicited: 1 })
    expect(await ask(pool, 'b')).toBe('b')
  })

  test('are dropped where the target says so', async () => {
    const { pool, peer } = await lines({ onUnsolicited: 'drop' })
    await ask(pool, 'a')
    peer.sides[0]?.socket.write('surprise\n')
    await until('it has come', () => row(pool).unsolicited === 1)
    expect(await ask(pool, 'b')).toBe('b')
    expect(peer.accepted).toBe(1)
  })

  test('are dropped and counted where they are pushes', async () => {
    const peer = await startMultiplexPeer(
      'resp',
      (_, { socket }) => void socket.write('>2\r\n$4\r\npush\r\n$1\r\n1\r\n+OK\r\n'),
    )
    const it = targetOf(peer, { frame: 'resp', multiplex: {} })
    const pool = await openPool({ targets: { it } })
    for (let call = 0; call < 3; call++)
      expect((await pool.exchange('it', { write: 'PING\r\n' })).data.toString()).toBe('+OK\r\n')
    expect(row(pool)).toMatchObject({ unsolicited: 3, connections: 1 })
  })
})

describe('a shared connection that ends', () => {
  test('fails the calls on it, and says what was accepted; the next call has another', async () => {
    const { pool, peer } = await lines({}, (request, { socket }) => {
      if (String(request) === 'end\n') socket.destroy()
      else if (String(request) !== 'wait\n') socket.write(request)
    })
    const lost = { code: 'CONNECTION_RESET', bytesAccepted: 5, retryable: false }
    const waiting = Array.from({ length: 5 }, () => ask(pool, 'wait'))
    await until('they are with the peer', () => peer.sides[0]?.requests.length === 5)
    const ending = ask(pool, 'end')
    for (const call of waiting) await expect(call).rejects.toMatchObject(lost)
    await expect(ending).rejects.toMatchObject({ ...lost, bytesAccepted: 4 })
    expect(await ask(pool, 'next')).toBe('next')
    await until('it was dialled again', () => peer.accepted === 2)
  })

  test('has calls that wait for room go to another', async () => {
    let isDeaf = true
    const { pool, peer } = await lines({ inFlight: 1 }, (request, { socket }) => {
      if (!isDeaf) socket.write(request)
    })
    const first = ask(pool, 'first')
    await until('it is with the peer', () => peer.sides[0]?.requests.length === 1)
    const second = ask(pool, 'second')
    expect(row(pool)).toMatchObject({ inFlight: 1 })
    await until('the other waits', () => row(pool).queued === 1)
    isDeaf = false
    peer.sides[0]?.socket.destroy()
    await expect(first).rejects.toMatchObject({ code: 'CONNECTION_RESET' })
    expect(await second).toBe('second')
  })

  test('by an answer that is none tells whoever it was for', async () => {
    const { pool } = await resp('!x\r\n')
    const broken = pool.exchange('it', { write: 'PING\r\n' })
    const behind = pool.exchange('it', { write: 'PING\r\n' })
    await expect(broken).rejects.toMatchObject({ code: 'FRAME_BROKEN', bytesAccepted: 6 })
    await expect(behind).rejects.toMatchObject({ code: 'CONNECTION_RESET', reason: 'frame_broken' })
  })

  test('by an operator says so', async () => {
    const { pool, peer } = await lines({}, silent)
    const call = ask(pool, 'x')
    await until('it is with the peer', () => peer.sides[0]?.requests.length === 1)
    await pool.kill(pool.connections()[0]?.id ?? '')
    await expect(call).rejects.toMatchObject({ code: 'CONNECTION_RESET', reason: 'killed' })
  })

  test('with its pool lets the answers come that are awaited', async () => {
    const held: (() => void)[] = []
    const { pool } = await lines({}, (request, { socket }) => void held.push(() => socket.write(request)))
    const call = ask(pool, 'x')
    await until('it is with the peer', () => held.length === 1)
    const closed = pool.close({ drainMs: 5_000 })
    await expect(ask(pool, 'late')).rejects.toMatchObject({ code: 'DRAINING' })
    for (const answer of held) answer()
    expect(await call).toBe('x')
    await closed
  })
})

/** A target that answers every request with the same bytes. */
async function resp(answer: string): Promise<Opened> {
  const peer = await startMultiplexPeer('resp', (_, { socket }) => void socket.write(answer))
  const it = targetOf(peer, { frame: 'resp', multiplex: {} })
  return { peer, pool: await openPool({ targets: { it } }) }
}

describe('calls that find no room', () => {
  test('wait within their time, and say where they stood', async () => {
    const { pool } = await lines({ inFlight: 1 }, silent)
    await ask(pool, 'hello')
    const first = ask(pool, 'first', { timeoutMs: 300 })
    await until('it is on its way', () => row(pool).inFlight === 1)
    const waited = { code: 'WAIT_TIMEOUT', position: 1, bytesAccepted: 0, retryable: true }
    await expect(ask(pool, 'second', { timeoutMs: 30 })).rejects.toMatchObject(waited)
    await expect(first).rejects.toMatchObject({ code: 'READ_TIMEOUT' })
  })

  test('wait no longer than the target lets them', async () => {
    const { pool } = await lines({ inFlight: 1 }, silent, { waitTimeoutMs: 30 })
    // The dial may take longer than callers may wait.
    while (row(pool).connections === 0) await ask(pool, 'hello').catch(() => 'it is not there yet')
    const first = ask(pool, 'first', { timeoutMs: 300 })
    await until('it is on its way', () => row(pool).inFlight === 1)
    await expect(ask(pool, 'second', { timeoutMs: 5_000 })).rejects.toMatchObject({
      code: 'WAIT_TIMEOUT',
      message: expect.stringContaining('30 ms'),
    })
    await expect(first).rejects.toMatchObject({ code: 'READ_TIMEOUT' })
  })

  test('of one tenant leave half of the room to another that waits', async () => {
    const held: (() => void)[] = []
    const order: string[] = []
    const { pool } = await lines({ inFlight: 4 }, (request, { socket }) => {
      order.push(request.toString().trimEnd())
      held.push(() => socket.write(request))
    })
    const calls = Array.from({ length: 12 }, (_, index) => ask(pool, `busy ${index}`, { tenant: 'busy' }))
    await until('the room is full', () => held.length === 4)
    calls.push(...Array.from({ length: 2 }, (_, index) => ask(pool, `quiet ${index}`, { tenant: 'quiet' })))
    await until('all wait', () => row(pool).queued === 10)
    held.shift()?.()
    held.shift()?.()
    await until('two more have come', () => order.length === 6)
    expect(order.slice(4)).toEqual(['quiet 0', 'quiet 1'])
    while (order.length < 14 || held.length > 0) {
      held.shift()?.()
      await new Promise(setImmediate)
    }
    expect((await Promise.all(calls)).length).toBe(14)
  })

  test('hear of a target that cannot be dialled', async () => {
    const peer = await startMultiplexPeer('line')
    const pool = await openPool({
      targets: { it: { host: '127.0.0.1', port: 1, frame: 'line', multiplex: {}, breaker: { failures: 3 } } },
    })
    const calls = await Promise.allSettled(Array.from({ length: 20 }, () => ask(pool, 'x')))
    const codes = calls.map(call => (call.status === 'rejected' ? call.reason.code : 'served'))
    const counts = Map.groupBy(codes, code => code)
    expect(new Set(counts.keys())).toEqual(new Set(['CONNECT_REFUSED', 'BREAKER_OPEN']))
    // Each dial that failed answers one caller.
    expect(counts.get('CONNECT_REFUSED')?.length).toBeLessThanOrEqual(3)
    expect(peer.accepted).toBe(0)
  })
})

describe('a target that shares connections', () => {
  /** A peer of its own that answers each line with `ok`, when `answers` lets it; and stops listening after the first client. */
  async function onceOnly(answer: (send: () => void) => void): Promise<number> {
    const server = createServer(socket => {
      server.close()
      socket.on('error', () => {})
      socket.on('data', chunk => {
        for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, at + 1))
          answer(() => socket.write('ok\n'))
      })
    }).listen(0, '127.0.0.1')
    onTestFinished(() => void server.close())
    await once(server, 'listening')
    return (server.address() as AddressInfo).port
  }

  test('serves calls on the connection that it has where another is refused at once, over and over', async () => {
    const held: (() => void)[] = []
    const port = await onceOnly(send => void held.push(send))
    const multiplex = { connections: 2, inFlight: 1 }
    const breaker = { failures: 1, openForMs: 60_000 }
    const it = { host: '127.0.0.1', port, frame: 'line', multiplex, breaker } as const
    const pool = await openPool({ targets: { it } })
    // The first call alone, so that no second dial waits at the listener when that closes: it would be reset, not refused.
    const first = ask(pool, 'first')
    await until('the first is with the peer', () => held.length === 1)
    held.shift()?.()
    expect(await first).toBe('ok')
    const calls = Array.from({ length: 4 }, (_, index) => ask(pool, `call ${index}`))
    await until('the others wait, and nobody is there for them', () => pool.targets()[0]?.breaker === 'open')
    for (let answered = 0; answered < 4; answered++) {
      await until('one is with the peer', () => held.length === 1)
      held.shift()?.()
    }
    expect(await Promise.all(calls)).toEqual(['ok', 'ok', 'ok', 'ok'])
  })

  test('takes more in one turn than a writer has room for', async () => {
    const port = await onceOnly(send => send())
    const it = { host: '127.0.0.1', port, frame: 'line', multiplex: {} } as const
    const pool = await openPool({ targets: { it } })
    expect(await ask(pool, 'hello')).toBe('ok')
    const large = 'x'.repeat(12 * 1_048_576)
    const calls = Array.from({ length: 7 }, () => ask(pool, large, { timeoutMs: 30_000 }))
    expect(await Promise.all([...calls, ask(pool, 'small', { timeoutMs: 30_000 })])).toEqual(
      Array(8).fill('ok'),
    )
  })

  test('and lets nobody wait for others has its first calls wait for the dial', async () => {
    const { pool } = await lines({ inFlight: 1 }, silent, { waitTimeoutMs: 0 })
    expect(await ask(pool, 'hello')).toBe('hello')
    const first = ask(pool, 'first', { timeoutMs: 300 })
    await until('it is on its way', () => row(pool).inFlight === 1)
    const refused = { code: 'POOL_EXHAUSTED', position: 1, bytesAccepted: 0 }
    await expect(ask(pool, 'second')).rejects.toMatchObject(refused)
    await expect(first).rejects.toMatchObject({ code: 'READ_TIMEOUT' })
  })
})

describe('an operator', () => {
  test('pauses and resumes a shared target', async () => {
    const { pool } = await lines()
    await ask(pool, 'before')
    await pool.pause('it')
    const waiting = ask(pool, 'waits')
    await until('it waits', () => row(pool).queued === 1)
    await pool.resume('it')
    expect(await waiting).toBe('waits')
  })

  test('disables it: who waits fails at once, and what is under way goes on', async () => {
    const held: (() => void)[] = []
    const { pool } = await lines(
      { inFlight: 1 },
      (request, { socket }) => void held.push(() => socket.write(request)),
    )
    const under = ask(pool, 'under way')
    await until('it is with the peer', () => held.length === 1)
    const queued = ask(pool, 'queued')
    await until('the other waits', () => row(pool).queued === 1)
    await pool.disable('it')
    await expect(queued).rejects.toMatchObject({ code: 'TARGET_PAUSED' })
    await expect(ask(pool, 'new')).rejects.toMatchObject({ code: 'TARGET_PAUSED' })
    held[0]?.()
    expect(await under).toBe('under way')
  })

  test('drains it: the answers come, and then the connection is closed', async () => {
    const held: (() => void)[] = []
    const { pool, peer } = await lines(
      {},
      (request, { socket }) => void held.push(() => socket.write(request)),
    )
    const call = ask(pool, 'x')
    await until('it is with the peer', () => held.length === 1)
    const drained = pool.drain('it', { timeoutMs: 5_000 })
    held[0]?.()
    expect(await call).toBe('x')
    expect(await drained).toMatchObject({ state: 'draining' })
    expect(pool.targets()[0]?.closed).toEqual({ drain: 1 })
    await until('the peer has seen it', () => peer.sockets.size === 0)
  })

  test('reconnects it without failing a call', async () => {
    const { pool, peer } = await lines()
    await ask(pool, 'hello')
    const calls: Promise<string>[] = []
    for (let round = 0; round < 20; round++) {
      calls.push(...Array.from({ length: 10 }, (_, index) => ask(pool, `${round} ${index}`)))
      if (round % 5 === 0) await pool.reconnect('it')
      await new Promise(setImmediate)
    }
    expect((await Promise.all(calls)).length).toBe(200)
    await pool.waitClose('it', { timeoutMs: 5_000 })
    expect(peer.accepted).toBeGreaterThan(1)
  })
})

describe('a shared target that is read anew', () => {
  const again = (peer: MultiplexPeer, more: object) =>
    ({ targets: { it: { ...targetOf(peer), frame: 'line', ...more } } }) as const

  test('stays as it is where nothing of it has changed', async () => {
    const { pool, peer } = await lines()
    await ask(pool, 'before')
    pool.reload(again(peer, { multiplex: {} }))
    expect(await ask(pool, 'after')).toBe('after')
    expect(peer.accepted).toBe(1)
  })

  test('is another where it is shared in another way: what is under way is answered, and nothing fails', async () => {
    const held: (() => void)[] = []
    const { pool, peer } = await lines(
      {},
      (request, { socket }) => void held.push(() => socket.write(request)),
    )
    const before = ask(pool, 'before')
    await until('it is with the peer', () => held.length === 1)
    pool.reload(again(peer, { multiplex: { inFlight: 2 } }))
    const after = Array.from({ length: 4 }, (_, index) => ask(pool, `after ${index}`))
    await until('the new one has as many as it may', () => held.length === 3)
    while (held.length > 0) {
      held.shift()?.()
      await new Promise(setImmediate)
    }
    await until('the rest has come', () => held.length === 2)
    for (const answer of held) answer()
    expect([await before, ...(await Promise.all(after))]).toEqual([
      'before',
      ...after.map((_, index) => `after ${index}`),
    ])
    await until('the old connection is closed', () => peer.sockets.size === 1)
    expect(peer.accepted).toBe(2)
  })

  test('gives each exchange a connection to itself where it is shared no more', async () => {
    const { pool, peer } = await lines()
    await ask(pool, 'before')
    pool.reload(again(peer, {}))
    expect(await ask(pool, 'after')).toBe('after')
    await until('the shared connection is closed', () => pool.targets()[0]?.connections.multiplexed === 0)
    expect(pool.targets()[0]?.multiplex).toBeNull()
  })

  test('is shared by attached threads too from then on, which had leased its connections', async () => {
    const peer = await startMultiplexPeer('line')
    const pool = await openPool({ targets: { it: targetOf(peer, { frame: 'line' }) } })
    const thread = attach(pool, 'sharedLater')
    expect(await thread.next()).toEqual(['a\n', 'b\n'])
    expect(pool.targets()[0]?.connections.multiplexed).toBe(0)
    pool.reload(again(peer, { multiplex: {} }))
    thread.worker.postMessage('again')
    expect(await thread.next()).toEqual(['a\n', 'b\n'])
    expect(pool.targets()[0]?.connections.multiplexed).toBe(1)
  })

  test('is a new one where it comes back, also where nobody has called meanwhile', async () => {
    const { pool, peer } = await lines()
    await ask(pool, 'before')
    pool.reload(again(peer, { multiplex: { inFlight: 2 } }))
    pool.reload(again(peer, { multiplex: {} }))
    await until('the old connection is closed', () => peer.sockets.size === 0)
    expect(await ask(pool, 'again')).toBe('again')
    pool.reload({ targets: {} })
    await expect(ask(pool, 'none')).rejects.toMatchObject({ code: 'TARGET_NOT_FOUND' })
    await until('its connection is closed', () => peer.sockets.size === 0)
    pool.reload(again(peer, { multiplex: {} }))
    expect(await ask(pool, 'back')).toBe('back')
    expect(peer.accepted).toBe(3)
  })

  test('fails the waiting calls of a tenant that may use it no more', async () => {
    const held: (() => void)[] = []
    const { pool } = await lines(
      { inFlight: 1 },
      (request, { socket }) => void held.push(() => socket.write(request)),
    )
    const first = ask(pool, 'first', { tenant: 'stays' })
    await until('it is with the peer', () => held.length === 1)
    const gone = ask(pool, 'gone', { tenant: 'goes' })
    const next = ask(pool, 'next', { tenant: 'stays' })
    await until('both wait', () => row(pool).queued === 2)
    pool.reload({ mayUse: tenant => tenant === 'stays' })
    await expect(gone).rejects.toMatchObject({ code: 'FORBIDDEN' })
    held[0]?.()
    expect(await first).toBe('first')
    await until('the next is with the peer', () => held.length === 2)
    held[1]?.()
    expect(await next).toBe('next')
  })
})

describe('answers that are found by an id', () => {
  const call = async (pool: Pool, id: number, body: string, more: object = {}): Promise<Buffer> =>
    (await pool.exchange('it', { write: modbus(id, body), timeoutMs: 5_000, ...more })).data

  test('may come in any order, and callers may all use one id', async () => {
    const held: { readonly request: Buffer; readonly send: () => void }[] = []
    const { pool, peer } = await ids(
      {},
      (request, { socket }) => void held.push({ request, send: () => socket.write(request) }),
    )
    const calls = Array.from({ length: 40 }, (_, index) => call(pool, 7, `body ${index}`))
    await until('all have come', () => held.length === 40)
    expect(new Set(held.map(({ request }) => idOf(request))).size).toBe(40)
    for (const { send } of held.toReversed()) send()
    const answers = await Promise.all(calls)
    expect(answers.map(bodyOf)).toEqual(answers.map((_, index) => `body ${index}`))
    expect(answers.map(idOf)).toEqual(answers.map(() => 7))
    expect(peer.accepted).toBe(1)
  })

  test('are given up after a while, and the connection stays', async () => {
    const held: (() => void)[] = []
    const { pool, peer } = await ids({ orphanMs: 30 }, (request, { socket }) => {
      if (bodyOf(request) === 'late') held.push(() => socket.write(request))
      else socket.write(request)
    })
    await call(pool, 1, 'hello')
    await expect(call(pool, 1, 'late', { timeoutMs: 20 })).rejects.toMatchObject({ code: 'READ_TIMEOUT' })
    expect(row(pool).orphans).toBe(1)
    expect(bodyOf(await call(pool, 1, 'now'))).toBe('now')
    await until('it was given up', () => row(pool).orphans === 0)
    held[0]?.()
    await until('it came after all', () => row(pool).unsolicited === 1)
    expect(bodyOf(await call(pool, 1, 'then'))).toBe('then')
    expect(peer.accepted).toBe(1)
  })

  test('that were given up have their ids used by nobody', async () => {
    const seen: number[] = []
    const { pool } = await ids(
      { match: { offset: 0, bytes: 1 }, inFlight: 8, orphanMs: 1 },
      (request, side) => {
        seen.push(request[0] ?? 0)
        if (bodyOf(request) !== 'lost') side.socket.write(request)
      },
    )
    await call(pool, 1, 'hello')
    await expect(call(pool, 1, 'lost', { timeoutMs: 20 })).rejects.toMatchObject({ code: 'READ_TIMEOUT' })
    await until('it was given up', () => row(pool).orphans === 0)
    for (let count = 0; count < 300; count++) await call(pool, 1, 'x')
    const [, lost, ...others] = seen
    expect(others).not.toContain(lost)
  })

  test('and are too short to have one answer nobody', async () => {
    const peer = await startMultiplexPeer('line')
    const it = targetOf(peer, { frame: 'line', multiplex: { match: { offset: 0, bytes: 4 } } })
    const pool = await openPool({ targets: { it } })
    expect(await ask(pool, 'AAAAx')).toBe('AAAAx')
    await expect(ask(pool, 'AA')).rejects.toMatchObject({ code: 'FRAME_MISMATCH' })
    peer.sides[0]?.socket.write('A\n')
    await until('it has come', () => row(pool).unsolicited === 1)
    expect(await ask(pool, 'BBBBx')).toBe('BBBBx')
  })

  test('may be known to a module', async () => {
    const url = new URL('../fixtures/multiplex/json-ids.ts', import.meta.url).href
    const peer = await startMultiplexPeer(
      'line',
      (request, { socket }) =>
        void sleep(Number(JSON.parse(String(request)).wait)).then(() => socket.write(request)),
    )
    const it = targetOf(peer, { frame: 'line', multiplex: { match: { module: url } } })
    const pool = await openPool({ targets: { it } })
    const texts = [30, 20, 10, 0].map(wait => JSON.stringify({ id: 'same', wait }))
    expect(await Promise.all(texts.map(text => ask(pool, text)))).toEqual(texts)
    const broken = expect.objectContaining({ code: 'FRAME_MISMATCH' })
    await expect(ask(pool, 'no JSON')).rejects.toEqual(broken)
  })
})

test('threads that are attached share the connections of the pool, blocking or not', async () => {
  const { pool, peer } = await lines()
  const threads = [0, 1, 2].map(name => attach(pool, 'shared', name))
  const mismatch = { code: 'FRAME_MISMATCH' }
  for (const thread of threads)
    expect(await thread.next()).toMatchObject({
      right: 20,
      refused: mismatch,
      refusedSync: mismatch,
      aborted: { code: 'ABORTED' },
    })
  expect(peer.accepted).toBe(1)
})
