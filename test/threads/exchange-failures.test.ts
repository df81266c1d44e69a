/** What a round trip that failed says of itself: whether to repeat it is safe, what came, and how long it was allowed. */
import { describe, expect, test } from 'vitest'
import { attach } from '../support/attached.ts'
import { setTrap, TRAPPED_IO_WORKER } from '../support/io-worker-trap.ts'
import { startLineServer } from '../support/line-server.ts'
import { openPool, targetOf } from '../support/pool-fixture.ts'
import { startTestServer } from '../support/test-server.ts'
import { until } from '../support/until.ts'

const SEEN = 'what the peer was asked'

/** A peer that hears and does not answer. */
async function startDeaf(max = 1) {
  let heard = ''
  const server = await startTestServer(socket => socket.on('data', bytes => (heard += bytes.toString())))
  const pool = await openPool({
    ioWorkers: 1,
    ioWorkerFile: TRAPPED_IO_WORKER,
    targets: { it: targetOf(server, { reuse: 'clean', pool: { max } }) },
  })
  // The connections are there, and no time goes by with the start of a thread.
  const leases = await Promise.all(Array.from({ length: max }, () => pool.lease('it')))
  for (const lease of leases) await lease.release()
  return { pool, heard: () => heard }
}

const failureOf = (call: Promise<unknown>) =>
  call.then(
    () => null,
    error => error,
  )

const ASK = { write: SEEN, read: { line: true } } as const

describe('an exchange whose question went out', () => {
  test('is not retryable where the reply is late, and names the time that it was given', async () => {
    const { pool, heard } = await startDeaf()
    const error = await failureOf(pool.exchange('it', { ...ASK, timeoutMs: 300 }))
    expect(error).toMatchObject({
      code: 'READ_TIMEOUT',
      retryable: false,
      bytesAccepted: SEEN.length,
      message: 'readuntil() took longer than 300 ms',
    })
    expect(heard()).toBe(SEEN)
  })

  test('is not retryable where its I/O worker dies', async () => {
    const { pool, heard } = await startDeaf()
    const failing = failureOf(pool.exchange('it', ASK))
    await until('the peer heard it', () => heard() === SEEN)
    await setTrap({ worker: 0, do: 'throw' })
    expect(await failing).toMatchObject({
      code: 'WORKER_LOST',
      retryable: false,
      bytesAccepted: SEEN.length,
    })
  })

  test('is not retryable on an attached thread, blocking or not', async () => {
    const { pool } = await startDeaf(2)
    const late = { code: 'READ_TIMEOUT', retryable: false, bytesAccepted: SEEN.length }
    const [blocking, other] = (await attach(pool, 'exchangeBoth', { ...ASK, timeoutMs: 150 }).next()) as [
      unknown,
      unknown,
    ]
    expect(blocking).toMatchObject({ ...late, message: 'readuntil took longer than 150 ms' })
    expect(other).toMatchObject({ ...late, message: 'readuntil() took longer than 150 ms' })
  })
})

describe('an exchange that sent nothing', () => {
  test('is retryable where no connection came free, and names the time that it was given', async () => {
    const { pool, heard } = await startDeaf()
    const lease = await pool.lease('it')
    const error = await failureOf(pool.exchange('it', { ...ASK, timeoutMs: 150 }))
    expect(error).toMatchObject({ code: 'WAIT_TIMEOUT', retryable: true })
    expect(error.message).toMatch(/^the wait for a connection took longer than 150 ms \(/)
    expect(heard()).toBe('')
    await lease.discard()
  })

  test('is retryable where the time was up with an empty question', async () => {
    const { pool } = await startDeaf()
    const error = await failureOf(pool.exchange('it', { write: '', read: { line: true }, timeoutMs: 50 }))
    expect(error).toMatchObject({ code: 'READ_TIMEOUT', retryable: true, bytesAccepted: 0 })
  })
})

describe('a lease whose I/O worker dies', () => {
  test('is worth a repeat on another connection only where it has sent nothing', async () => {
    const { pool, heard } = await startDeaf(3)
    const [silent, talker, writer] = [await pool.lease('it'), await pool.lease('it'), await pool.lease('it')]
    talker.writer.write(SEEN)
    await until('the peer heard it', () => heard() === SEEN)
    const reads = [silent, talker].map(lease => failureOf(lease.reader.readLine()))
    await writer.writer.send(SEEN, { until: 'flushed' })
    await setTrap({ worker: 0, do: 'throw' })
    const [unheard, unanswered] = await Promise.all(reads)
    expect(unheard).toMatchObject({ code: 'WORKER_LOST', retryable: true })
    expect(unanswered).toMatchObject({ code: 'WORKER_LOST', retryable: false })
    for (const call of [writer.writer.drain(), writer.writer.send('more'), writer.reader.read(1)])
      expect(await failureOf(call)).toMatchObject({ code: 'WORKER_LOST', retryable: false })
  })
})

describe('work on a lent reader that runs out of time', () => {
  const TAKE_LINES = new URL('../fixtures/parse/take-lines.ts', import.meta.url)

  test('is not retryable where it has read something, and names the time that it was given', async () => {
    const server = await startLineServer((_line, socket) => void socket.write('one\n'))
    const pool = await openPool({ targets: { it: targetOf(server) } })
    // A thread that runs such modules is there already: starting one is not what is timed.
    await pool.use('it', async warm => {
      warm.writer.write('go\n')
      await warm.run(TAKE_LINES, 1)
    })
    const lease = await pool.lease('it')
    lease.writer.write('go\n')
    const took = await failureOf(lease.run(TAKE_LINES, 2, { timeoutMs: 300 }))
    expect(took).toMatchObject({
      code: 'READ_TIMEOUT',
      retryable: false,
      message: 'readline took longer than 300 ms',
    })
  })

  test('parse names the time that it was given, and may be repeated', async () => {
    const server = await startLineServer((_line, socket) => void socket.write('{"half":'))
    const pool = await openPool({ targets: { it: targetOf(server) } })
    const lease = await pool.lease('it')
    lease.writer.write('go\n')
    expect(await failureOf(lease.parse('json', {}, { timeoutMs: 300 }))).toMatchObject({
      code: 'READ_TIMEOUT',
      retryable: true,
      message: 'parse() took longer than 300 ms',
    })
    expect(lease.reader.buffered).toBe(8)
  })
})

describe('an exchange whose peer ends too soon', () => {
  const startHalf = async (reply: string) => {
    const server = await startTestServer(socket => socket.once('data', () => socket.end(reply)))
    return await openPool({ targets: { it: targetOf(server) } })
  }

  test.each([
    [{ line: true }, 'half a line'],
    [{ until: '--' }, 'half-'],
    [{ exactly: 9 }, 'half'],
    [{ line: true }, ''],
    [{ eof: true }, ''],
  ] as const)('is INCOMPLETE_READ for %j of %j, and hands out what came', async (read, reply) => {
    const pool = await startHalf(reply)
    const own = await failureOf(pool.exchange('it', { write: 'ask', read }))
    expect(own).toMatchObject({ code: 'INCOMPLETE_READ', retryable: false, bytesAccepted: 3 })
    expect(own.partial.toString()).toBe(reply)
    expect(own.message).toContain(`the peer ended after ${reply.length}`)
    const both = await attach(pool, 'exchangeBoth', { write: 'ask', read }).next()
    const told = { code: 'INCOMPLETE_READ', retryable: false, bytesAccepted: 3, partial: reply }
    expect(both).toMatchObject([told, told])
  })

  test('is served where the reply was whole before', async () => {
    const pool = await startHalf('all\nrest')
    expect((await pool.exchange('it', { write: 'ask', read: { line: true } })).data.toString()).toBe('all\n')
    expect((await pool.exchange('it', { write: 'ask', read: { exactly: 3 } })).data.toString()).toBe('all')
    const toEnd = await pool.exchange('it', { write: 'ask', read: { eof: true } })
    expect([toEnd.data.toString(), toEnd.ending]).toEqual(['all\nrest', 'fin'])
  })

  test('leaves readline of a lease as it is in asyncio', async () => {
    const pool = await startHalf('half')
    const { reader, writer } = await pool.lease('it')
    writer.write('ask')
    expect([(await reader.readLine()).toString(), reader.atEof(), reader.ending]).toEqual([
      'half',
      true,
      'fin',
    ])
  })
})
