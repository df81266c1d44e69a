import { describe, expect, test } from 'vitest'
import type { Lease } from '../../src/pool/lease/lease.ts'
import type { ReleaseResult } from '../../src/pool/target/release-result.ts'
import { echoLine, startLineServer } from '../support/line-server.ts'
import { poolCounts } from '../support/open-connections.ts'
import { PatternCheck, pattern } from '../support/pattern-check.ts'
import { openPool, targetOf } from '../support/pool-fixture.ts'
import { echo, startTestServer } from '../support/test-server.ts'
import { until } from '../support/until.ts'

async function ask(lease: Lease, line: string): Promise<string> {
  lease.writer.write(`${line}\n`)
  return (await lease.reader.readLine({ timeoutMs: 2_000 })).toString()
}

const closed = (reason: ReleaseResult['reason']): ReleaseResult => ({ outcome: 'closed', reason })
const CLEAN: ReleaseResult = { outcome: 'reused', reason: 'clean' }

describe('Lease.release', () => {
  test.each([false, true])(
    'is clean at a message boundary, and the connection serves again (tls %s)',
    async tls => {
      const server = await startLineServer(echoLine, { tls })
      const pool = await openPool({ targets: { it: targetOf(server, { reuse: 'clean' }) } })
      const ids = new Set<string>()
      for (let round = 0; round < 50; round++) {
        const lease = await pool.lease('it')
        expect(lease.reused).toBe(round > 0)
        ids.add(lease.connection.id)
        expect(await ask(lease, `round ${round}`)).toBe(`round ${round}\n`)
        expect(await lease.release()).toEqual(CLEAN)
      }
      expect(ids.size).toBe(1)
      expect(server.accepted).toBe(1)
    },
  )

  test('is clean for a lease that did nothing', async () => {
    const server = await startLineServer(echoLine)
    const pool = await openPool({ targets: { it: targetOf(server, { reuse: 'clean' }) } })
    expect(await (await pool.lease('it')).release()).toEqual(CLEAN)
    const next = await pool.lease('it')
    expect(await ask(next, 'x')).toBe('x\n')
  })

  test('is policy where the target does not reuse, which is the default', async () => {
    const server = await startLineServer(echoLine)
    const pool = await openPool({ targets: { it: targetOf(server) } })
    const lease = await pool.lease('it')
    await ask(lease, 'x')
    expect(await lease.release()).toEqual(closed('policy'))
    expect((await pool.lease('it')).reused).toBe(false)
  })

  test('is discarded where the holder says so', async () => {
    const server = await startLineServer(echoLine)
    const pool = await openPool({ targets: { it: targetOf(server, { reuse: 'clean' }) } })
    const lease = await pool.lease('it')
    await ask(lease, 'x')
    expect(await lease.discard()).toEqual(closed('discarded'))
  })

  test('is unread while received bytes are left', async () => {
    const server = await startLineServer((line, socket) => socket.write(`${line}\nand more\n`))
    const pool = await openPool({ targets: { it: targetOf(server, { reuse: 'clean' }) } })
    const lease = await pool.lease('it')
    await ask(lease, 'x')
    await until('the rest came', () => lease.reader.buffered > 0)
    expect(await lease.release()).toEqual(closed('unread'))
  })

  test('is unsent while written bytes are left, which still go out', async () => {
    const server = await startTestServer(socket => socket.write('go\n'))
    const pool = await openPool({ targets: { it: targetOf(server, { reuse: 'clean' }) } })
    const lease = await pool.lease('it')
    const peer = await server.connection()
    const total = 16_000_000
    lease.writer.write(pattern(0, total))
    await lease.reader.readLine()
    const released = lease.release()
    const check = new PatternCheck()
    for await (const bytes of peer) check.take(bytes)
    expect(check.received).toBe(total)
    expect(await released).toEqual(closed('unsent'))
  })

  test('is unanswered when nothing was read since the last write', async () => {
    const server = await startLineServer(() => {})
    const pool = await openPool({ targets: { it: targetOf(server, { reuse: 'clean' }) } })
    const lease = await pool.lease('it')
    lease.writer.write('hello?\n')
    await until('it was sent', () => lease.writer.buffered === 0)
    expect(await lease.release()).toEqual(closed('unanswered'))
  })

  test('is timed_out when a read was given up and none has completed since', async () => {
    const server = await startLineServer(() => {})
    const pool = await openPool({ targets: { it: targetOf(server, { reuse: 'clean' }) } })
    const late = await pool.lease('it')
    await expect(late.reader.readLine({ timeoutMs: 10 })).rejects.toMatchObject({ code: 'READ_TIMEOUT' })
    expect(await late.release()).toEqual(closed('timed_out'))
    const left = await pool.lease('it')
    const controller = new AbortController()
    const reading = left.reader.readLine({ signal: controller.signal })
    controller.abort()
    await expect(reading).rejects.toMatchObject({ code: 'ABORTED' })
    expect(await left.release()).toEqual(closed('timed_out'))
  })

  test('is timed_out for ever after a read was given up, for its answer may come for the next question', async () => {
    const server = await startLineServer((line, socket) => void setTimeout(() => echoLine(line, socket), 30))
    const pool = await openPool({ targets: { it: targetOf(server, { reuse: 'clean' }) } })
    const lease = await pool.lease('it')
    lease.writer.write('slow\n')
    await expect(lease.reader.readLine({ timeoutMs: 1 })).rejects.toMatchObject({ code: 'READ_TIMEOUT' })
    expect((await lease.reader.readLine()).toString()).toBe('slow\n')
    expect(await lease.release()).toEqual(closed('timed_out'))
  })

  test('is timed_out while a read still waits, which then ends with LEASE_GONE', async () => {
    const server = await startLineServer(() => {})
    const pool = await openPool({ targets: { it: targetOf(server, { reuse: 'clean' }) } })
    const lease = await pool.lease('it')
    const reading = lease.reader.readLine().catch(error => error)
    expect(await lease.release()).toEqual(closed('timed_out'))
    expect(await reading).toMatchObject({ code: 'LEASE_GONE', reason: 'released' })
  })

  test.each(['ours', 'the peer’s'])('is half_closed after the end of %s direction', async whose => {
    const server = await startTestServer(socket => socket.resume(), { halfOpen: true, tolerant: true })
    const pool = await openPool({ targets: { it: targetOf(server, { reuse: 'clean' }) } })
    const lease = await pool.lease('it')
    const peer = await server.connection()
    if (whose === 'ours') lease.writer.writeEof()
    else {
      peer.end()
      expect((await lease.reader.read(1)).length).toBe(0)
    }
    expect(await lease.release()).toEqual(closed('half_closed'))
  })

  test('is error after a reset', async () => {
    const server = await startTestServer(() => {})
    const pool = await openPool({ targets: { it: targetOf(server, { reuse: 'clean' }) } })
    const lease = await pool.lease('it')
    const peer = await server.connection()
    peer.resetAndDestroy()
    await expect(lease.writer.waitClosed()).rejects.toMatchObject({ code: 'CONNECTION_RESET' })
    expect(await lease.release()).toEqual(closed('error'))
  })

  test('is lifetime for a connection that grew too old under its lease', async () => {
    const server = await startLineServer(echoLine)
    const pool = await openPool({
      targets: { it: targetOf(server, { reuse: 'clean', pool: { maxLifetimeMs: 60 } }) },
    })
    const lease = await pool.lease('it')
    await until('it was old', () => lease.ageMs > 60)
    expect(await ask(lease, 'still mine')).toBe('still mine\n')
    expect(await lease.release()).toEqual(closed('lifetime'))
  })

  test('answers the same when called again, and after discard', async () => {
    const server = await startLineServer(echoLine)
    const pool = await openPool({ targets: { it: targetOf(server, { reuse: 'clean' }) } })
    const lease = await pool.lease('it')
    await ask(lease, 'x')
    const verdicts = await Promise.all([lease.release(), lease.release(), lease.discard()])
    expect(verdicts).toEqual([CLEAN, CLEAN, CLEAN])
    expect(poolCounts(pool)).toMatchObject({ leases: 0, connections: 1 })
  })
})

describe('onRelease', () => {
  const onRelease = [{ send: 'RESET\n' }, { expect: '+RESET\n' }]

  test('lets a connection serve again after its dialog', async () => {
    const seen: string[] = []
    const server = await startLineServer((line, socket) => {
      seen.push(line)
      socket.write(line === 'RESET' ? '+RESET\n' : `${line}\n`)
    })
    const pool = await openPool({ targets: { it: targetOf(server, { onRelease }) } })
    const lease = await pool.lease('it')
    await ask(lease, 'one')
    expect(await lease.release()).toEqual(CLEAN)
    const next = await pool.lease('it')
    expect(next.reused).toBe(true)
    await ask(next, 'two')
    expect(seen).toEqual(['one', 'RESET', 'two'])
  })

  test.each([
    ['dialog_failed', '-ERR\n'],
    ['poisoned', '+RESET\nand more\n'],
  ] as const)('closes with %s where the answer is %j', async (reason, answer) => {
    const server = await startLineServer((line, socket) =>
      socket.write(line === 'RESET' ? answer : `${line}\n`),
    )
    const pool = await openPool({ targets: { it: targetOf(server, { onRelease }) } })
    const lease = await pool.lease('it')
    await ask(lease, 'x')
    expect(await lease.release()).toEqual(closed(reason))
    expect((await pool.lease('it')).reused).toBe(false)
  })

  test('closes where the peer hangs up in its midst', async () => {
    const server = await startLineServer((line, socket) =>
      line === 'RESET' ? socket.end() : echoLine(line, socket),
    )
    const pool = await openPool({ targets: { it: targetOf(server, { onRelease }) } })
    const lease = await pool.lease('it')
    await ask(lease, 'x')
    expect((await lease.release()).outcome).toBe('closed')
  })
})

describe('bytes that nobody asked for', () => {
  test('kill an idle connection', async () => {
    const server = await startLineServer(echoLine)
    const pool = await openPool({ targets: { it: targetOf(server, { reuse: 'clean' }) } })
    const lease = await pool.lease('it')
    const peer = await server.connection()
    await ask(lease, 'x')
    expect(await lease.release()).toEqual(CLEAN)
    peer.write('late news\n')
    await until('it was gone', () => poolCounts(pool).connections === 0)
    expect(pool.targets()[0]?.closed).toEqual({ poisoned: 1 })
    expect(await ask(await pool.lease('it'), 'y')).toBe('y\n')
  })

  test('are a greeting before the first lease, and kept for it', async () => {
    const server = await startLineServer(echoLine, { greeting: '220 ready\n' })
    const pool = await openPool({ targets: { it: targetOf(server, { reuse: 'clean', pool: { min: 1 } }) } })
    const peer = await server.connection()
    await until('the greeting was sent', () => peer.writableLength === 0)
    await until('the connection lay ready', () => pool.targets()[0]?.connections.idle === 1)
    const lease = await pool.lease('it')
    expect((await lease.reader.readLine()).toString()).toBe('220 ready\n')
    expect(await ask(lease, 'x')).toBe('x\n')
    expect(await lease.release()).toEqual(CLEAN)
    const next = await pool.lease('it')
    expect(next.reused).toBe(true)
    expect(await ask(next, 'y')).toBe('y\n')
  })

  test('FIN ends an idle connection', async () => {
    const server = await startLineServer(echoLine)
    const pool = await openPool({ targets: { it: targetOf(server, { reuse: 'clean' }) } })
    const lease = await pool.lease('it')
    const peer = await server.connection()
    await ask(lease, 'x')
    await lease.release()
    peer.end()
    await until('it was gone', () => poolCounts(pool).connections === 0)
  })

  /** The first line of each connection is answered twice, the second time when the test says so. */
  async function startLateServer(): Promise<{
    server: Awaited<ReturnType<typeof startLineServer>>
    late: () => void
  }> {
    let late = (): void => {}
    const server = await startLineServer((line, socket) => {
      socket.write(`${line}\n`)
      const isFirst = server.accepted === 1 && line === 'one'
      if (isFirst) late = () => socket.write('late answer to one\n')
    })
    return { server, late: () => late() }
  }

  test('a late answer never reaches the next lease by default', async () => {
    const { server, late } = await startLateServer()
    const pool = await openPool({ targets: { it: targetOf(server) } })
    const lease = await pool.lease('it')
    expect(await ask(lease, 'one')).toBe('one\n')
    const released = lease.release()
    const next = await pool.lease('it')
    late()
    expect(await ask(next, 'two')).toBe('two\n')
    expect(await released).toEqual(closed('policy'))
    await expect(next.reader.readLine({ timeoutMs: 50 })).rejects.toMatchObject({ code: 'READ_TIMEOUT' })
  })

  test('a late answer can reach the next lease where the operator chose reuse: clean', async () => {
    const { server, late } = await startLateServer()
    const pool = await openPool({ targets: { it: targetOf(server, { reuse: 'clean' }) } })
    const lease = await pool.lease('it')
    expect(await ask(lease, 'one')).toBe('one\n')
    // To all that can be seen the conversation is over; only the operator's word says that it is.
    expect(await lease.release()).toEqual(CLEAN)
    const next = await pool.lease('it')
    late()
    expect((await next.reader.readLine()).toString()).toBe('late answer to one\n')
  })
})

describe('onConnect', () => {
  const onConnect = [{ expect: 'hello\n' }, { send: 'AUTH me\n' }, { expect: '+OK\n' }]

  test('runs before the first lease and leaves nothing of itself behind', async () => {
    const server = await startLineServer(
      (line, socket) => socket.write(line === 'AUTH me' ? '+OK\nwelcome\n' : `${line}\n`),
      { greeting: 'hello\n' },
    )
    const pool = await openPool({ targets: { it: targetOf(server, { onConnect, reuse: 'clean' }) } })
    const lease = await pool.lease('it')
    expect((await lease.reader.readLine()).toString()).toBe('welcome\n')
    expect(await ask(lease, 'x')).toBe('x\n')
    expect(await lease.release()).toEqual(CLEAN)
    expect(server.accepted).toBe(1)
  })

  test.each([
    ['an answer that is another', 'hello\n', '-ERR\n', { step: 3, reason: 'unexpected' }],
    ['a greeting that is another', 'go away\n', '', { step: 1, reason: 'unexpected' }],
  ])('fails the dial with DIALOG_FAILED and the step for %s', async (_what, greeting, answer, details) => {
    const server = await startLineServer((_line, socket) => void socket.write(answer), { greeting })
    const pool = await openPool({ targets: { it: targetOf(server, { onConnect }) } })
    await expect(pool.lease('it')).rejects.toMatchObject({ code: 'DIALOG_FAILED', ...details })
    expect(poolCounts(pool)).toMatchObject({ connections: 0, leases: 0 })
  })

  test('fails the dial where the peer hangs up in its midst', async () => {
    const server = await startLineServer((_line, socket) => socket.end(), { greeting: 'hello\n' })
    const pool = await openPool({ targets: { it: targetOf(server, { onConnect }) } })
    await expect(pool.lease('it')).rejects.toMatchObject({ code: 'DIALOG_FAILED', step: 3, reason: 'closed' })
  })
})

test('a peer that says its piece and ends at once is heard by the lease that dialled it', async () => {
  const server = await startTestServer(socket => socket.end('15:04\n'))
  const pool = await openPool({ targets: { it: targetOf(server) } })
  for (let round = 0; round < 50; round++) {
    const lease = await pool.lease('it')
    expect((await lease.reader.read()).toString()).toBe('15:04\n')
    await lease.release()
  }
  await until('all were accepted', () => server.accepted === 50)
})

test('a peer that resets at once fails the dial instead of being dialled over and over', async () => {
  const server = await startTestServer(socket => socket.resetAndDestroy())
  // A dial that hears of the reset in time has failed, and enough of them in a row would open the breaker.
  const breaker = { failures: 1_000, openForMs: 1_000 }
  const pool = await openPool({ targets: { it: targetOf(server, { breaker }) } })
  for (let round = 0; round < 20; round++) {
    const outcome = await pool
      .lease('it')
      .then(
        lease => lease.reader.read(1),
        error => Promise.reject(error),
      )
      .catch(error => error)
    expect(['CONNECT_FAILED', 'CONNECTION_RESET']).toContain(outcome.code)
  }
  expect(server.accepted).toBeLessThanOrEqual(20)
})

test('echo keeps its pace while connections come and go', async () => {
  const server = await startTestServer(echo)
  const pool = await openPool({ targets: { it: targetOf(server, { reuse: 'clean', pool: { max: 4 } }) } })
  await Promise.all(
    Array.from({ length: 200 }, async (_, index) => {
      const lease = await pool.lease('it')
      lease.writer.write(`line ${index}\n`)
      expect((await lease.reader.readLine()).toString()).toBe(`line ${index}\n`)
      if (index % 7 === 0) await lease.discard()
      else await lease.release()
    }),
  )
})
