import { describe, expect, test } from 'vitest'
import type { WorkerEvent } from '../../src/library/create-pool.ts'
import type { LeaseReport } from '../../src/pool/lease/lease-report.ts'
import type { PoolEvent } from '../../src/pool/pool-deps.ts'
import { echoLine, startLineServer } from '../support/line-server.ts'
import { poolCounts } from '../support/open-connections.ts'
import { PatternCheck, pattern } from '../support/pattern-check.ts'
import { openPool, openServicePool, targetOf } from '../support/pool-fixture.ts'
import { echo, startTestServer } from '../support/test-server.ts'
import { until } from '../support/until.ts'

describe('a lease with a ttl', () => {
  test('expires without an operation, and its connection closes', async () => {
    const server = await startTestServer(echo)
    const pool = await openPool({ targets: { it: targetOf(server, { reuse: 'clean' }) } })
    const lease = await pool.lease('it', { ttlMs: 40 })
    expect(lease.expiresAt?.getTime()).toBeGreaterThan(Date.now())
    expect(await lease.ended).toBe('expired')
    expect(lease.gone).toBe('expired')
    await expect(lease.reader.read(1)).rejects.toMatchObject({ code: 'LEASE_GONE', reason: 'expired' })
    await expect(lease.writer.drain()).rejects.toMatchObject({ code: 'LEASE_GONE' })
    expect(() => lease.renew()).toThrow(expect.objectContaining({ code: 'LEASE_GONE' }))
    await until('its connection was closed', () => poolCounts(pool).connections === 0)
    expect((await lease.release()).outcome).toBe('closed')
  })

  test('is held as long as it is renewed', async () => {
    const server = await startTestServer(echo)
    const pool = await openPool({ targets: { it: targetOf(server) } })
    const lease = await pool.lease('it', { ttlMs: 200 })
    for (let round = 0; round < 4; round++) {
      await until('half the ttl had passed', () => lease.idleMs > 100)
      expect(lease.renew()?.getTime()).toBeGreaterThan(Date.now() + 150)
    }
    expect(lease.gone).toBeNull()
    lease.renew(10)
    expect(await lease.ended).toBe('expired')
  })

  test('does not expire while an operation of its runs', async () => {
    const server = await startLineServer((line, socket) => void setTimeout(() => echoLine(line, socket), 150))
    const pool = await openPool({ targets: { it: targetOf(server) } })
    const lease = await pool.lease('it', { ttlMs: 40 })
    lease.writer.write('slow\n')
    const line = await lease.operation('readline', () => lease.reader.readLine())
    expect(line.toString()).toBe('slow\n')
    expect(lease.gone).toBeNull()
    expect(lease.lastOperation).toBe('readline')
    expect(await lease.ended).toBe('expired')
  })

  test('does not expire under its own reader and writer', async () => {
    const server = await startLineServer((line, socket) => void setTimeout(() => echoLine(line, socket), 30))
    const pool = await openPool({ targets: { it: targetOf(server) } })
    const lease = await pool.lease('it', { ttlMs: 60 })
    for (let round = 0; round < 6; round++) {
      lease.writer.write(`round ${round}\n`)
      expect((await lease.reader.readLine()).toString()).toBe(`round ${round}\n`)
    }
    expect(lease.gone).toBeNull()
    const waiting = lease.reader.readLine({ timeoutMs: 150 })
    await expect(waiting).rejects.toMatchObject({ code: 'READ_TIMEOUT' })
    expect(await lease.ended).toBe('expired')
  })

  test('is the service’s default, from its target; a library’s lease has none', async () => {
    const server = await startTestServer(echo)
    const targets = { it: targetOf(server, { pool: { leaseTtlMs: 40 } }) }
    const lease = await openServicePool({ targets }).lease('it')
    expect(await lease.ended).toBe('expired')
    expect((await (await openPool({ targets })).lease('it')).expiresAt).toBeNull()
  })
})

describe('Pool.use', () => {
  test('releases on return and discards on throw', async () => {
    const server = await startLineServer(echoLine)
    const pool = await openPool({ targets: { it: targetOf(server, { reuse: 'clean' }) } })
    const line = await pool.use('it', async ({ reader, writer }) => {
      writer.write('x\n')
      return (await reader.readLine()).toString()
    })
    expect(line).toBe('x\n')
    expect(pool.targets()[0]?.connections.idle).toBe(1)
    const failure = new Error('mine')
    await expect(pool.use('it', () => Promise.reject(failure))).rejects.toBe(failure)
    expect(pool.stats().leases).toBe(0)
    await until('it was closed', () => poolCounts(pool).connections === 0)
  })
})

describe('Lease[Symbol.asyncDispose]', () => {
  test('discards unless the lease was released', async () => {
    const server = await startLineServer(echoLine)
    const pool = await openPool({ targets: { it: targetOf(server, { reuse: 'clean' }) } })
    {
      await using lease = await pool.lease('it')
      await lease.release()
    }
    expect(pool.targets()[0]?.connections.idle).toBe(1)
    {
      await using lease = await pool.lease('it')
      expect(lease.reused).toBe(true)
    }
    await until('it was closed', () => poolCounts(pool).connections === 0)
  })
})

describe('Pool.exchange', () => {
  const answers: Record<string, string> = {
    line: 'one\ntwo\n',
    until: 'a;b|rest',
    exactly: '12345678',
    eof: 'all there is',
  }
  const startExchange = async (): Promise<Awaited<ReturnType<typeof openPool>>> => {
    const server = await startLineServer((line, socket) => {
      socket.write(answers[line] ?? '')
      if (line === 'eof') socket.end()
    })
    return await openPool({ targets: { it: targetOf(server, { reuse: 'clean' }) } })
  }

  test.each([
    ['line', { line: true }, 'one\n', false],
    ['until', { until: [';', '|'] }, 'a;', false],
    ['exactly', { exactly: 5 }, '12345', false],
    ['eof', { eof: true }, 'all there is', true],
    ['none', { none: true }, '', false],
  ] as const)('reads one reply as %s', async (what, read, expected, eof) => {
    const ending = eof ? 'fin' : null
    const pool = await startExchange()
    const { data, ...rest } = await pool.exchange('it', { write: `${what}\n`, read })
    expect(data.toString()).toBe(expected)
    expect(rest).toEqual({ reused: false, offset: 0, eof, ending })
  })

  test('reuses the connection of the exchange before', async () => {
    const server = await startLineServer(echoLine)
    const pool = await openPool({ targets: { it: targetOf(server, { reuse: 'clean', pool: { max: 1 } }) } })
    const exchange = () => pool.exchange('it', { write: 'x\n', read: { line: true } })
    expect((await exchange()).reused).toBe(false)
    for (let round = 0; round < 20; round++) expect((await exchange()).reused).toBe(true)
    expect(server.accepted).toBe(1)
  })

  test('has one deadline for the wait and the reply, and says what was sent', async () => {
    const server = await startLineServer(() => {})
    const pool = await openPool({ targets: { it: targetOf(server, { reuse: 'clean', pool: { max: 1 } }) } })
    await pool.use('it', () => {})
    const silent = pool.exchange('it', { write: 'x\n', read: { line: true }, timeoutMs: 60 })
    await expect(silent).rejects.toMatchObject({ code: 'READ_TIMEOUT', bytesAccepted: 2 })
    const lease = await pool.lease('it')
    const waiting = pool.exchange('it', { write: 'x\n', read: { line: true }, timeoutMs: 30 })
    await expect(waiting).rejects.toMatchObject({ code: 'WAIT_TIMEOUT', position: 1 })
    await lease.discard()
  })
})

describe('tenants', () => {
  test('never share a connection, and one’s idle connection makes room for the other', async () => {
    const server = await startLineServer(echoLine)
    const pool = await openPool({ targets: { it: targetOf(server, { reuse: 'clean', pool: { max: 2 } }) } })
    const seen = new Map<string, Set<string>>()
    for (let round = 0; round < 30; round++) {
      const tenant = ['a', 'b', 'c'][round % 3] ?? ''
      const lease = await pool.lease('it', { tenant, waitMs: 2_000 })
      expect(lease.tenant).toBe(tenant)
      const ids = seen.get(tenant) ?? new Set()
      seen.set(tenant, ids.add(lease.connection.id))
      lease.writer.write(`${tenant}\n`)
      expect((await lease.reader.readLine()).toString()).toBe(`${tenant}\n`)
      expect(await lease.release()).toMatchObject({ reason: 'clean' })
      expect(poolCounts(pool).connections).toBeLessThanOrEqual(2)
    }
    const all = [...seen.values()].flatMap(ids => [...ids])
    expect(new Set(all).size).toBe(all.length)
    expect(pool.targets()[0]?.closed).toMatchObject({ evicted: expect.any(Number) })
  })

  test('a described target is its caller’s alone and never reused', async () => {
    const server = await startLineServer(echoLine)
    const pool = await openPool()
    const place = { host: '127.0.0.1', port: server.port }
    for (let round = 0; round < 3; round++) {
      const lease = await pool.lease(place)
      expect(lease.reused).toBe(false)
      expect(await lease.release()).toEqual({ outcome: 'closed', reason: 'policy' })
    }
    await until('all were accepted', () => server.accepted === 3)
    await expect(pool.lease('nameless')).rejects.toMatchObject({ code: 'TARGET_NOT_FOUND' })
  })
})

test('a lease says where its connection goes and what TLS came to', async () => {
  const server = await startTestServer(echo, { tls: true })
  const pool = await openPool({ targets: { it: targetOf(server) } })
  const lease = await pool.lease('it')
  const peer = await server.connection()
  const { connection } = lease
  expect(connection).toMatchObject({
    remoteAddress: '127.0.0.1',
    remotePort: server.port,
    localAddress: '127.0.0.1',
    tls: { protocol: 'TLSv1.3', authorized: true, servername: 'localhost', alpnProtocol: null },
  })
  expect(connection.localPort).toBe(peer.remotePort)
  expect(lease.writer.getExtraInfo('peername')).toEqual(['127.0.0.1', server.port])
  expect(lease.writer.getExtraInfo('peercert')).toMatchObject({ subject: 'localhost' })
  expect(lease.writer.canWriteEof()).toBe(false)
})

test('a leak is told with the lease that was held for too long', async () => {
  const server = await startTestServer(echo)
  const events: (PoolEvent | WorkerEvent)[] = []
  const pool = await openPool({
    targets: { it: targetOf(server, { leakDetectionMs: 20 }) },
    onEvent: event => events.push(event),
  })
  const lease = await pool.lease('it')
  await until('the leak was told', () => events.some(({ kind }) => kind === 'leak'))
  const leaks = events.filter(({ kind }) => kind === 'leak')
  expect(leaks).toMatchObject([
    { kind: 'leak', lease: { terms: { target: 'it' }, connection: { id: lease.connection.id } } },
  ])
})

test('a leak is told with who holds it, where it was asked for and what was done, and again when it is over', async () => {
  const server = await startTestServer(echo)
  const told: [string, LeaseReport][] = []
  const pool = await openPool({
    targets: { it: targetOf(server, { leakDetectionMs: 300 }) },
    onEvent: event => {
      if (event.kind === 'leak' || event.kind === 'leak_over') told.push([event.kind, event.lease.report])
    },
  })
  const lease = await pool.lease('it', { tenant: 'ops' })
  lease.writer.write('hello\n')
  await lease.reader.readLine()
  await lease.reader.read(0)
  await until('the leak was told', () => told.length === 1)
  await lease.release()
  const origin = { route: 'POST /v1/leases', traceId: '0af7651916cd43dd8448eb211c80319c' }
  const other = await pool.lease('it', { origin })
  await until('the other leak was told', () => told.length === 3)
  await other.release()
  expect(told).toMatchObject([
    [
      'leak',
      { target: 'it', tenant: 'ops', connection: 'c1', lastOperation: 'readline', bytesIn: 6, bytesOut: 6 },
    ],
    ['leak_over', { tenant: 'ops', bytesIn: 6 }],
    ['leak', origin],
    ['leak_over', origin],
  ])
  expect(told[0]?.[1].stack).toContain('lease.test.ts')
})

test('bytes go through a ring both ways while more is written than it holds', async () => {
  const server = await startTestServer(echo)
  const pool = await openPool({ targets: { it: targetOf(server, { reuse: 'clean' }) } })
  const { reader, writer, release } = await pool.lease('it').then(lease => ({
    reader: lease.reader,
    writer: lease.writer,
    release: () => lease.release(),
  }))
  const total = 8_000_000
  const check = new PatternCheck()
  const writing = (async () => {
    for (let sent = 0; sent < total; sent += 50_000) {
      writer.write(pattern(sent, 50_000))
      await writer.drain()
    }
  })()
  while (check.received < total) check.take(await reader.read(1 + (check.received % 70_000)))
  await writing
  expect(await release()).toMatchObject({ reason: 'clean' })
})
