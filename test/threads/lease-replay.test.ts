/** Reads that begin where an earlier one began, over real connections: what a lease keeps, and what becomes of it. */
import { describe, expect, test } from 'vitest'
import type { Lease } from '../../src/pool/lease/lease.ts'
import type { StreamReader } from '../../src/streams/reading/stream-reader.ts'
import { attach } from '../support/attached.ts'
import { echoLine, startLineServer } from '../support/line-server.ts'
import { pattern } from '../support/pattern-check.ts'
import { openPool, targetOf } from '../support/pool-fixture.ts'
import { startTlsPeer } from '../support/start-tls-peer.ts'
import { echo, startTestServer } from '../support/test-server.ts'
import { testCertificate } from '../support/tls-certs.ts'
import { until } from '../support/until.ts'

const WINDOW_BYTES = 65_600
const WRAP = { before: '', between: '', end: '', after: '' }

/** A lease that keeps what it reads, of a peer that sends back what it gets. */
async function leaseEcho(text = ''): Promise<Lease> {
  const server = await startTestServer(echo)
  const pool = await openPool({ targets: { it: targetOf(server, { reuse: 'clean' }) } })
  const lease = await pool.lease('it', { replay: true })
  lease.writer.write(text)
  return lease
}

type Reading = (reader: StreamReader) => Promise<Buffer>

const again = async (lease: Lease, offset: number, read: Reading): Promise<string> =>
  (await lease.readAt(offset, read)).toString()

const line: Reading = reader => reader.readLine()

async function parsed(lease: Lease, offset?: number): Promise<string> {
  const text = await lease.parseToText('json', at => ({ ...WRAP, after: `@${at}` }), {}, { offset })
  return Buffer.from(text).toString()
}

describe('Lease.readAt', () => {
  test.each<[string, Reading, string]>([
    ['readLine', line, 'one\n'],
    ['read', reader => reader.read(6), 'one\ntw'],
    ['readExactly', reader => reader.readExactly(9), 'one\ntwo\nt'],
    ['readUntil', reader => reader.readUntil(['wo', 'x']), 'one\ntwo'],
    ['readFrame', reader => reader.readFrame('line'), 'one\n'],
    ['peek', reader => reader.peek(5), 'one\nt'],
  ])('%s gives the bytes at an earlier offset, and leaves nothing unread', async (_name, read, expected) => {
    const lease = await leaseEcho('one\ntwo\nthree\n')
    expect((await lease.reader.readExactly(14)).toString()).toBe('one\ntwo\nthree\n')
    for (let round = 0; round < 3; round++) expect(await again(lease, 0, read)).toBe(expected)
    expect(lease.reader.offset).toBe(14)
    expect(await again(lease, 14 - 6, line)).toBe('three\n')
    expect(await lease.release()).toEqual({ outcome: 'reused', reason: 'clean' })
  })

  test('goes on into new bytes, those that are there and those that come', async () => {
    const lease = await leaseEcho('first half')
    expect((await lease.reader.readExactly(6)).toString()).toBe('first ')
    const reading = again(lease, 0, line)
    await until('it waits', () => lease.reader.isWaiting)
    expect(lease.reader.offset).toBe(6)
    lease.writer.write(' and the other\nnext')
    expect(await reading).toBe('first half and the other\n')
    expect(lease.reader.offset).toBe(25)
    expect(await again(lease, 6, line)).toBe('half and the other\n')
    expect(lease.reader.offset).toBe(25)
  })

  test('holds old and new bytes together against a limit, and drops what an overlong line is', async () => {
    const lease = await leaseEcho('0123456789\nrest\n')
    await lease.reader.readExactly(4)
    await until('all came', () => lease.reader.buffered === 12)
    const overlong = lease.readAt(0, reader => reader.readLine({ limit: 9 }))
    await expect(overlong).rejects.toMatchObject({ code: 'LIMIT_OVERRUN', consumed: 10 })
    expect(lease.reader.offset).toBe(11)
    const repeated = lease.readAt(0, reader => reader.readLine({ limit: 9 }))
    await expect(repeated).rejects.toMatchObject({ code: 'LIMIT_OVERRUN', consumed: 10 })
    expect(await again(lease, 0, reader => reader.readLine({ limit: 10 }))).toBe('0123456789\n')
    expect((await lease.reader.readLine()).toString()).toBe('rest\n')
  })

  test('at the lease’s own offset is a plain read; beyond it and before the window it is refused', async () => {
    const lease = await leaseEcho()
    const bytes = pattern(0, 3 * WINDOW_BYTES)
    lease.writer.write(bytes)
    expect((await lease.readAt(0, reader => reader.readExactly(100))).equals(bytes.subarray(0, 100))).toBe(
      true,
    )
    await lease.reader.readExactly(bytes.length - 100)
    const offset = bytes.length
    const read = (at: number): Promise<Buffer> => lease.readAt(at, reader => reader.readExactly(WINDOW_BYTES))
    expect((await read(offset - WINDOW_BYTES)).equals(bytes.subarray(offset - WINDOW_BYTES))).toBe(true)
    await expect(read(offset - WINDOW_BYTES - 1)).rejects.toMatchObject({ code: 'OFFSET_GONE', offset })
    await expect(read(offset + 1)).rejects.toMatchObject({ code: 'OFFSET_MISMATCH', offset })
    for (const wrong of [-1, 0.5, Number.NaN, '0' as unknown as number])
      await expect(read(wrong)).rejects.toMatchObject({ code: 'INVALID_REQUEST' })
    await expect(lease.readAt(0, 'x' as unknown as Reading)).rejects.toMatchObject({
      code: 'INVALID_REQUEST',
    })
  })

  test('is OFFSET_GONE on a lease that keeps nothing', async () => {
    const server = await startTestServer(echo)
    const pool = await openPool({ targets: { it: targetOf(server) } })
    const lease = await pool.lease('it')
    expect(lease.replay).toBe(false)
    lease.writer.write('abc')
    await lease.reader.readExactly(3)
    await expect(again(lease, 2, line)).rejects.toMatchObject({ code: 'OFFSET_GONE', offset: 3 })
    await expect(pool.lease('it', { replay: 1 as unknown as boolean })).rejects.toMatchObject({
      code: 'INVALID_REQUEST',
      errors: [{ path: 'replay' }],
    })
  })

  test('keeps the end of a read that was larger than the ring', async () => {
    const lease = await leaseEcho()
    const bytes = pattern(0, 1_000_000)
    const reading = lease.reader.readExactly(bytes.length)
    lease.writer.write(bytes)
    await reading
    const from = bytes.length - 65_536
    expect(
      (await lease.readAt(from, reader => reader.readExactly(65_536))).equals(bytes.subarray(from)),
    ).toBe(true)
  })

  test('keeps every other read out while it waits', async () => {
    const lease = await leaseEcho('ab')
    await lease.reader.readExactly(2)
    const reading = again(lease, 0, line)
    await until('it waits', () => lease.reader.isWaiting)
    const busy = { code: 'READ_BUSY' }
    await expect(lease.reader.read(1)).rejects.toMatchObject(busy)
    await expect(again(lease, 0, line)).rejects.toMatchObject(busy)
    await expect(lease.parse('json')).rejects.toMatchObject(busy)
    lease.writer.write('\n')
    expect(await reading).toBe('ab\n')
  })

  test('that times out takes nothing, and counts as a call that was given up', async () => {
    const lease = await leaseEcho('ab')
    await lease.reader.readExactly(2)
    const late = lease.readAt(0, reader => reader.readLine({ timeoutMs: 5 }))
    await expect(late).rejects.toMatchObject({ code: 'READ_TIMEOUT' })
    expect([lease.reader.offset, lease.reader.interrupted]).toEqual([2, true])
    expect(await lease.release()).toEqual({ outcome: 'closed', reason: 'timed_out' })
  })

  test.each(['kill', 'discard', 'release'] as const)('that waits fails with the lease at %s', async how => {
    const lease = await leaseEcho('ab')
    await lease.reader.readExactly(2)
    const reading = again(lease, 0, line)
    await until('it waits', () => lease.reader.isWaiting)
    const failed = expect(reading).rejects.toMatchObject({ code: 'LEASE_GONE' })
    await lease[how]()
    await failed
    await expect(again(lease, 0, line)).rejects.toMatchObject({ code: 'LEASE_GONE' })
  })

  test('gives what was put back, or others in its place, as the bytes that come next', async () => {
    const lease = await leaseEcho('abcdef')
    await lease.reader.readExactly(6)
    lease.reader.unread(Buffer.from('XY'))
    expect(lease.reader.offset).toBe(4)
    expect(await again(lease, 2, reader => reader.readExactly(4))).toBe('cdXY')
    expect(await again(lease, 0, reader => reader.readExactly(6))).toBe('abcdXY')
  })
})

describe('what a lease has read', () => {
  test('can be read again after its connection has ended, to the same end', async () => {
    const server = await startTestServer(socket => socket.end('last words\nand no newline'))
    const pool = await openPool({ targets: { it: targetOf(server) } })
    const lease = await pool.lease('it', { replay: true })
    await lease.reader.read(-1)
    lease.writer.close()
    await until('the socket is gone', () => server.accepted === 1 && server.sockets.size === 0)
    expect(await again(lease, 0, line)).toBe('last words\n')
    const end = await lease.readAt(11, async reader => [
      String(await reader.readLine()),
      reader.atEof(),
      reader.ending,
    ])
    expect(end).toEqual(['and no newline', true, 'fin'])
    const cut = lease.readAt(5, reader => reader.readExactly(99))
    await expect(cut).rejects.toMatchObject({ code: 'INCOMPLETE_READ', expected: 99 })
  })

  test('holds a lease whose connection broke until its holder lets go', async () => {
    const server = await startTestServer(() => {})
    const pool = await openPool({ targets: { it: targetOf(server, { reuse: 'clean' }) } })
    const [kept, spent] = [await pool.lease('it', { replay: true }), await pool.lease('it')]
    for (const lease of [kept, spent]) {
      lease.writer.write('hello\n')
      const socket = await server.connection()
      socket.write('answer\n')
      expect((await lease.reader.readLine()).toString()).toBe('answer\n')
      socket.resetAndDestroy()
      await expect(lease.operation('readline', () => lease.reader.readLine())).rejects.toMatchObject({
        code: 'CONNECTION_RESET',
      })
    }
    expect([kept.gone, spent.gone]).toEqual([null, 'reset'])
    expect(await again(kept, 0, line)).toBe('answer\n')
    await expect(again(kept, 7, line)).rejects.toMatchObject({ code: 'CONNECTION_RESET' })
    expect(await kept.release()).toEqual({ outcome: 'closed', reason: 'error' })
    expect(kept.gone).toBe('released')
  })

  test('counts as memory of the pool until the lease ends', async () => {
    const server = await startLineServer(echoLine)
    const pool = await openPool({ targets: { it: targetOf(server, { reuse: 'clean' }) } })
    const plain = await pool.lease('it')
    const before = pool.stats().memory.ringBytes
    const lease = await pool.lease('it', { replay: true })
    expect(pool.stats().memory.ringBytes).toBe(before)
    for (const each of [plain, lease]) {
      each.writer.write(`${'x'.repeat(9_999)}\n`)
      await each.reader.readLine()
    }
    const held = pool.stats().memory.ringBytes - before
    expect(held).toBeGreaterThanOrEqual(10_000)
    expect(held).toBeLessThanOrEqual(WINDOW_BYTES)
    expect(await lease.release()).toMatchObject({ outcome: 'reused' })
    expect(pool.stats().memory.ringBytes).toBe(before)
    // The next lease of that connection begins with nothing to read again.
    const next = await pool.lease('it', { replay: true })
    expect([next.reused, next.reader.offset]).toEqual([true, 0])
    await expect(again(next, 1, line)).rejects.toMatchObject({ code: 'OFFSET_MISMATCH', offset: 0 })
  })

  test('in plain text is forgotten once TLS starts', async () => {
    const certificate = await testCertificate()
    const server = await startTlsPeer()
    const pool = await openPool({ targets: { it: targetOf(server) } })
    const lease = await pool.lease('it', { replay: true })
    lease.writer.write('STARTTLS\n')
    expect((await lease.reader.readLine()).toString()).toBe('ready\n')
    await lease.writer.startTls({ ca: certificate.cert, servername: 'localhost' })
    await expect(again(lease, 0, line)).rejects.toMatchObject({ code: 'OFFSET_GONE', offset: 6 })
    lease.writer.write('secret\n')
    expect((await lease.reader.readLine()).toString()).toBe('secret\n')
    expect(await again(lease, 6, line)).toBe('secret\n')
  })

  test('can be read again in an attached thread', async () => {
    const server = await startLineServer(echoLine)
    const pool = await openPool({ targets: { it: targetOf(server, { reuse: 'clean' }) } })
    const thread = attach(pool, 'replayed')
    expect(await thread.next()).toEqual({
      replay: true,
      again: 'one\n',
      gone: 'OFFSET_GONE',
      offset: 8,
      outcome: 'reused',
    })
    await thread.exited
  })
})

describe('Lease.parseToText', () => {
  test('reads a message again, alone or with new bytes', async () => {
    const lease = await leaseEcho('{"a":1}{"b":')
    expect(await parsed(lease)).toBe('{"a":1}@0')
    expect(await parsed(lease, 0)).toBe('{"a":1}@0')
    expect(lease.reader.offset).toBe(7)
    expect((await lease.reader.readExactly(5)).toString()).toBe('{"b":')
    const reading = parsed(lease, 7)
    lease.writer.write('2}[3]')
    expect(await reading).toBe('{"b":2}@7')
    expect(lease.reader.offset).toBe(14)
    // What the parse worker took can be read again, and what it left comes next.
    expect(await again(lease, 0, reader => reader.readExactly(14))).toBe('{"a":1}{"b":2}')
    expect((await lease.reader.readExactly(3)).toString()).toBe('[3]')
    expect(await lease.release()).toEqual({ outcome: 'reused', reason: 'clean' })
  })

  test('that fails or times out takes nothing, old or new', async () => {
    const lease = await leaseEcho('[1,2')
    await lease.reader.readExactly(2)
    await until('all came', () => lease.reader.buffered === 2)
    const late = lease.parseToText('json', () => WRAP, {}, { offset: 0, timeoutMs: 30 })
    await expect(late).rejects.toMatchObject({ code: 'READ_TIMEOUT' })
    lease.writer.write('}')
    await expect(parsed(lease, 0)).rejects.toMatchObject({ code: 'PARSE_FAILED' })
    expect(lease.reader.offset).toBe(2)
    expect(await again(lease, 0, reader => reader.readExactly(5))).toBe('[1,2}')
    await expect(parsed(lease, 6)).rejects.toMatchObject({ code: 'OFFSET_MISMATCH', offset: 5 })
  })

  test('keeps the end of a message that is larger than the window, and of what a module has read', async () => {
    const lease = await leaseEcho()
    const value = JSON.stringify(Array.from({ length: 20_000 }, (_, index) => `element ${index}`))
    lease.writer.write(value)
    expect(await parsed(lease)).toBe(`${value}@0`)
    const from = value.length - WINDOW_BYTES
    expect(await again(lease, from, reader => reader.readExactly(WINDOW_BYTES))).toBe(value.slice(from))
    lease.writer.write('a line\nmore\n')
    const module = new URL('../fixtures/threads/live-reader.ts', import.meta.url)
    expect(await lease.run(module, 'line')).toBe('a line\n')
    expect(await again(lease, value.length, line)).toBe('a line\n')
  })
})
