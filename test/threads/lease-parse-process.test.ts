/** Messages of live connections that a thread cuts and a process decodes. */
import { expect, test } from 'vitest'
import { LIMITS } from '../../src/base/limits.ts'
import { isAtWork, parseProcessesOf } from '../support/parse-processes.ts'
import { openPool, targetOf } from '../support/pool-fixture.ts'
import { startTestServer } from '../support/test-server.ts'
import { until } from '../support/until.ts'

/** A list that takes a process a good second, on one line. */
const LONG = `[${'{},'.repeat(899_999)}{}]\n`

/** A lease on a connection that sends the text, and keeps its processes to itself. */
async function leaseOf(text: string | Buffer) {
  const server = await startTestServer(socket => socket.write(text))
  const pool = await openPool({
    parseIsolation: 'process',
    rings: { inboundBytes: 4_194_304 },
    targets: { it: targetOf(server, { reuse: 'clean' }) },
  })
  return { pool, lease: await pool.lease('it') }
}

test('Lease.parse takes one message out by a process and leaves what follows', async () => {
  const { pool, lease } = await leaseOf('{"a":[1,2]}\n"two"\nrest\n')
  expect(await lease.parse('ndjson')).toEqual({ a: [1, 2] })
  expect(lease.reader.offset).toBe(12)
  const text = await lease.parseToText('ndjson', offset => ({
    before: `{"offset":${offset},"value":`,
    between: '',
    end: '',
    after: '}',
  }))
  expect(JSON.parse(Buffer.from(text).toString())).toEqual({ offset: 12, value: 'two' })
  expect((await lease.reader.readLine()).toString()).toBe('rest\n')
  expect(await lease.release()).toEqual({ outcome: 'reused', reason: 'clean' })
  if (process.platform === 'linux') expect(parseProcessesOf(process.pid)).toHaveLength(1)
  await pool.close()
})

test('a message that a process cannot decode stays, with the offset of its fault', async () => {
  const { lease } = await leaseOf('{"a":1}\n{"a":1,"__proto__":2}\n')
  expect(await lease.parse('ndjson')).toEqual({ a: 1 })
  await expect(lease.parse('ndjson')).rejects.toMatchObject({ code: 'PARSE_FAILED' })
  expect(lease.reader.offset).toBe(8)
  expect((await lease.reader.readLine()).toString()).toBe('{"a":1,"__proto__":2}\n')
})

test('a message that is longer than a thread decodes goes to a process, larger than the ring as it is', async () => {
  const value = 'x'.repeat(LIMITS.parseThreadBytesMax)
  const server = await startTestServer(socket => socket.write(`"short"\n"${value}"\nrest`))
  const pool = await openPool({ targets: { it: targetOf(server) } })
  const lease = await pool.lease('it')
  expect(await lease.parse('ndjson')).toBe('short')
  if (process.platform === 'linux') expect(parseProcessesOf(process.pid)).toEqual([])
  expect(await lease.parse('ndjson')).toBe(value)
  if (process.platform === 'linux') expect(parseProcessesOf(process.pid)).toHaveLength(1)
  expect((await lease.reader.readExactly(4)).toString()).toBe('rest')
})

test.runIf(process.platform === 'linux')('the death of its process leaves the message unread', async () => {
  const { lease } = await leaseOf(`"first"\n${LONG}`)
  expect(await lease.parse('ndjson')).toBe('first')
  const [pid = 0] = parseProcessesOf(process.pid)
  const failed = lease.parse('ndjson').catch((error: unknown) => error)
  await until('the process has the message', () => isAtWork(pid))
  process.kill(pid, 'SIGKILL')
  expect(await failed).toMatchObject({ code: 'PARSE_FAILED' })
  expect(lease.reader.offset).toBe(8)
  expect(await lease.parse('ndjson')).toHaveLength(900_000)
  expect(lease.reader.offset).toBe(8 + LONG.length)
})

test('a signal and a deadline end the process, and leave the message unread', async () => {
  const { lease } = await leaseOf(`"first"\n${LONG}`)
  expect(await lease.parse('ndjson')).toBe('first')
  await until('the whole message is here', () => lease.reader.buffered >= LONG.length)
  const signal = AbortSignal.timeout(200)
  await expect(lease.parse('ndjson', {}, { signal })).rejects.toMatchObject({ code: 'ABORTED' })
  expect(lease.reader.offset).toBe(8)
  const late = lease.parse('ndjson', {}, { timeoutMs: 100 })
  await expect(late).rejects.toMatchObject({ code: 'PARSE_TIMEOUT' })
  expect(lease.reader.offset).toBe(8)
  expect(await lease.parse('ndjson')).toHaveLength(900_000)
})
