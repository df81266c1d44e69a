/** What a pool remembers of each connection, against a server that echoes lines. */
import { describe, expect, test } from 'vitest'
import type { LeaseReport } from '../../src/pool/lease/lease-report.ts'
import type { Pool } from '../../src/pool/pool.ts'
import { attach } from '../support/attached.ts'
import { echoLine, startLineServer } from '../support/line-server.ts'
import { openPool, targetOf } from '../support/pool-fixture.ts'
import { until } from '../support/until.ts'

const namesOf = (pool: Pool, id: string) =>
  pool.connection(id).operations.map(({ name, outcome }) => `${name} ${outcome}`)

describe('Pool.connection', () => {
  test('tells the operations of two leases, with a read that failed and why each was let go', async () => {
    const server = await startLineServer(echoLine)
    const pool = await openPool({ targets: { it: targetOf(server, { reuse: 'clean' }) } })
    const first = await pool.lease('it')
    const { id } = first.connection
    first.writer.write('hello\n')
    expect((await first.reader.readLine()).toString()).toBe('hello\n')
    expect(await first.release()).toEqual({ outcome: 'reused', reason: 'clean' })
    const second = await pool.lease('it')
    expect(second.connection.id).toBe(id)
    await expect(second.reader.readExactly(4, { timeoutMs: 20 })).rejects.toMatchObject({
      code: 'READ_TIMEOUT',
    })
    const { operations, ...row } = pool.connection(id)
    const listed = pool.connections().find(known => known.id === id)
    const ages = {
      ageMs: expect.any(Number),
      leaseAgeMs: expect.any(Number),
      leaseIdleMs: expect.any(Number),
    }
    expect(row).toEqual({ ...listed, ...ages })
    expect(row).toMatchObject({ leaseBytesIn: 0, leaseBytesOut: 0 })
    expect(operations).toMatchObject([
      { name: 'connect', outcome: 'ok' },
      { name: 'lease', outcome: 'ok' },
      { name: 'write', bytesOut: 6, bytesIn: 0, outcome: 'ok' },
      { name: 'readline', bytesIn: 6, bytesOut: 0, outcome: 'ok' },
      { name: 'release', bytesIn: 0, bytesOut: 0, outcome: 'clean' },
      { name: 'lease', outcome: 'ok' },
      { name: 'readexactly', bytesIn: 0, outcome: 'read_timeout' },
    ])
    expect(operations.at(-1)?.ms).toBeGreaterThanOrEqual(19)
    const starts = operations.map(({ at }) => Date.parse(at))
    expect(starts).toEqual(starts.toSorted((one, other) => one - other))
    await second.release()
    await until('it was closed', () => pool.connections().length === 0)
    expect(() => pool.connection(id)).toThrow(expect.objectContaining({ code: 'CONNECTION_NOT_FOUND' }))
  })

  test('tells an exchange as one operation, with its bytes each way', async () => {
    const server = await startLineServer(echoLine)
    const pool = await openPool({ targets: { it: targetOf(server, { reuse: 'clean' }) } })
    await pool.exchange('it', { write: 'ping\n', read: { line: true } })
    await until('the connection is idle', () => pool.stats().connections.idle === 1)
    const [row] = pool.connections()
    expect(pool.connection(row?.id ?? '').operations).toMatchObject([
      { name: 'connect', outcome: 'ok' },
      { name: 'lease', outcome: 'ok' },
      { name: 'exchange', bytesIn: 5, bytesOut: 5, outcome: 'ok' },
      { name: 'release', outcome: 'clean' },
    ])
  })

  test('shows a read that hangs while it hangs', async () => {
    const server = await startLineServer(echoLine)
    const pool = await openPool({ targets: { it: targetOf(server) } })
    const lease = await pool.lease('it')
    const reading = lease.reader.readLine()
    expect(namesOf(pool, lease.connection.id)).toEqual(['connect ok', 'lease ok', 'readline running'])
    expect(lease.lastOperation).toBe('readline')
    lease.kill()
    await expect(reading).rejects.toMatchObject({ code: 'LEASE_GONE' })
  })

  test('tells what a parse worker took, and nothing of what the reader did for it', async () => {
    const server = await startLineServer(echoLine)
    const pool = await openPool({ targets: { it: targetOf(server, { reuse: 'clean' }) } })
    const lease = await pool.lease('it')
    lease.writer.write('{"a":1}\n')
    expect(await lease.parse('ndjson')).toEqual({ a: 1 })
    expect(pool.connection(lease.connection.id).operations.slice(2)).toMatchObject([
      { name: 'write', bytesOut: 8 },
      { name: 'parse', bytesIn: 8, outcome: 'ok' },
    ])
    await lease.release()
  })

  test('probes are told, and what each has found', async () => {
    const server = await startLineServer(echoLine)
    const probe = [{ send: 'hi\n' }, { expect: 'hi\n' }]
    const target = targetOf(server, { reuse: 'clean', probe, pool: { keepaliveMs: 1 } })
    const pool = await openPool({ targets: { it: target } })
    const lease = await pool.lease('it')
    const { id } = lease.connection
    await lease.release()
    await until('it was probed', () => namesOf(pool, id).includes('dialog:probe ok'))
  })
})

test('a lease of another thread tells its release with the bytes that the thread has moved, and so does its leak', async () => {
  const server = await startLineServer(echoLine)
  const leaks: LeaseReport[] = []
  const pool = await openPool({
    targets: { it: targetOf(server, { reuse: 'clean', leakDetectionMs: 1 }) },
    onEvent: event => {
      if (event.kind === 'leak_over') leaks.push(event.lease.report)
    },
  })
  const thread = attach(pool, 'async')
  expect(await thread.next()).toMatchObject({ lines: ['hello\n', 'world\n'] })
  await thread.exited
  const [row] = pool.connections()
  const released = pool.connection(row?.id ?? '').operations.filter(({ name }) => name === 'release')
  expect(released[0]).toMatchObject({ bytesIn: 12, bytesOut: 12, outcome: 'clean' })
  expect(leaks[0]).toMatchObject({ target: 'it', bytesIn: 12, bytesOut: 12 })
})

describe('an exchange of another thread', () => {
  const rowsOf = (pool: Pool) => pool.connection(pool.connections()[0]?.id ?? '').operations

  test('is one operation of its connection, blocking or not, with its bytes each way', async () => {
    const server = await startLineServer(echoLine)
    const it = targetOf(server, { reuse: 'clean', pool: { max: 1 } })
    const pool = await openPool({ targets: { it } })
    const thread = attach(pool, 'exchangeBoth', { write: 'ping\n', read: { line: true } })
    await thread.exited
    await until('its connection is back', () => pool.stats().connections.idle === 1)
    const exchanged = [
      { name: 'lease', outcome: 'ok' },
      { name: 'exchange', bytesIn: 5, bytesOut: 5, outcome: 'ok' },
      { name: 'release', bytesIn: 0, bytesOut: 0, outcome: 'clean' },
    ]
    expect(rowsOf(pool)).toMatchObject([{ name: 'connect', outcome: 'ok' }, ...exchanged, ...exchanged])
  })

  test('is told while it hangs, and its thread blocks', async () => {
    const server = await startLineServer(() => {})
    const pool = await openPool({ targets: { it: targetOf(server) } })
    const thread = attach(pool, 'exchangeBoth', { write: 'ping\n', read: { line: true } })
    await until('it is under way', () => pool.connections()[0]?.lastOperation === 'exchange')
    expect(rowsOf(pool).map(({ name, outcome }) => `${name} ${outcome}`)).toEqual([
      'connect ok',
      'lease ok',
      'exchange running',
    ])
    await thread.worker.terminate()
    await until('its connection is closed', () => pool.connections().length === 0)
  })
})
