/** Messages of a lease that are decoded ahead of the loop that wants them. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Lease } from '../../src/pool/lease/lease.ts'
import type { Pool } from '../../src/pool/pool.ts'
import { attach } from '../support/attached.ts'
import { openPool, targetOf } from '../support/pool-fixture.ts'
import { startTestServer, type TestServer } from '../support/test-server.ts'
import { until } from '../support/until.ts'

const SLOW_MS = 60_000

type Scene = { readonly pool: Pool; readonly lease: Lease; readonly server: TestServer }

async function leased(
  text: string,
  { end = false, ...options }: { end?: boolean; replay?: boolean; ttlMs?: number } = {},
): Promise<Scene> {
  const server = await startTestServer(socket => {
    socket.write(text)
    if (end) socket.end()
  })
  const pool = await openPool({ rings: { inboundBytes: 65_536 }, targets: { it: targetOf(server) } })
  const lease = await pool.lease('it', options)
  await until('bytes came', () => lease.reader.buffered >= Math.min(text.length, 32_768))
  return { pool, lease, server }
}

function rows(count: number, from = 0): string {
  return Array.from({ length: count }, (_, index) => `{"index":${from + index}}\n`).join('')
}

async function lineOf(lease: Lease): Promise<string> {
  return (await lease.reader.readLine()).toString()
}

const indexOf = (value: unknown): number => (value as { readonly index: number }).index

async function take(lease: Lease, count: number): Promise<number[]> {
  const taken: number[] = []
  if (count === 0) return taken
  for await (const value of lease.messages('ndjson')) if (taken.push(indexOf(value)) === count) break
  return taken
}

describe('Lease.messages', () => {
  test('leaves what follows the messages that it has handed out to the reader', async () => {
    const { lease } = await leased(rows(5_000))
    expect(await take(lease, 3)).toEqual([0, 1, 2])
    expect(lease.reader.offset).toBe(rows(3).length)
    expect(await lineOf(lease)).toBe('{"index":3}\n')
    lease.reader.unread(Buffer.from('{"index":9}\n'))
    expect(await take(lease, 2)).toEqual([9, 4])
    const last = 4_990
    expect(await take(lease, last - 5)).toEqual(Array.from({ length: last - 5 }, (_, index) => 5 + index))
    expect(await lineOf(lease)).toBe(`{"index":${last}}\n`)
  })

  test('goes on behind what its loop reads itself', async () => {
    const { lease } = await leased(rows(2_000), { end: true })
    const seen: number[] = []
    for await (const value of lease.messages('ndjson')) {
      seen.push(indexOf(value))
      if (indexOf(value) % 3 === 0)
        expect(JSON.parse(await lineOf(lease))).toEqual({ index: indexOf(value) + 1 })
    }
    expect(seen).toEqual(Array.from({ length: 2_000 }, (_, index) => index).filter(index => index % 3 !== 1))
    expect(lease.reader.atEof()).toBe(true)
  })

  test('hands out all before a wrong message, and leaves that one where it is', async () => {
    const { lease } = await leased(`${rows(100)}{"index":[}\n${rows(1, 7)}`)
    const seen: unknown[] = []
    const iterating = (async () => {
      for await (const value of lease.messages('ndjson')) seen.push(value)
    })()
    await expect(iterating).rejects.toMatchObject({ code: 'PARSE_FAILED', offset: 10 })
    expect(seen).toHaveLength(100)
    expect(lease.reader.offset).toBe(rows(100).length)
    expect(await lineOf(lease)).toBe('{"index":[}\n')
    expect(await take(lease, 1)).toEqual([7])
  })

  test('waits for the rest of a message no longer than it may, and goes on when that has come', async () => {
    const { lease, server } = await leased(`${rows(2)}{"ind`)
    const peer = await server.connection()
    // The thread starts with the first.
    expect(await take(lease, 1)).toEqual([0])
    const messages = lease.messages('ndjson', {}, { timeoutMs: 1_000 })
    expect(await messages.next()).toMatchObject({ value: { index: 1 } })
    await expect(messages.next()).rejects.toMatchObject({ code: 'READ_TIMEOUT' })
    peer.end('ex":2}\n{"index":3}')
    const rest: unknown[] = []
    for await (const value of lease.messages('ndjson')) rest.push(value)
    expect(rest).toEqual([{ index: 2 }, { index: 3 }])
  })

  test('tells of a message that the end of the stream cuts off', async () => {
    const { lease } = await leased(`${rows(40)}{"ind`, { end: true })
    const seen: unknown[] = []
    const iterating = (async () => {
      for await (const value of lease.messages('ndjson')) seen.push(value)
    })()
    await expect(iterating).rejects.toMatchObject({ code: 'PARSE_FAILED' })
    expect(seen).toHaveLength(40)
  })

  test('gives no more of what it has at hand once its signal is aborted', async () => {
    const { lease } = await leased(rows(50))
    const abort = new AbortController()
    const messages = lease.messages('ndjson', {}, { signal: abort.signal })
    expect(await messages.next()).toMatchObject({ value: { index: 0 } })
    abort.abort(new Error('enough'))
    await expect(messages.next()).rejects.toMatchObject({ code: 'ABORTED' })
    expect(await lineOf(lease)).toBe('{"index":1}\n')
  })

  test('refuses the message that is next while a read waits', async () => {
    const { lease, server } = await leased(rows(2))
    const messages = lease.messages('ndjson')
    await messages.next()
    const peer = await server.connection()
    const reading = lease.reader.readExactly(20)
    await expect(messages.next()).rejects.toMatchObject({ code: 'READ_BUSY' })
    peer.write('12345678')
    expect((await reading).toString()).toBe('{"index":1}\n12345678')
  })

  test.each(['killed', 'discarded'] as const)('ends with a lease that is %s', async how => {
    const { lease } = await leased(rows(50))
    const messages = lease.messages('ndjson')
    await messages.next()
    if (how === 'killed') lease.kill()
    else await lease.discard()
    await expect(messages.next()).rejects.toMatchObject({ code: 'LEASE_GONE' })
  })

  test('wakes from its wait when its lease is killed', async () => {
    const { lease } = await leased(rows(50))
    const next = lease
      .messages('ndjson')
      .next()
      .catch(error => error)
    lease.kill()
    expect(await next).toMatchObject({ code: 'LEASE_GONE' })
  })

  test('hands out messages of every size in the order in which they came', { timeout: SLOW_MS }, async () => {
    const sizes = [1, 70_000, 2, 1_100_000, 65_536, 65_537, 3, 900_000, 150_000, 2_200_000, 5, 6]
    const values = sizes.map((size, index) =>
      index % 2 === 0 ? 'x'.repeat(size) : Array.from({ length: size >> 3 }, () => 1_000_000 + index),
    )
    const { lease } = await leased(`${values.map(value => JSON.stringify(value)).join('\n')}\n`, {
      end: true,
    })
    const seen: unknown[] = []
    for await (const value of lease.messages('ndjson', {}, { timeoutMs: 30_000 })) seen.push(value)
    expect(seen).toEqual(values)
  })

  test.each([
    ['json', '{"a":1} [2]"three" 4 true', [{ a: 1 }, [2], 'three', 4, true]],
    ['lines', 'one\r\n\nthree\nlast', ['one', '', 'three', 'last']],
  ])('gives the messages of %s', async (format, text, values) => {
    const { lease } = await leased(text, { end: true })
    const seen: unknown[] = []
    for await (const value of lease.messages(format)) seen.push(value)
    expect(seen).toEqual(values)
  })

  test.each([
    ['csv', 'a,b\r\n1,"2\n3"\n4,5\n'],
    ['smtp', '220 ready\r\n250-first\r\n250 second\r\n354 go on\r\n'],
    ['http1', 'HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc'],
  ])('gives the messages of %s as parse does one by one', async (format, text) => {
    const { pool, lease } = await leased(text)
    const other = await pool.lease('it')
    const batched = lease.messages(format)
    while (lease.reader.offset < text.length) {
      const { value } = await batched.next()
      expect(value).toEqual(await other.parse(format))
      expect(lease.reader.offset).toBe(other.reader.offset)
    }
    await other.discard()
  })

  test('keeps what it has handed out for who reads it again', async () => {
    const { lease } = await leased(rows(10), { replay: true })
    expect(await take(lease, 4)).toEqual([0, 1, 2, 3])
    expect(await lease.readAt(rows(3).length, reader => reader.readLine())).toEqual(
      Buffer.from('{"index":3}\n'),
    )
  })

  test('renews a ttl with each message, however long those last that are at hand', async () => {
    const { lease } = await leased(rows(6), { ttlMs: 1_500 })
    const seen: number[] = []
    for await (const value of lease.messages('ndjson')) {
      seen.push(indexOf(value))
      if (seen.length === 6) break
      await new Promise(resolve => setTimeout(resolve, 500))
    }
    expect([seen.length, lease.gone]).toEqual([6, null])
  })

  test('shows the messages that were at hand as one row of what was done', async () => {
    const { pool, lease } = await leased(rows(20))
    await take(lease, 20)
    const { operations } = pool.connection(lease.connection.id)
    const parsed = operations.filter(({ name }) => name === 'parse')
    expect(parsed).toMatchObject([
      { bytesIn: 12, outcome: 'ok' },
      { bytesIn: rows(20).length - 12, outcome: 'ok' },
    ])
  })

  test('serves again a connection whose messages were all handed out', async () => {
    const server = await startTestServer(socket => socket.on('data', () => socket.write(rows(3))))
    const pool = await openPool({ targets: { it: targetOf(server, { reuse: 'clean' }) } })
    const lease = await pool.lease('it')
    lease.writer.write('go\n')
    expect(await take(lease, 3)).toEqual([0, 1, 2])
    expect(await lease.release()).toEqual({ outcome: 'reused', reason: 'clean' })
  })

  test('is had on an attached thread too, whose lease lives as long as its loop', async () => {
    const { pool, lease } = await leased(rows(1_000))
    await lease.discard()
    const thread = attach(pool, 'messages')
    expect(await thread.next()).toEqual({ seen: [0, 1, 2, 3, 4, 5], line: '{"index":6}\n', gone: null })
    await thread.exited
  })
})

type Step = 'message' | 'line' | 'peek' | 'change' | 'again'

const step = fc.constantFrom<Step>('message', 'message', 'message', 'line', 'peek', 'change', 'again')

/** One step at the head of the stream; the lines that it took, with their newlines. */
async function play(
  lease: Lease,
  messages: AsyncGenerator<unknown>,
  how: Step,
  lines: string[],
): Promise<string[]> {
  switch (how) {
    case 'message': {
      const { value, done } = await messages.next()
      return done ? [] : [`${JSON.stringify(value)}\n`]
    }
    case 'line': {
      const line = await lineOf(lease)
      return line === '' ? [] : [line]
    }
    case 'peek':
      await lease.reader.peek(5)
      return []
    case 'change': {
      // Puts back others of the same length.
      const line = await lineOf(lease)
      if (line === '') return []
      const changed = line.replaceAll('é', 'è')
      lines[indexOf(JSON.parse(line))] = changed
      lease.reader.unread(Buffer.from(changed))
      return []
    }
    case 'again':
      await messages.return(undefined)
      return []
    default:
      return how satisfies never
  }
}

test('whoever reads a stream of messages in whichever ways reads every byte once', {
  timeout: SLOW_MS,
}, async () => {
  const line = fc.oneof(
    { weight: 20, arbitrary: fc.integer({ min: 0, max: 400 }) },
    { weight: 1, arbitrary: fc.integer({ min: 60_000, max: 200_000 }) },
  )
  const run = async (sizes: number[], steps: Step[]): Promise<void> => {
    const lines = sizes.map((size, index) => `{"index":${index},"fill":"${'é'.repeat(size)}"}\n`)
    const { pool, lease } = await leased(lines.join(''), { end: true })
    const seen: string[] = []
    let messages = lease.messages('ndjson')
    for (const how of [...steps, ...sizes.map((): Step => 'message')]) {
      seen.push(...(await play(lease, messages, how, lines)))
      if (how === 'again') messages = lease.messages('ndjson')
      expect(lease.reader.offset).toBe(Buffer.byteLength(seen.join('')))
    }
    expect(seen).toEqual(lines)
    await lease.discard()
    await pool.close()
  }
  const sizes = fc.array(line, { minLength: 1, maxLength: 120 })
  await fc.assert(fc.asyncProperty(sizes, fc.array(step, { maxLength: 60 }), run), { numRuns: 5 })
})
