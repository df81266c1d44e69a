/** How a lent reader comes back from a borrower that is interrupted, and what is known where it does not. */
import { afterEach, describe, expect, test } from 'vitest'
import { LIMITS } from '../../src/base/limits.ts'
import { Parsers, type ParsersOptions } from '../../src/parse/parsers.ts'
import type { LoanResult } from '../../src/streams/channel-ends/lent-source.ts'
import type { GatedDeed } from '../fixtures/parse/gated-reader.ts'
import { type GatedWords, gatedWords } from '../support/gated-words.ts'
import { LentPeer } from '../support/lent-peer.ts'
import { until } from '../support/until.ts'

/** A round of writes over so many bytes takes some milliseconds. */
const WRITTEN_BYTES = 33_554_432

const READER = new URL('../fixtures/parse/gated-reader.ts', import.meta.url)

const opened: Parsers[] = []

afterEach(async () => {
  for (const parsers of opened.splice(0)) await parsers.close()
})

function open(options?: ParsersOptions): Parsers {
  const parsers = new Parsers(options)
  opened.push(parsers)
  return parsers
}

/** A module that runs on a lent reader. */
async function startModule(
  parsers: Parsers,
  peer: LentPeer,
  how: GatedDeed['do'],
  timeoutMs?: number,
): Promise<{ result: Promise<LoanResult>; abort: () => void; ends: GatedWords['ends'] }> {
  const controller = new AbortController()
  const { words, begun, ends } = gatedWords(WRITTEN_BYTES)
  const call = { signal: controller.signal, timeoutMs }
  const result = parsers.runOn(peer.lend(), READER, { do: how, words }, call)
  // One that was refused never begins.
  await Promise.race([begun, result])
  return { result, abort: () => controller.abort(), ends }
}

/** Starts the thread of modules on connections, so that the start takes nothing off the next deadline. */
async function warmUp(parsers: Parsers): Promise<void> {
  const peer = new LentPeer()
  await peer.send('warm\n')
  const { result } = await startModule(parsers, peer, 'line')
  expect((await result).outcome).toEqual({ ok: true, value: 'warm\n' })
}

/** The end of the thread that a lost reader's borrower ran on. */
function threadGoneOf({ reader }: LoanResult): Promise<void> {
  if (reader.kind !== 'lost') throw new Error(`the reader is ${reader.kind}`)
  return reader.threadGone
}

/** A thread has read `[1` of a message, and waits for the rest. */
async function inMidMessage() {
  const parsers = open()
  const peer = new LentPeer()
  await peer.send('[1')
  const controller = new AbortController()
  const parsing = parsers.parseMessage(peer.lend(), 'json', {}, { signal: controller.signal })
  await peer.awaited()
  return { parsers, peer, controller, parsing }
}

describe('a recalled reader', () => {
  test('comes back from mid-message, and its thread lives on', async () => {
    const { parsers, peer, controller, parsing } = await inMidMessage()
    const reason = new Error('no longer wanted')
    controller.abort(reason)
    const result = await parsing
    expect(result.outcome).toMatchObject({
      ok: false,
      error: { code: 'ABORTED', name: 'AbortError', message: 'parse() was aborted', cause: reason },
    })
    expect(peer.takeBack(result)).toMatchObject({ count: 0, interrupted: true })
    await peer.send(',2]rest')
    const again = await parsers.parseMessage(peer.lend(), 'json')
    expect(again.outcome).toEqual({ ok: true, value: [1, 2] })
    expect(peer.takeBack(again)).toMatchObject({ count: 5, interrupted: false })
    expect(peer.rest()).toBe('rest')
    expect(parsers.stats().live).toMatchObject({ threads: 1, died: 0, aborted: 1, completed: 1, running: 0 })
  })

  test('comes back with what was set aside of a message larger than the ring', async () => {
    const parsers = open()
    const peer = new LentPeer(65_536)
    const whole = `["${'x'.repeat(600_000)}"]`
    const controller = new AbortController()
    const parsing = parsers.parseMessage(peer.lend(), 'json', {}, { signal: controller.signal })
    await peer.send(whole.slice(0, -2))
    await peer.awaited()
    controller.abort()
    const result = await parsing
    expect(result.outcome).toMatchObject({ error: { code: 'ABORTED' } })
    expect(peer.takeBack(result)).toMatchObject({ count: 0, interrupted: true })
    await peer.send('"]')
    expect(peer.rest()).toBe(whole)
  })

  test('gives the value where the message was whole before the recall', async () => {
    const { peer, controller, parsing } = await inMidMessage()
    void peer.send(']')
    controller.abort()
    const result = await parsing
    expect(result.outcome).toEqual({ ok: true, value: [1] })
    expect(peer.takeBack(result)).toMatchObject({ count: 3, interrupted: false })
  })

  test('keeps the bytes of a stream that ended before the recall in the error', async () => {
    const { peer, controller, parsing } = await inMidMessage()
    peer.channel.endInbound('fin')
    controller.abort()
    const result = await parsing
    expect(result.outcome).toMatchObject({ error: { code: 'INCOMPLETE_READ', partial: Buffer.from('[1') } })
    expect(peer.takeBack(result).count).toBe(2)
  })

  test.each([
    ['line', { ok: false, error: { code: 'ABORTED', message: 'run() was aborted' } }],
    ['wrap', { ok: false, error: { code: 'ABORTED', message: 'run() was aborted' } }],
    ['swallow', { ok: true, value: 'READ_TIMEOUT' }],
  ] as const)('comes back from a module that reads: %s', async (how, outcome) => {
    const parsers = open()
    const peer = new LentPeer()
    await peer.send('half a line')
    const { result, abort } = await startModule(parsers, peer, how)
    await peer.awaited()
    abort()
    const recalled = await result
    expect(recalled.outcome).toMatchObject(outcome)
    expect(peer.takeBack(recalled)).toMatchObject({ count: 0, interrupted: true })
    expect(peer.rest()).toBe('half a line')
    expect(parsers.stats().live).toMatchObject({ threads: 1, died: 0 })
  })

  test('says that a wait was interrupted also where a time-out was dropped', async () => {
    const parsers = open()
    const peer = new LentPeer()
    await warmUp(parsers)
    const { result } = await startModule(parsers, peer, 'swallow', 500)
    const swallowed = await result
    expect(swallowed.outcome).toEqual({ ok: true, value: 'READ_TIMEOUT' })
    expect(peer.takeBack(swallowed)).toMatchObject({ count: 0, interrupted: true })
  })

  test('is never missed, whenever the recall comes', async () => {
    const parsers = open()
    const peer = new LentPeer()
    const seen = { returned: 0, untouched: 0, lost: 0 }
    // A thread that has started: from now on a task arrives there within microseconds.
    await peer.send('0 ')
    peer.takeBack(await parsers.parseMessage(peer.lend(), 'json'))
    for (let round = 0; round < 1_000; round++) {
      const controller = new AbortController()
      const { signal } = controller
      await until('the thread was free', () => parsers.stats().live.running === 0)
      const lent = peer.lend()
      const parsing = parsers.parseMessage(lent, 'json', {}, { signal })
      // From before the thread has the task to after it blocks; each third time just when its wish is stored.
      const stopMs = performance.now() + (round % 50) / 50
      while (performance.now() < stopMs && !(round % 3 === 0 && peer.isAwaited));
      controller.abort()
      const { outcome, reader } = await parsing
      expect(outcome).toMatchObject({ ok: false, error: { code: 'ABORTED' } })
      seen[reader.kind] += 1
      if (reader.kind === 'lost') break
      peer.source.resume(reader.kind === 'returned' ? reader.returned.position : lent.position)
    }
    expect(seen.lost).toBe(0)
    expect(seen.returned).toBeGreaterThan(100)
    expect(seen.untouched).toBeGreaterThan(0)
    await peer.send('1 ')
    const last = await parsers.parseMessage(peer.lend(), 'json')
    expect(last.outcome).toEqual({ ok: true, value: 1 })
    expect(parsers.stats().live).toMatchObject({ threads: 1, died: 0 })
  })

  test('is untouched, at once, where its thread still starts', async () => {
    const parsers = open()
    const peer = new LentPeer()
    await peer.send('[1')
    const controller = new AbortController()
    const parsing = parsers.parseMessage(peer.lend(), 'json', {}, { signal: controller.signal })
    expect(parsers.stats().live).toMatchObject({ running: 1, waiting: 0 })
    controller.abort()
    expect(await parsing).toMatchObject({
      outcome: { ok: false, error: { code: 'ABORTED' } },
      reader: { kind: 'untouched' },
    })
  })

  test('that was given back is read by nobody who kept it', async () => {
    const parsers = open()
    const peer = new LentPeer()
    await peer.send('one\ntwo\n')
    const keeping = await (await startModule(parsers, peer, 'keep')).result
    expect(keeping.outcome).toEqual({ ok: true, value: 'one\n' })
    peer.takeBack(keeping)
    const other = await (await startModule(parsers, new LentPeer(), 'kept')).result
    expect(other.outcome).toEqual({ ok: true, value: ['LEASE_GONE', 'LEASE_GONE', 'LEASE_GONE'] })
    expect(peer.rest()).toBe('two\n')
  })
})

describe('a lost reader', () => {
  test('comes of a recall that nobody heeds, and says when its thread has stopped for good', async () => {
    const parsers = open()
    const peer = new LentPeer()
    const { result, abort, ends } = await startModule(parsers, peer, 'write')
    const recalledAt = performance.now()
    abort()
    const lost = await result
    expect(performance.now() - recalledAt).toBeGreaterThan(LIMITS.parseGraceMs - 5)
    expect(lost.outcome).toMatchObject({ ok: false, error: { code: 'ABORTED', reason: 'running' } })
    await expectStopped(parsers, lost, ends)
  })

  test('comes of a deadline that nobody heeds', async () => {
    const parsers = open()
    await warmUp(parsers)
    const { result, ends } = await startModule(parsers, new LentPeer(), 'write', 500)
    const lost = await result
    expect(lost.outcome).toMatchObject({ error: { code: 'PARSE_TIMEOUT', reason: 'running' } })
    await expectStopped(parsers, lost, ends)
  })

  test.each([
    ['throw', 'crashed'],
    ['exit', 'exited'],
  ] as const)('comes of a thread that died: %s', async (how, reason) => {
    const parsers = open()
    const { result, ends } = await startModule(parsers, new LentPeer(), how)
    const lost = await result
    expect(lost.outcome).toMatchObject({ error: { code: 'PARSE_FAILED', reason } })
    await expectStopped(parsers, lost, ends)
  })

  test('comes of a thread that does not get to its end', async () => {
    const parsers = open()
    const { result, abort, ends } = await startModule(parsers, new LentPeer(), 'exit-late')
    abort()
    const lost = await result
    expect(lost.outcome).toMatchObject({ error: { code: 'ABORTED', reason: 'running' } })
    await expectStopped(parsers, lost, ends)
  })

  test('is told from the others whose threads end at the same time', async () => {
    const parsers = open({ workers: 3 })
    for (let round = 0; round < 2; round++) {
      const start = (): ReturnType<typeof startModule> => startModule(parsers, new LentPeer(), 'write')
      const modules = await Promise.all([start(), start(), start()])
      for (const { abort } of modules) abort()
      for (const { result, ends } of modules) {
        await threadGoneOf(await result)
        const [first, last] = ends()
        expect(first).toBeGreaterThan(0)
        expect(last).toBe(first)
      }
    }
  })

  test('comes of a pool that closes while a module runs', async () => {
    const parsers = open()
    const { result, ends } = await startModule(parsers, new LentPeer(), 'write')
    const closed = parsers.close()
    const lost = await result
    expect(lost.outcome).toMatchObject({ error: { code: 'DRAINING' } })
    await threadGoneOf(lost)
    const [first, last] = ends()
    expect(first).toBe(last)
    await closed
    expect(ends()).toEqual([first, last])
  })
})

/** The borrower is in no round of writes when its thread is gone, and begins none while another thread starts and works. */
async function expectStopped(parsers: Parsers, lost: LoanResult, ends: GatedWords['ends']): Promise<void> {
  await threadGoneOf(lost)
  const [first, last] = ends()
  expect(first).toBeGreaterThan(0)
  expect(last).toBe(first)
  const next = new LentPeer()
  await next.send('a line\n')
  const { result } = await startModule(parsers, next, 'line')
  expect((await result).outcome).toEqual({ ok: true, value: 'a line\n' })
  expect(ends()).toEqual([first, last])
}
