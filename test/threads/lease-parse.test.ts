import { expect, test } from 'vitest'
import { startLineServer } from '../support/line-server.ts'
import { poolCounts } from '../support/open-connections.ts'
import { openPool, targetOf } from '../support/pool-fixture.ts'
import { startTestServer } from '../support/test-server.ts'
import { until } from '../support/until.ts'

const READER = new URL('../fixtures/threads/live-reader.ts', import.meta.url)

test('Lease.parse reads one message and leaves what follows to the reader', async () => {
  const server = await startLineServer((_line, socket) => {
    socket.write('{"a":[1,2')
    setImmediate(() => socket.write(',3]}rest\n'))
  })
  const pool = await openPool({ targets: { it: targetOf(server, { reuse: 'clean' }) } })
  const lease = await pool.lease('it')
  lease.writer.write('go\n')
  expect(await lease.parse('json')).toEqual({ a: [1, 2, 3] })
  expect(lease.reader.offset).toBe(13)
  expect((await lease.reader.readLine()).toString()).toBe('rest\n')
  expect(await lease.release()).toEqual({ outcome: 'reused', reason: 'clean' })
})

test('Lease.messages yields until the stream ends', async () => {
  const server = await startTestServer(socket => {
    for (let index = 0; index < 200; index++) socket.write(`{"index":${index}}\n`)
    socket.end()
  })
  const pool = await openPool({ targets: { it: targetOf(server) } })
  const lease = await pool.lease('it')
  const values: unknown[] = []
  for await (const value of lease.messages('ndjson')) values.push(value)
  expect(values).toEqual(Array.from({ length: 200 }, (_, index) => ({ index })))
  expect(lease.reader.atEof()).toBe(true)
})

test('a message larger than the ring comes from a live connection', async () => {
  const value = Array.from({ length: 40_000 }, (_, index) => `element ${index}`)
  const server = await startTestServer(socket => socket.write(`${JSON.stringify(value)}\n`))
  const pool = await openPool({ rings: { inboundBytes: 65_536 }, targets: { it: targetOf(server) } })
  const lease = await pool.lease('it')
  expect(await lease.parse('json', {}, { timeoutMs: 10_000 })).toEqual(value)
  expect((await lease.reader.read(1)).toString()).toBe('\n')
})

test('a failed parse removes nothing and closes the connection at release', async () => {
  const server = await startTestServer(socket => socket.write('[1,}\n'))
  const pool = await openPool({ targets: { it: targetOf(server, { reuse: 'clean' }) } })
  const lease = await pool.lease('it')
  await expect(lease.parse('json')).rejects.toMatchObject({ code: 'PARSE_FAILED', offset: 3 })
  expect((await lease.reader.readLine()).toString()).toBe('[1,}\n')
  await lease.release()
})

test('reads are READ_BUSY while a parse has the reader, and a peer that is silent is READ_TIMEOUT', async () => {
  const server = await startTestServer(socket => socket.write('[1'))
  const pool = await openPool({ targets: { it: targetOf(server) } })
  const lease = await pool.lease('it')
  await until('bytes came', () => lease.reader.buffered > 0)
  const parsing = lease.parse('json', {}, { timeoutMs: 1_000 }).catch(error => error)
  await expect(lease.reader.read(1)).rejects.toMatchObject({ code: 'READ_BUSY' })
  expect(await parsing).toMatchObject({ code: 'READ_TIMEOUT' })
  expect((await lease.reader.readExactly(2)).toString()).toBe('[1')
})

test.each([
  ['FIN', 'INCOMPLETE_READ'],
  ['RST', 'CONNECTION_RESET'],
] as const)(
  'a connection that ends with %s in the midst of a message wakes the parse worker',
  async (how, code) => {
    const server = await startTestServer(socket => socket.write('[1'))
    const pool = await openPool({ targets: { it: targetOf(server) } })
    const lease = await pool.lease('it')
    const peer = await server.connection()
    await until('bytes came', () => lease.reader.buffered > 0)
    const parsing = lease.parse('json').catch(error => error)
    await until('a parse worker had the reader', () => lease.reader.buffered === 0)
    if (how === 'FIN') peer.end()
    else peer.resetAndDestroy()
    expect(await parsing).toMatchObject({ code })
    await lease.release()
  },
)

test('a message of a connection that has ended is still parsed', async () => {
  const server = await startTestServer(socket => socket.end('{"last":true}'))
  const pool = await openPool({ targets: { it: targetOf(server) } })
  const lease = await pool.lease('it')
  await until('the message came', () => lease.reader.buffered === 13)
  lease.writer.close()
  await lease.writer.waitClosed()
  expect(await lease.parse('json')).toEqual({ last: true })
  await expect(lease.parse('json')).rejects.toMatchObject({ code: 'INCOMPLETE_READ' })
})

test.each([
  { onReset: 'drain-then-raise', seen: 'the last line\n' },
  { onReset: 'raise', seen: 'CONNECTION_RESET' },
] as const)('Lease.run reads after a reset as its lease does: $onReset', async ({ onReset, seen }) => {
  const server = await startTestServer(socket => socket.write('first\nthe last line\n'))
  const pool = await openPool({ targets: { it: targetOf(server) } })
  const lease = await pool.lease('it', { onReset })
  const peer = await server.connection()
  await until('bytes came', () => lease.reader.buffered > 0)
  const running = lease.run(READER, 'after-reset').catch(error => error.code)
  await until('a parse worker had the reader', () => lease.reader.buffered === 0)
  peer.resetAndDestroy()
  expect(await running).toBe(seen)
  await lease.release()
})

test('Lease.run runs blocking code on the live connection', async () => {
  const server = await startTestServer(socket => {
    let number = 0
    const timer = setInterval(() => {
      socket.write(++number <= 5 ? `${number}\n` : '\nrest')
      if (number > 5) clearInterval(timer)
    }, 2)
  })
  const pool = await openPool({ targets: { it: targetOf(server) } })
  const lease = await pool.lease('it')
  expect(await lease.run(READER, 'sum')).toBe(15)
  expect((await lease.reader.readExactly(4)).toString()).toBe('rest')
})

test('a parse worker that dies with the reader closes the connection, and the next one works', async () => {
  const server = await startLineServer((line, socket) => socket.write(`${line}\n`))
  const pool = await openPool({ targets: { it: targetOf(server, { reuse: 'clean' }) } })
  const lease = await pool.lease('it')
  lease.writer.write('x\n')
  await expect(lease.run(READER, 'die')).rejects.toMatchObject({ code: 'PARSE_FAILED' })
  expect(lease.gone).toBe('killed')
  await until('the connection was closed', () => poolCounts(pool).connections === 0)
  await expect(lease.reader.read(1)).rejects.toMatchObject({ code: 'LEASE_GONE' })
  const next = await pool.lease('it')
  next.writer.write('y\n')
  expect(await next.run(READER, 'line')).toBe('y\n')
  expect(await next.release()).toEqual({ outcome: 'reused', reason: 'clean' })
})

test('a lease that is killed while a parse worker reads ends the parse', async () => {
  const server = await startTestServer(socket => socket.write('[1'))
  const pool = await openPool({ targets: { it: targetOf(server) } })
  const lease = await pool.lease('it')
  await until('bytes came', () => lease.reader.buffered > 0)
  const parsing = lease.parse('json').catch(error => error)
  await until('a parse worker had the reader', () => lease.reader.buffered === 0)
  lease.kill()
  expect(await parsing).toMatchObject({
    code: expect.stringMatching(/INCOMPLETE_READ|LEASE_GONE|CONNECTION_RESET/),
  })
  expect(lease.gone).toBe('killed')
})

test('Pool.parse and Pool.run work without a connection', async () => {
  const pool = await openPool()
  expect(await pool.parse('ndjson', Buffer.from('1\n[2]\n'))).toEqual([1, [2]])
  const module = new URL('../fixtures/parse/user-module.ts', import.meta.url)
  expect(await pool.run(module, { do: 'echo', value: { deep: [1] } })).toEqual({ deep: [1] })
})
