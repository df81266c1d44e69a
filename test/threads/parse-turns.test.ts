/** Messages that do not come whole: whose parse waits, for what, and what becomes of the reader meanwhile. */
import { afterEach, describe, expect, test } from 'vitest'
import type { ParseThreadRow } from '../../src/base/parse-thread-row.ts'
import { Parsers, type ParsersOptions } from '../../src/parse/parsers.ts'
import type { Lease } from '../../src/pool/lease/lease.ts'
import { LentPeer } from '../support/lent-peer.ts'
import { openPool, targetOf } from '../support/pool-fixture.ts'
import { startTestServer } from '../support/test-server.ts'
import { until } from '../support/until.ts'

const READER = new URL('../fixtures/threads/live-reader.ts', import.meta.url)

const opened: Parsers[] = []

afterEach(async () => {
  for (const parsers of opened.splice(0)) await parsers.close()
})

function open(options?: ParsersOptions): Parsers {
  const parsers = new Parsers(options)
  opened.push(parsers)
  return parsers
}

/** A peer that has sent so much of a message, and its parse, for which no thread waits any more. */
async function parked(
  parsers: Parsers,
  text: string,
  call: { timeoutMs?: number; signal?: AbortSignal } = {},
) {
  const peer = new LentPeer()
  await peer.send(text)
  const before = parsers.stats().parked
  const parsing = parsers.parseMessage(peer.lend(), 'json', {}, call)
  // Who wants the thread gets it.
  const other = new LentPeer()
  await other.send('0 ')
  const whole = await parsers.parseMessage(other.lend(), 'json')
  expect(whole.outcome).toEqual({ ok: true, value: 0 })
  await until('the reader was parked', () => parsers.stats().parked > before && peer.isAwaited)
  expect(parsers.stats().live).toMatchObject({ running: 0, waiting: 0 })
  return { peer, parsing }
}

describe('a message that does not come whole', () => {
  test('holds no thread that others want, and goes on where its rest comes', async () => {
    const parsers = open()
    const { peer, parsing } = await parked(parsers, '{"a":[1,"é')
    await peer.send('"],"b":tr')
    await until('it was looked at', () => peer.isAwaited)
    await peer.send('ue} rest')
    const result = await parsing
    expect(result.outcome).toEqual({ ok: true, value: { a: [1, 'é'], b: true } })
    expect(peer.takeBack(result)).toMatchObject({ interrupted: false })
    expect(peer.rest()).toBe(' rest')
  })

  test('may be larger than the ring, and none of its bytes is lost on the way', async () => {
    const parsers = open()
    const { peer, parsing } = await parked(parsers, '["')
    const text = 'x'.repeat(1_500_000)
    for (let start = 0; start < text.length; start += 250_000)
      await peer.send(text.slice(start, start + 250_000))
    await peer.send('"]rest')
    const result = await parsing
    expect(result.outcome).toEqual({ ok: true, value: [text] })
    peer.takeBack(result)
    expect(peer.rest()).toBe('rest')
  })

  test('ends at its deadline, and stays readable', async () => {
    const { peer, parsing } = await parked(open(), '[1', { timeoutMs: 1_000 })
    const result = await parsing
    expect(result.outcome).toMatchObject({
      error: { code: 'READ_TIMEOUT', message: 'parse() took longer than 1000 ms', bytesDelivered: 0 },
    })
    expect(peer.takeBack(result)).toMatchObject({ count: 0, interrupted: true })
    expect(peer.rest()).toBe('[1')
  })

  test('ends with its signal, and stays readable', async () => {
    const controller = new AbortController()
    const parsers = open()
    const { peer, parsing } = await parked(parsers, '[1', { signal: controller.signal })
    const reason = new Error('no longer wanted')
    controller.abort(reason)
    const result = await parsing
    expect(result.outcome).toMatchObject({ error: { code: 'ABORTED', cause: reason } })
    expect(peer.takeBack(result)).toMatchObject({ count: 0, interrupted: true })
    await peer.send(',2]')
    expect(peer.rest()).toBe('[1,2]')
    expect(parsers.stats().parked).toBe(0)
  })

  test('is let finish once it is whole, however long that takes', async () => {
    const parsers = open()
    const controller = new AbortController()
    const { signal } = controller
    const peer = new LentPeer()
    const form = { kind: 'text', wrap: { before: '', between: '', end: '', after: '' } } as const
    const parsing = parsers.parseMessage(peer.lend(), 'json', {}, { signal, form })
    // A second of work for a thread on a busy machine.
    await peer.send(`[${'{},'.repeat(4_000_000)}{}]`)
    controller.abort()
    const result = await parsing
    expect(result.reader.kind).toBe('returned')
    expect(parsers.stats().live).toMatchObject({ threads: 1, died: 0 })
  })

  test('ends with its stream', async () => {
    const { peer, parsing } = await parked(open(), '[1')
    peer.channel.endInbound('fin')
    const result = await parsing
    expect(result.outcome).toMatchObject({ error: { code: 'INCOMPLETE_READ', partial: Buffer.from('[1') } })
    expect(peer.takeBack(result).count).toBe(2)
  })

  test('ends with the parse workers', async () => {
    const parsers = open()
    const { peer, parsing } = await parked(parsers, '[1')
    await parsers.close()
    const result = await parsing
    expect(result.outcome).toMatchObject({ error: { code: 'DRAINING' } })
    peer.takeBack(result)
    expect(peer.rest()).toBe('[1')
  })

  test('is refused once it is too long', async () => {
    const parsers = open({ bytesMax: 1_000 })
    const { peer, parsing } = await parked(parsers, '["')
    await peer.send('x'.repeat(2_000))
    const result = await parsing
    expect(result.outcome).toMatchObject({ error: { code: 'PARSE_LIMIT', offset: 1_000 } })
    peer.takeBack(result)
    expect(peer.rest()).toBe(`["${'x'.repeat(2_000)}`)
  })
})

/** Peers that have sent half a message and then a bit of it now and again; and one that answers whole. */
async function openDrips(dripMs: number | null) {
  const server = await startTestServer(socket => {
    socket.on('data', asked => {
      const isWhole = asked.toString() === 'whole'
      socket.write(isWhole ? '{"whole":true}' : '[1')
      if (isWhole || dripMs === null) return
      const dripping = setInterval(() => socket.write(',1'), dripMs)
      socket.on('close', () => clearInterval(dripping))
    })
  })
  const pool = await openPool({ targets: { it: targetOf(server, { pool: { max: 20 } }) } })
  const drips: { lease: Lease; parsing: Promise<unknown> }[] = []
  for (let index = 0; index < 10; index++) {
    const lease = await pool.lease('it', { tenant: 'slow' })
    lease.writer.write('half')
    await until('half a message came', () => lease.reader.buffered > 0)
    drips.push({ lease, parsing: lease.parse('json').catch(error => error) })
  }
  const whole = async (tenant: string): Promise<unknown> => {
    const lease = await pool.lease('it', { tenant })
    lease.writer.write('whole')
    const result = await lease.parse('json', {}, { timeoutMs: 5_000 })
    await lease.discard()
    return result
  }
  return { pool, drips, whole }
}

describe('with one parse thread and ten peers that do not finish their messages', () => {
  test.each([
    ['send nothing more', null],
    ['send a bit now and again', 5],
  ])('others are served: they %s', async (_how, dripMs) => {
    const { pool, drips, whole } = await openDrips(dripMs)
    const done = Promise.race(drips.map(({ parsing }) => parsing))
    for (const tenant of ['other', 'slow', 'other'])
      expect(await Promise.race([whole(tenant), done])).toEqual({ whole: true })
    // Long enough for a thread.
    expect(await pool.parse('json', Buffer.from(`[1]${' '.repeat(2_000)}`))).toEqual([[1]])
    for (const { lease } of drips)
      await expect(lease.reader.read(1)).rejects.toMatchObject({ code: 'READ_BUSY' })
    const [killed, released, ...rest] = drips
    killed?.lease.kill()
    expect(await killed?.parsing).toMatchObject({ code: 'LEASE_GONE', reason: 'killed' })
    await released?.lease.release()
    expect(await released?.parsing).toMatchObject({ code: 'LEASE_GONE', reason: 'released' })
    for (const { lease } of rest) await lease.discard()
  })
})

test('modules that block on their peers hold up neither messages nor bytes', async () => {
  const { pool, drips, whole } = await openDrips(5)
  const blocked = await Promise.all(Array.from({ length: 3 }, () => pool.lease('it', { tenant: 'slow' })))
  const runs = blocked.map(lease => {
    lease.writer.write('half')
    return lease.run(READER, 'line').catch(error => error)
  })
  const threads = async (): Promise<ParseThreadRow[]> =>
    ((await pool.workers()) as ParseThreadRow[]).filter(({ kind }) => kind === 'parse')
  const isBlocked = async (): Promise<boolean> =>
    (await threads()).some(({ work, state }) => work === 'modules' && state === 'busy')
  while (!(await isBlocked())) await new Promise(resolve => setImmediate(resolve))
  const done = Promise.race([...drips.map(({ parsing }) => parsing), ...runs])
  expect(await Promise.race([whole('other'), done])).toEqual({ whole: true })
  // Long enough for a thread.
  const spaced = Buffer.from(`[1]${' '.repeat(2_000)}`)
  expect(await Promise.race([pool.parse('json', spaced), done])).toEqual([[1]])
  expect((await threads()).map(({ work, tasks }) => [work, tasks > 0])).toEqual(
    expect.arrayContaining(['inputs', 'messages', 'modules'].map(work => [work, true])),
  )
  for (const lease of [...blocked, ...drips.map(({ lease }) => lease)]) await lease.discard()
  await Promise.all(runs)
})

test('a message in many bits is whole soon after the last, however many others wait', async () => {
  const server = await startTestServer(socket => {
    const bits = JSON.stringify(Array.from({ length: 300 }, (_, index) => index)).match(/.{1,4}/g) ?? []
    const sending = setInterval(() => {
      const bit = bits.shift()
      if (bit === undefined) clearInterval(sending)
      else socket.write(bit)
    }, 1)
    socket.on('close', () => clearInterval(sending))
  })
  const pool = await openPool({ targets: { it: targetOf(server) } })
  const leases = await Promise.all(Array.from({ length: 5 }, () => pool.lease('it')))
  const results = await Promise.all(leases.map(lease => lease.parse('json')))
  for (const value of results) expect(value).toEqual(Array.from({ length: 300 }, (_, index) => index))
  for (const lease of leases) await lease.discard()
})

test('blocking code on a live connection holds no thread that messages need', async () => {
  const server = await startTestServer(socket => socket.write('[1] '))
  const pool = await openPool({ targets: { it: targetOf(server) } })
  const [blocked, parsed] = [await pool.lease('it'), await pool.lease('it')]
  const module = new URL('../fixtures/parse/reader-module.ts', import.meta.url)
  const running = blocked.run(module, 'lines').catch(error => error)
  await until('the module had the reader', () => blocked.reader.buffered === 0)
  expect(await parsed.parse('json', {}, { timeoutMs: 5_000 })).toEqual([1])
  await blocked.discard()
  await running
  await parsed.discard()
})
