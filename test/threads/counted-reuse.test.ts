/** Reuse that is earned by an even count of requests and answers, whatever calls wrote and read the bytes. */
import type { Socket } from 'node:net'
import { describe, expect, test } from 'vitest'
import type { Lease } from '../../src/pool/lease/lease.ts'
import type { Pool } from '../../src/pool/pool.ts'
import type { ReleaseResult } from '../../src/pool/target/release-result.ts'
import { attach } from '../support/attached.ts'
import { startLineServer } from '../support/line-server.ts'
import { openPool, targetOf } from '../support/pool-fixture.ts'
import { findService } from '../support/services.ts'
import type { TestServer } from '../support/test-server.ts'
import { until } from '../support/until.ts'

const CLEAN: ReleaseResult = { outcome: 'reused', reason: 'clean' }
const closed = (reason: ReleaseResult['reason']): ReleaseResult => ({ outcome: 'closed', reason })
const READER = new URL('../fixtures/threads/live-reader.ts', import.meta.url)

type Respond = (socket: Socket, word: string) => void

/** Answers each inline command with itself; LATE when it is told to, TWICE twice, PUSH behind a push. */
class RespPeer {
  readonly server: TestServer
  readonly late: readonly (() => void)[]

  private constructor(server: TestServer, late: readonly (() => void)[]) {
    this.server = server
    this.late = late
  }

  static async start(): Promise<RespPeer> {
    const late: (() => void)[] = []
    const special: Record<string, Respond> = {
      LATE: socket => late.push(() => socket.write('+LATE\r\n')),
      TWICE: socket => socket.write('+TWICE\r\n+TWICE\r\n'),
      PUSH: socket => socket.write('>2\r\n+message\r\n+it\r\n+PUSH\r\n'),
      HALF: socket => socket.write('$4\r\n'),
      BROKEN: socket => socket.write('?BROKEN\r\n'),
    }
    const echoed: Respond = (socket, word) => socket.write(`+${word}\r\n`)
    const server = await startLineServer(
      (line, socket) => {
        const word = line.trim().split(' ')[0] ?? ''
        const respond = special[word] ?? echoed
        respond(socket, word)
      },
      { tolerant: true },
    )
    return new RespPeer(server, late)
  }
}

async function opened(peer: RespPeer, more: Parameters<typeof targetOf>[1] = {}): Promise<Pool> {
  return await openPool({ ioWorkers: 1, targets: { it: targetOf(peer.server, { frame: 'resp', ...more }) } })
}

/** How many of the first target's connections were closed for this reason. */
function closedFor(pool: Pool, reason: string): number {
  return pool.targets()[0]?.closed[reason] ?? 0
}

async function lines(lease: Lease, count: number): Promise<void> {
  for (let line = 0; line < count; line++) await lease.reader.readLine({ timeoutMs: 5_000 })
}

/** Leases, writes, reads so many lines, and releases. */
async function asked(pool: Pool, questions: string, count: number): Promise<ReleaseResult> {
  const lease = await pool.lease('it')
  lease.writer.write(questions)
  await lines(lease, count)
  return await lease.release()
}

describe('a connection whose messages are counted', () => {
  test('serves again after a pipeline, question for answer', async () => {
    const peer = await RespPeer.start()
    const pool = await opened(peer)
    for (let round = 0; round < 20; round++) expect(await asked(pool, 'A\r\nB\r\nPUSH\r\n', 6)).toEqual(CLEAN)
    expect(peer.server.accepted).toBe(1)
  })

  test('is closed while an answer is to come, which never reaches the next lease', async () => {
    const peer = await RespPeer.start()
    const pool = await opened(peer)
    expect(await asked(pool, 'A\r\nLATE\r\n', 1)).toEqual(closed('unanswered'))
    const next = await pool.lease('it')
    expect(next.reused).toBe(false)
    peer.late[0]?.()
    next.writer.write('B\r\n')
    expect((await next.reader.readLine()).toString()).toBe('+B\r\n')
    expect(await next.release()).toEqual(CLEAN)
    expect(pool.targets()[0]?.closed).toEqual({ unanswered: 1 })
  })

  test.each<[ReleaseResult['reason'], string, number]>([
    ['unanswered', 'A\r\nHALF\r\n', 2],
    ['unanswered', 'A\r\nB', 1],
    ['poisoned', 'A\r\nTWICE\r\n', 3],
    ['error', 'A\r\nBROKEN\r\n', 2],
    ['error', 'A "quoted"\r\n', 1],
    ['policy', 'SELECT 1\r\n', 1],
    ['policy', 'WATCH a\r\n', 1],
  ])('is closed as %s after %j, of which %s lines were read', async (reason, questions, count) => {
    const peer = await RespPeer.start()
    const pool = await opened(peer)
    expect(await asked(pool, questions, count)).toEqual(closed(reason))
    await until('it is counted', () => closedFor(pool, reason) === 1)
    expect(await asked(pool, 'A\r\n', 1)).toEqual(CLEAN)
    expect(peer.server.accepted).toBe(2)
  })

  test('is closed as unread while an answer lies there', async () => {
    const peer = await RespPeer.start()
    const pool = await opened(peer)
    const lease = await pool.lease('it')
    lease.writer.write('A\r\nB\r\n')
    await lines(lease, 1)
    await until('the second came', () => lease.reader.buffered > 0)
    expect(await lease.release()).toEqual(closed('unread'))
  })

  test('serves again though a read was given up, once its answer was read after all', async () => {
    const peer = await RespPeer.start()
    const pool = await opened(peer)
    const lease = await pool.lease('it')
    lease.writer.write('LATE\r\n')
    await expect(lease.reader.readLine({ timeoutMs: 5 })).rejects.toMatchObject({ code: 'READ_TIMEOUT' })
    await until('it was asked', () => peer.late.length === 1)
    peer.late[0]?.()
    await lines(lease, 1)
    expect(await lease.release()).toEqual(CLEAN)
  })

  test('is closed as timed_out where a read was given up and its answer is still to come', async () => {
    const peer = await RespPeer.start()
    const pool = await opened(peer)
    const lease = await pool.lease('it')
    lease.writer.write('LATE\r\n')
    await expect(lease.reader.readLine({ timeoutMs: 5 })).rejects.toMatchObject({ code: 'READ_TIMEOUT' })
    await until('it was sent', () => lease.writer.buffered === 0)
    expect(await lease.release()).toEqual(closed('timed_out'))
    await until('it is counted', () => closedFor(pool, 'timed_out') === 1)
  })

  test('serves again after a dialog that undoes what a command has changed, and not before', async () => {
    const peer = await RespPeer.start()
    const onRelease = [{ send: 'RESET\r\n' }, { expect: '+RESET\r\n' }]
    const pool = await opened(peer, { onRelease })
    expect(await asked(pool, 'SELECT 1\r\n', 1)).toEqual(CLEAN)
    expect(await asked(pool, 'A\r\nTWICE\r\n', 3)).toEqual(CLEAN)
    expect(await asked(pool, 'A\r\nLATE\r\n', 1)).toEqual(closed('unanswered'))
    expect(peer.server.accepted).toBe(1)
  })

  test('counts nothing by a frame that proves nothing, and is judged as one without', async () => {
    const peer = await RespPeer.start()
    const pool = await opened(peer, { frame: { delimiter: '\r\n' } })
    expect(await asked(pool, 'A\r\nTWICE\r\n', 3)).toEqual(CLEAN)
    expect(await asked(pool, 'HALF\r\n', 1)).toEqual(CLEAN)
  })
})

/** Each asks these questions and has so many lines of answers read. */
const WAYS: Record<string, (pool: Pool, questions: readonly string[], count: number) => Promise<unknown>> = {
  write: (pool, questions, count) => asked(pool, questions.join(''), count),
  writeLines: async (pool, questions, count) => {
    const lease = await pool.lease('it')
    lease.writer.writeLines(questions)
    await lines(lease, count)
    return await lease.release()
  },
  'single bytes': async (pool, questions, count) => {
    const lease = await pool.lease('it')
    for (const byte of questions.join('')) {
      lease.writer.write(byte)
      await lease.writer.drain()
    }
    await lines(lease, count)
    return await lease.release()
  },
  parse: async (pool, questions, count) => {
    const lease = await pool.lease('it')
    lease.writer.write(questions.join(''))
    for (let answer = 0; answer < count; answer++) await lease.parse('lines')
    return await lease.release()
  },
  'a parse worker': async (pool, questions, count) => {
    const lease = await pool.lease('it')
    lease.writer.write(questions.join(''))
    for (let answer = 0; answer < count; answer++) await lease.run(READER, 'line')
    return await lease.release()
  },
  'a Duplex': async (pool, questions, count) => {
    const lease = await pool.lease('it')
    const socket = lease.toDuplex()
    let received = ''
    socket.on('data', bytes => (received += bytes))
    socket.write(questions.join(''))
    await until('the answers came', () => received.split('\n').length > count)
    return await lease.release()
  },
  'a blocking lease': async (pool, questions, count) =>
    await attach(pool, 'asks', { questions: questions.join(''), lines: count }).next(),
}

test.each(Object.keys(WAYS))('messages that go by %s are counted', async way => {
  const peer = await RespPeer.start()
  const pool = await opened(peer)
  expect(await WAYS[way]?.(pool, ['A\r\n', 'B\r\n'], 2)).toEqual(CLEAN)
  expect(await WAYS[way]?.(pool, ['A\r\n', 'LATE\r\n'], 1)).toEqual(closed('unanswered'))
  expect(peer.server.accepted).toBe(1)
})

test('an exchange reads one answer of a pipeline, and its connection is closed', async () => {
  const peer = await RespPeer.start()
  const pool = await opened(peer)
  const { data } = await pool.exchange('it', { write: 'A\r\nLATE\r\n', read: { line: true } })
  expect(data.toString()).toBe('+A\r\n')
  await until('it was closed', () => closedFor(pool, 'unanswered') === 1)
})

describe('Redis', () => {
  test('serves again where each command has its answer, and after a change only by RESET', async ({
    skip,
  }) => {
    const place = await findService('redis', skip)
    const target = { ...place, pool: { max: 1 } }
    const pool = await openPool({
      targets: { plain: { ...target, frame: 'resp' }, reset: { ...target, preset: 'redis' } },
    })
    const release = async (name: string, questions: string, count: number): Promise<ReleaseResult> => {
      const lease = await pool.lease(name)
      lease.writer.write(questions)
      await lines(lease, count)
      return await lease.release()
    }
    expect(await release('plain', 'PING\r\nECHO hello\r\n', 3)).toEqual(CLEAN)
    expect(await release('plain', 'PING\r\nBLPOP sockpool:none 1\r\n', 1)).toEqual(closed('unanswered'))
    expect(await release('plain', 'MULTI\r\nPING\r\n', 2)).toEqual(closed('policy'))
    expect(await release('reset', 'MULTI\r\nPING\r\n', 2)).toEqual(CLEAN)
    expect(await release('reset', 'SUBSCRIBE sockpool:none\r\n', 6)).toEqual(CLEAN)
    expect(await release('reset', 'PING\r\n', 1)).toEqual(CLEAN)
  })
})
