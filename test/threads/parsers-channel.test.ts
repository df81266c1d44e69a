import { afterEach, expect, test } from 'vitest'
import { Parsers } from '../../src/parse/parsers.ts'
import { LentPeer } from '../support/lent-peer.ts'

const READER = new URL('../fixtures/parse/reader-module.ts', import.meta.url)

const opened: Parsers[] = []

afterEach(async () => {
  for (const parsers of opened.splice(0)) await parsers.close()
})

/** The parse worker that comes with the package. */
function open(): Parsers {
  const parsers = new Parsers()
  opened.push(parsers)
  return parsers
}

test('the parse worker decodes complete input', async () => {
  expect(await open().parse('ndjson', Buffer.from('1\n2'))).toEqual([1, 2])
})

test.each([0, 65_536])(
  'a message is read from a live ring and the rest stays readable (replay %i)',
  async replay => {
    const parsers = open()
    const peer = new LentPeer(replay)
    await peer.send('{"a":')
    const reading = parsers.parseMessage(peer.lend(), 'json')
    await peer.send('1}\n[2')
    const first = await reading
    expect(first.outcome).toEqual({ ok: true, value: { a: 1 } })
    expect(peer.takeBack(first).count).toBe(7)
    await peer.send(']rest')
    const second = await parsers.parseMessage(peer.lend(), 'json')
    expect(second.outcome).toEqual({ ok: true, value: [2] })
    expect(peer.takeBack(second).count).toBe(4)
    expect(peer.rest()).toBe('rest')
  },
)

test('a message may be larger than the ring, and a failed one comes back whole', async () => {
  const parsers = open()
  const peer = new LentPeer(65_536)
  const value = Array.from({ length: 20_000 }, (_, index) => `element ${index}`)
  const reading = parsers.parseMessage(peer.lend(), 'json')
  await peer.send(JSON.stringify(value))
  const whole = await reading
  expect(whole.outcome).toEqual({ ok: true, value })
  peer.takeBack(whole)

  const wrong = `["${'x'.repeat(300_000)}",}`
  const failing = parsers.parseMessage(peer.lend(), 'json')
  await peer.send(wrong)
  const failed = await failing
  expect(failed.outcome).toMatchObject({
    ok: false,
    error: { code: 'PARSE_FAILED', offset: wrong.length - 1 },
  })
  expect(peer.takeBack(failed).count).toBe(0)
  expect(peer.rest()).toBe(wrong)
})

test('the end of the connection wakes a blocked parse', async () => {
  const parsers = open()
  const peer = new LentPeer()
  await peer.send('[1')
  const reading = parsers.parseMessage(peer.lend(), 'json')
  peer.channel.endInbound('fin')
  const result = await reading
  expect(result.outcome).toMatchObject({ error: { code: 'INCOMPLETE_READ', partial: Buffer.from('[1') } })
  expect(peer.takeBack(result).count).toBe(2)
})

test('a silent peer is a READ_TIMEOUT that loses nothing', async () => {
  const parsers = open()
  const peer = new LentPeer()
  await peer.send('[1')
  const result = await parsers.parseMessage(peer.lend(), 'json', {}, { timeoutMs: 1_500 })
  expect(result.outcome).toMatchObject({ error: { code: 'READ_TIMEOUT' } })
  expect(peer.takeBack(result).count).toBe(0)
  expect(peer.rest()).toBe('[1')
})

test('a user module reads a live ring by blocking calls', async () => {
  const parsers = open()
  const peer = new LentPeer()
  const running = parsers.runOn(peer.lend(), READER, 'lines')
  await peer.send('one\ntw')
  await peer.send('o, three')
  const result = await running
  expect(result.outcome).toEqual({ ok: true, value: ['one\n', 'two'] })
  expect(peer.takeBack(result).count).toBe(7)
  expect(peer.rest()).toBe(', three')
})
