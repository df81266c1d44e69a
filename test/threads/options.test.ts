/** Every option of every call is judged where it comes in: before anything waits, is leased, or is begun. */
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { defaultPool } from '../../src/library/default-pool.ts'
import {
  attachPool,
  connect,
  createPool,
  openConnection,
  SocketError,
  StreamReader,
  startServer,
} from '../../src/library/index.ts'
import type { Lease } from '../../src/pool/lease/lease.ts'
import type { Pool } from '../../src/pool/pool.ts'
import type { Server } from '../../src/pool/server/server.ts'
import { attach } from '../support/attached.ts'
import { type OptionRow, unrefused } from '../support/bad-options.ts'
import { echoLine, startLineServer } from '../support/line-server.ts'
import { poolCounts } from '../support/open-connections.ts'
import { openPool, targetOf } from '../support/pool-fixture.ts'
import type { TestServer } from '../support/test-server.ts'
import { until } from '../support/until.ts'

const JOB = new URL('../fixtures/parse/user-module.ts', import.meta.url)
const BYTES = Buffer.from('1\n')
const WRITE = { write: 'x\n', read: { line: true } } as const

/** A pool whose only connection is held: who would wait for one waits for ever. */
async function heldPool(): Promise<{
  readonly pool: Pool
  readonly lease: Lease
  readonly server: TestServer
}> {
  const server = await startLineServer(echoLine)
  const pool = await openPool({ targets: { it: targetOf(server, { pool: { max: 1 } }) } })
  return { pool, lease: await pool.lease('it'), server }
}

const warnings: Error[] = []
const noteWarning = (warning: Error): void => void warnings.push(warning)

beforeEach(() => {
  warnings.length = 0
  process.on('warning', noteWarning)
})

afterEach(async () => {
  // A warning is told of in the next turn.
  await new Promise(resolve => setImmediate(resolve))
  process.off('warning', noteWarning)
  expect(warnings).toEqual([])
})

async function expectRefused(rows: readonly OptionRow[]): Promise<void> {
  const faults = []
  for (const row of rows) faults.push(...(await unrefused(row)))
  expect(faults).toEqual([])
}

describe('a pool refuses, and leases nothing', () => {
  test('options of lease, use and exchange', async () => {
    const { pool } = await heldPool()
    const before = poolCounts(pool)
    await expectRefused(leaseRows(pool))
    await expectRefused(exchangeRows(pool))
    expect(poolCounts(pool)).toEqual(before)
  })

  test('options of parse, run and close', async () => {
    const { pool } = await heldPool()
    await expectRefused([
      ['parse', 'timeoutMs', 'timeLimit', timeoutMs => pool.parse('lines', BYTES, {}, { timeoutMs })],
      ['parse', 'signal', 'signal', signal => pool.parse('lines', BYTES, {}, { signal })],
      ['parse', 'options', 'object', call => pool.parse('lines', BYTES, {}, call)],
      ['run', 'timeoutMs', 'timeLimit', timeoutMs => pool.run(JOB, 1, { timeoutMs })],
      ['run', 'signal', 'signal', signal => pool.run(JOB, 1, { signal })],
      ['close', 'drainMs', 'duration', drainMs => pool.close({ drainMs })],
      ['close', 'options', 'object', options => pool.close(options)],
    ])
    expect(pool.ready).toBe(true)
    const parsing = pool.parse('lines', 'text' as never)
    await expect(parsing).rejects.toMatchObject({ name: 'TypeError', code: 'INVALID_REQUEST' })
  })

  test('described targets', async () => {
    const { pool } = await heldPool()
    const at = { host: '127.0.0.1', port: 1 }
    await expectRefused([
      ['lease', 'target', 'object', target => pool.lease(target === 'x' ? (Symbol('it') as never) : target)],
      ['lease', 'connectTimeoutMs', 'duration', connectTimeoutMs => pool.lease({ ...at, connectTimeoutMs })],
      ['lease', 'happyEyeballsDelayMs', 'duration', ms => pool.lease({ ...at, happyEyeballsDelayMs: ms })],
      ['lease', 'port', 'count', port => pool.lease({ host: 'h', port })],
      ['lease', 'host', 'text', host => pool.lease({ host, port: 1 })],
    ] satisfies OptionRow[])
  })

  test('options of createPool', async () => {
    const target = { host: 'h', port: 1 }
    await expectRefused([
      ['createPool', 'options', 'object', options => createPool(options)],
      ...(['ioWorkers', 'parseWorkers', 'adHocMax'] as const).map(
        (key): OptionRow => ['createPool', key, 'count', value => createPool({ [key]: value })],
      ),
      ['createPool', 'parseIsolation', 'word', word => createPool({ parseIsolation: word })],
      ...(['leases', 'waiters'] as const).map(
        (key): OptionRow => [
          'createPool',
          `limits.${key}`,
          'count',
          value => createPool({ limits: { [key]: value } }),
        ],
      ),
      ...(['inboundBytes', 'outboundBytes', 'wideBytes'] as const).map(
        (key): OptionRow => [
          'createPool',
          `rings.${key}`,
          'count',
          value => createPool({ rings: { [key]: value } }),
        ],
      ),
      ...(['min', 'max'] as const).map(
        (key): OptionRow => [
          'createPool',
          `targets.t.pool.${key}`,
          'count',
          value => createPool({ targets: { t: { ...target, pool: { [key]: value } } } }),
        ],
      ),
      ...(['idleTimeoutMs', 'maxLifetimeMs', 'waitTimeoutMs', 'leaseTtlMs', 'connectTimeoutMs'] as const).map(
        (key): OptionRow => [
          'createPool',
          `targets.t.pool.${key}`,
          'duration',
          value => createPool({ targets: { t: { ...target, pool: { [key]: value } } } }),
        ],
      ),
      ['createPool', 'limits', 'object', limits => createPool({ limits })],
      ['createPool', 'rings', 'object', rings => createPool({ rings })],
      ['createPool', 'targets', 'object', targets => createPool({ targets })],
      ['createPool', 'egress', 'object', egress => createPool({ egress })],
      ['createPool', 'egress.allow', 'bytes', allow => createPool({ egress: { allow } })],
    ])
  })
})

function leaseRows(pool: Pool): OptionRow[] {
  const use = (options: object) => pool.use('it', () => {}, options)
  const rows: OptionRow[] = []
  for (const [call, run] of [
    ['lease', (options: object) => pool.lease('it', options)],
    ['use', use],
  ] as const)
    rows.push(
      [call, 'options', 'object', options => run(options)],
      [call, 'waitMs', 'duration', waitMs => run({ waitMs })],
      [call, 'timeoutMs', 'timeLimit', timeoutMs => run({ timeoutMs })],
      [call, 'ttlMs', 'timeLimit', ttlMs => run({ ttlMs })],
      [call, 'limit', 'count', limit => run({ limit })],
      [call, 'signal', 'signal', signal => run({ waitMs: 600, signal })],
      [call, 'tenant', 'text', tenant => run({ tenant })],
      [call, 'onReset', 'word', onReset => run({ onReset })],
    )
  return [
    ...rows,
    ['use', 'run', 'function', run => pool.use('it', run)],
    ['use', 'run', 'absent', run => pool.use('it', run)],
  ]
}

function exchangeRows(pool: Pick<Pool, 'exchange'>): OptionRow[] {
  return [
    ['exchange', 'options', 'object', options => pool.exchange('it', options)],
    ['exchange', 'timeoutMs', 'timeLimit', timeoutMs => pool.exchange('it', { ...WRITE, timeoutMs })],
    ['exchange', 'signal', 'signal', signal => pool.exchange('it', { ...WRITE, signal })],
    ['exchange', 'limit', 'count', limit => pool.exchange('it', { ...WRITE, limit })],
    ['exchange', 'tenant', 'text', tenant => pool.exchange('it', { ...WRITE, tenant })],
    ['exchange', 'write', 'bytes', write => pool.exchange('it', { ...WRITE, write })],
    ['exchange', 'write', 'absent', write => pool.exchange('it', { ...WRITE, write })],
    ['exchange', 'read', 'absent', read => pool.exchange('it', { ...WRITE, read })],
    ['exchange', 'read', 'object', read => pool.exchange('it', { ...WRITE, read })],
    ['exchange', 'read', 'flag', line => pool.exchange('it', { ...WRITE, read: { line } })],
    [
      'exchange',
      'read',
      'word',
      word => pool.exchange('it', { ...WRITE, read: { line: true, eof: word } } as never),
    ],
    ['exchange', 'read.exactly', 'count', exactly => pool.exchange('it', { ...WRITE, read: { exactly } })],
    ['exchange', 'read.until', 'bytes', until => pool.exchange('it', { ...WRITE, read: { until } })],
  ]
}

describe('a lease refuses', () => {
  test('options of its own calls', async () => {
    const { lease } = await heldPool()
    await expectRefused([
      ['renew', 'ttlMs', 'timeLimit', ttlMs => lease.renew(ttlMs)],
      ['parse', 'timeoutMs', 'timeLimit', timeoutMs => lease.parse('lines', {}, { timeoutMs })],
      ['parse', 'signal', 'signal', signal => lease.parse('lines', {}, { signal })],
      ['run', 'timeoutMs', 'timeLimit', timeoutMs => lease.run(JOB, 1, { timeoutMs })],
      ['messages', 'signal', 'signal', signal => lease.messages('lines', {}, { signal }).next()],
    ])
    expect(lease.expiresAt).toBeNull()
  })

  test('options of its reader', async () => {
    const { lease } = await heldPool()
    const { reader } = lease
    const calls: Record<string, (options: object) => unknown> = {
      read: options => reader.read(1, options),
      'read to the end': options => reader.read(-1, options),
      readLine: options => reader.readLine(options),
      readExactly: options => reader.readExactly(1, options),
      readUntil: options => reader.readUntil('x', options),
      readInto: options => reader.readInto(Buffer.alloc(1), options),
      peek: options => reader.peek(1, options),
      chunks: options => reader.chunks(options).next(),
      lineBatches: options => reader.lineBatches(options).next(),
    }
    await expectRefused(readRows(calls))
    expect(reader.isWaiting).toBe(false)
    expect(reader.interrupted).toBe(false)
  })

  test('options of its writer', async () => {
    const { writer } = (await heldPool()).lease
    const calls: Record<string, (options: object) => unknown> = {
      drain: options => writer.drain(options),
      send: options => writer.send('x', options),
      waitClosed: options => writer.waitClosed(options),
      startTls: options => writer.startTls(options),
    }
    await expectRefused([
      ...waitRows(calls),
      ['send', 'until', 'word', until => writer.send('x', { until })],
      ['setWriteBufferLimits', 'high', 'count', high => writer.setWriteBufferLimits(high)],
      ['setWriteBufferLimits', 'low', 'count', low => writer.setWriteBufferLimits(undefined, low)],
    ])
    expect(writer.offset).toBe(0)
    expect(writer.isWaiting).toBe(false)
  })
})

function waitRows(calls: Readonly<Record<string, (options: object) => unknown>>): OptionRow[] {
  return Object.entries(calls).flatMap(([call, run]): OptionRow[] => [
    [call, 'options', 'object', options => run(options)],
    [call, 'timeoutMs', 'timeLimit', timeoutMs => run({ timeoutMs })],
    [call, 'signal', 'signal', signal => run({ signal })],
  ])
}

function readRows(calls: Readonly<Record<string, (options: object) => unknown>>): OptionRow[] {
  const more = Object.entries(calls).flatMap(([call, run]): OptionRow[] => [
    [call, 'limit', 'count', limit => run({ limit })],
    [call, 'onOverrun', 'word', onOverrun => run({ onOverrun })],
    [call, 'onReset', 'word', onReset => run({ onReset })],
  ])
  return [...waitRows(calls), ...more]
}

test('StreamReader refuses options of its constructor', async () => {
  await expectRefused([
    ['StreamReader', 'options', 'object', options => new StreamReader(options)],
    ['StreamReader', 'limit', 'count', limit => new StreamReader({ limit })],
    ['StreamReader', 'onReset', 'word', onReset => new StreamReader({ onReset })],
  ])
})

test('openConnection refuses options, and dials nothing', async () => {
  // It is never closed: its thread, of which the watch hears in the next turn, is no leak of this test.
  await defaultPool()
  await new Promise(resolve => setImmediate(resolve))
  const { server } = await heldPool()
  const { host, port } = server
  await until('the held connection is there', () => server.sockets.size > 0)
  const open = (options: object) => openConnection(host, port, options)
  await expectRefused([
    ['openConnection', 'options', 'object', options => open(options)],
    ['openConnection', 'connectTimeoutMs', 'duration', connectTimeoutMs => open({ connectTimeoutMs })],
    ['openConnection', 'happyEyeballsDelayMs', 'duration', ms => open({ happyEyeballsDelayMs: ms })],
    ['openConnection', 'limit', 'count', limit => open({ limit })],
    ['openConnection', 'signal', 'signal', signal => open({ signal })],
    ['openConnection', 'allowHalfOpen', 'flag', allowHalfOpen => open({ allowHalfOpen })],
    ['openConnection', 'port', 'count', to => openConnection(host, to)],
    ['openConnection', 'path', 'text', path => openConnection({ path })],
  ])
  expect(server.sockets.size).toBe(1)
})

test.each([
  null,
  'x',
  { allowHalfOpen: 1 },
  { secureTransport: 'maybe' },
  { secureTransport: 'on', alpn: [5] },
])('connect refuses the options %j with a SocketError that has the code', options => {
  let refusal: unknown = null
  try {
    connect('localhost:1', options as never)
  } catch (error) {
    refusal = error
  }
  expect(refusal).toBeInstanceOf(SocketError)
  expect(refusal).toMatchObject({ code: 'INVALID_REQUEST' })
})

test('attachPool refuses what is no handle', () => {
  for (const handle of [null, 'x', {}, { pool: 5, threadId: 1 }])
    expect(() => attachPool(handle as never)).toThrow(expect.objectContaining({ code: 'INVALID_REQUEST' }))
})

describe('a server refuses', () => {
  test('options of startServer, and listens nowhere', async () => {
    const { pool } = await heldPool()
    const start = (options: object) => startServer(() => {}, '127.0.0.1', 0, { pool, ...options })
    await expectRefused([
      ['startServer', 'handler', 'function', handler => startServer(handler, '127.0.0.1', 0, { pool })],
      ['startServer', 'options', 'object', options => startServer(() => {}, '127.0.0.1', 0, options)],
      ['startServer', 'port', 'count', port => startServer(() => {}, '127.0.0.1', port, { pool })],
      ['startServer', 'backlog', 'count', backlog => start({ backlog })],
      ['startServer', 'limit', 'count', limit => start({ limit })],
      ['startServer', 'maxConnections', 'count', maxConnections => start({ maxConnections })],
      ['startServer', 'handshakeTimeoutMs', 'duration', ms => start({ handshakeTimeoutMs: ms })],
      ['startServer', 'startServing', 'flag', startServing => start({ startServing })],
      ['startServer', 'reusePort', 'flag', reusePort => start({ reusePort })],
      ['startServer', 'onError', 'function', onError => start({ onError })],
    ])
  })

  test('options of its calls', async () => {
    const { pool } = await heldPool()
    const server: Server = await startServer(() => {}, '127.0.0.1', 0, { pool })
    onTestFinished(() => server.close())
    await expectRefused([
      ...waitRows({ waitClosed: options => server.waitClosed(options) }),
      ['close', 'drainMs', 'duration', drainMs => server.close({ drainMs })],
      ['close', 'options', 'object', options => server.close(options)],
      ['serveForever', 'signal', 'signal', signal => server.serveForever({ signal })],
    ])
    expect(server.isServing()).toBe(true)
  })
})

test('an attached thread refuses options of blocking and of other calls, and leases nothing', async () => {
  const { pool } = await heldPool()
  const before = poolCounts(pool)
  const thread = attach(pool, 'badOptions')
  expect(await thread.next()).toEqual([])
  expect(poolCounts(pool)).toEqual(before)
  const server = await startLineServer(echoLine)
  const free = await openPool({ targets: { it: targetOf(server) } })
  expect(await attach(free, 'badLeaseOptions').next()).toEqual([])
})

describe('an option that is good', () => {
  test('is Infinity for no limit of time', async () => {
    const { pool, lease } = await heldPool()
    expect(lease.renew(60_000)).toBeInstanceOf(Date)
    expect(lease.renew(Number.POSITIVE_INFINITY)).toBeNull()
    lease.writer.write('x\n')
    expect(String(await lease.reader.readLine({ timeoutMs: Number.POSITIVE_INFINITY }))).toBe('x\n')
    await lease.discard()
    const ttlMs = Number.POSITIVE_INFINITY
    const timeoutMs = Number.POSITIVE_INFINITY
    const next = await pool.lease('it', { ttlMs, timeoutMs })
    expect(next.expiresAt).toBeNull()
    await next.discard()
    expect(String((await pool.exchange('it', { ...WRITE, timeoutMs })).data)).toBe('x\n')
    expect(await pool.parse('lines', BYTES, {}, { timeoutMs })).toHaveLength(1)
  })

  test('is the longest time that a timer can wait, and a fraction, which is rounded up', async () => {
    const { pool, lease } = await heldPool()
    const inDays = (lease.renew(2 ** 31 - 1)?.getTime() ?? 0) - Date.now()
    expect(inDays / 86_400_000).toBeCloseTo(24.855, 2)
    expect(lease.renew(59_999.5)?.getTime()).toBeGreaterThan(Date.now() + 59_000)
    await lease.discard()
    const timeoutMs = 60_000.25
    expect(String((await pool.exchange('it', { ...WRITE, timeoutMs })).data)).toBe('x\n')
    await (await pool.lease('it', { waitMs: 60_000.1, ttlMs: 2 ** 31 - 1 })).discard()
  })

  test('stands in an object without a prototype, and is read once', async () => {
    const { pool, lease } = await heldPool()
    await lease.discard()
    const bare = Object.assign(Object.create(null), { tenant: 'a', waitMs: 1_000 })
    await (await pool.lease('it', bare)).discard()
    let reads = 0
    const shifty = {
      get timeoutMs() {
        return reads++ === 0 ? 60_000 : Number.NaN
      },
    }
    await (await pool.lease('it', shifty)).discard()
    expect(reads).toBe(1)
    const thrower = Object.defineProperty({}, 'ttlMs', {
      enumerable: true,
      get: () => {
        throw new Error('mine')
      },
    })
    await expect(pool.lease('it', thrower)).rejects.toThrow('mine')
    expect(pool.stats()).toMatchObject({ leases: 0, waiters: 0 })
  })

  test('is a signal of another realm, by its members', async () => {
    const { pool } = await heldPool()
    const controller = new AbortController()
    const { signal } = controller
    const foreign = {
      get aborted() {
        return signal.aborted
      },
      get reason() {
        return signal.reason
      },
      addEventListener: signal.addEventListener.bind(signal),
      removeEventListener: signal.removeEventListener.bind(signal),
    } as unknown as AbortSignal
    const waiting = pool.lease('it', { signal: foreign })
    controller.abort()
    await expect(waiting).rejects.toMatchObject({ code: 'ABORTED' })
  })
})
