/** Calls that are repeated because their answer was lost: nothing is lost, nothing comes twice. */
import { describe, expect, test } from 'vitest'
import { type Answer, type HeldLease, jsonOf, type LeaseView, problemOf } from '../support/api.ts'
import { useScriptedService } from '../support/scripted-service.ts'
import type { Peer } from '../support/upstream.ts'

const KIB = 1_024

const scripted = useScriptedService(place => ({
  config: { targets: { script: { ...place, reuse: 'clean', pool: { max: 50 } } } },
}))

const replaying = (): Promise<{ readonly lease: HeldLease; readonly peer: Peer }> =>
  scripted.leased('script', { replay: true })

const readOffset = async (lease: HeldLease): Promise<number> =>
  jsonOf<{ readOffset: number }>(await lease.look()).readOffset

/** What a read answers, in the form of bytes. */
const facts = ({ status, text, headers }: Answer): unknown[] => [
  status,
  text,
  headers.get('sockpool-offset'),
  headers.get('sockpool-eof'),
]

describe('a read with the offset of an earlier one', () => {
  test.each([
    ['read?n=6', 'one\ntw'],
    ['readline', 'one\n'],
    ['readexactly?n=9', 'one\ntwo\nt'],
    ['readuntil?separator=wo', 'one\ntwo'],
    ['readframe?frame=line', 'one\n'],
  ])('%s gives the same bytes as often as it is asked', async (operation, expected) => {
    const { lease, peer } = await replaying()
    await peer.send('one\ntwo\nthree\n')
    expect((await lease.call('readexactly?n=14')).text).toBe('one\ntwo\nthree\n')
    const path = `${operation}${operation.includes('?') ? '&' : '?'}offset=0`
    for (let round = 0; round < 2; round++) {
      expect(facts(await lease.call(path))).toEqual([200, expected, '0', 'false'])
      expect(await lease.callForJson(path)).toEqual({
        data: expected,
        encoding: 'utf8',
        offset: 0,
        eof: false,
      })
    }
    expect(await lease.callForJson(`${path}&encoding=hex`)).toMatchObject({
      data: Buffer.from(expected).toString('hex'),
      encoding: 'hex',
    })
    expect(facts(await lease.call('readline?offset=8'))).toEqual([200, 'three\n', '8', 'false'])
    // What is read again leaves nothing unread; as nothing was asked, the peer's words were its own.
    expect(await readOffset(lease)).toBe(14)
    expect(jsonOf(await lease.release())).toEqual({ outcome: 'reused', reason: 'clean' })
  })

  test('goes on into new bytes, and gives a line whole whose first half was read', async () => {
    const { lease, peer } = await replaying()
    await peer.send('first half')
    expect((await lease.call('readexactly?n=6')).text).toBe('first ')
    const reading = lease.call('readline?offset=0')
    await lease.begun('readline')
    await peer.send(', and the other\nnext\n')
    expect(facts(await reading)).toEqual([200, 'first half, and the other\n', '0', 'false'])
    expect(await readOffset(lease)).toBe(26)
    expect((await lease.call('readline')).text).toBe('next\n')
  })

  test('keeps to the limit as the first did', async () => {
    const { lease, peer } = await replaying()
    await peer.send('0123456789\nshort\n')
    expect((await lease.call('readexactly?n=4')).text).toBe('0123')
    const kept = problemOf(await lease.call('readuntil?separator=%0A&limit=9&offset=0'))
    expect(kept).toMatchObject({ status: 413, code: 'limit_overrun', consumed: 10 })
    expect(await readOffset(lease)).toBe(4)
    // A line that is too long is dropped; who asks again hears the same of it.
    for (let round = 0; round < 2; round++) {
      const overrun = problemOf(await lease.call('readline?limit=9&offset=0'))
      expect(overrun).toMatchObject({ status: 413, code: 'limit_overrun', consumed: 10 })
      expect(await readOffset(lease)).toBe(11)
    }
    expect((await lease.call('readline?limit=10&offset=0')).text).toBe('0123456789\n')
    expect((await lease.call('readline')).text).toBe('short\n')
  })

  test('is refused before the window and beyond the stream', async () => {
    const { lease, peer } = await replaying()
    const sent = Buffer.alloc(200 * KIB, 'abcdefg')
    await peer.send(sent)
    await lease.call(`readexactly?n=${sent.length}`)
    const from = sent.length - 64 * KIB
    const { bytes } = await lease.call(`readexactly?n=${64 * KIB}&offset=${from}`)
    expect(bytes.equals(sent.subarray(from))).toBe(true)
    const gone = problemOf(await lease.call('readline?offset=0'))
    expect(gone).toMatchObject({ status: 410, code: 'offset_gone', offset: sent.length, retryable: false })
    const beyond = problemOf(await lease.call(`readline?offset=${sent.length + 1}`))
    expect(beyond).toMatchObject({ status: 409, code: 'offset_mismatch', offset: sent.length })
    await peer.send('next\n')
    expect((await lease.call(`readline?offset=${sent.length}`)).text).toBe('next\n')
  })

  test('takes at once no more than it could give again', async () => {
    const { lease, peer } = await replaying()
    const sent = Buffer.alloc(180 * KIB, 'xyz')
    await peer.send(sent)
    let received = 0
    while (received < sent.length) {
      const path = `read?n=1000000&offset=${received}`
      const { bytes } = await lease.call(path)
      expect((await lease.call(path)).bytes.subarray(0, bytes.length).equals(bytes)).toBe(true)
      received += bytes.length
    }
    expect(await readOffset(lease)).toBe(sent.length)
  })

  test('is offset_gone on a lease that did not ask for it', async () => {
    const { lease, peer } = await scripted.leased()
    await peer.send('one\ntwo\n')
    expect((await lease.call('readline?offset=0')).text).toBe('one\n')
    expect(problemOf(await lease.call('readline?offset=0'))).toMatchObject({
      status: 410,
      code: 'offset_gone',
      offset: 4,
    })
    expect((await lease.call('readline?offset=4')).text).toBe('two\n')
    const wrong = await scripted.api.post('/v1/leases', { json: { target: 'script', replay: 'yes' } })
    expect(problemOf(wrong)).toMatchObject({ status: 400, errors: [{ path: 'replay' }] })
  })

  test('waits for the read that it repeats; one without an offset is busy', async () => {
    const { lease, peer } = await replaying()
    const client = new AbortController()
    const lost = lease.call('readline', { signal: client.signal })
    await lease.begun('readline')
    const repeat = lease.call('readline?offset=0')
    expect(problemOf(await lease.call('read?n=1'))).toMatchObject({ status: 409, code: 'read_busy' })
    const late = problemOf(await lease.call('readline?offset=0&timeoutMs=20'))
    expect(late).toMatchObject({ status: 504, code: 'read_timeout', retryable: true })
    await peer.send('the line\nrest\n')
    expect((await lost).text).toBe('the line\n')
    expect(facts(await repeat)).toEqual([200, 'the line\n', '0', 'false'])
    client.abort()
    expect((await lease.call('readline')).text).toBe('rest\n')
  })

  test('finds all bytes after a read whose client has gone', async () => {
    const { lease, peer } = await replaying()
    const client = new AbortController()
    const lost = lease.call('readexactly?n=8', { signal: client.signal })
    await lease.begun('readexactly')
    await peer.send('half')
    client.abort()
    await expect(lost).rejects.toThrow(/abort/i)
    const repeat = lease.call('readexactly?n=8&offset=0')
    await peer.send(' way')
    expect((await repeat).text).toBe('half way')
  })

  test('ends as the stream did, also after the peer has gone', async () => {
    const { lease, peer } = await replaying()
    peer.end('last\nwords')
    expect(facts(await lease.call('read'))).toEqual([200, 'last\nwords', '0', 'true'])
    await lease.call('close')
    await lease.call('wait_closed')
    expect(facts(await lease.call('readline?offset=0'))).toEqual([200, 'last\n', '0', 'false'])
    const rest = await lease.call('readline?offset=5')
    expect([...facts(rest), rest.headers.get('sockpool-end')]).toEqual([200, 'words', '5', 'true', 'fin'])
    for (let round = 0; round < 2; round++) {
      const cut = problemOf(await lease.call('readexactly?n=11&offset=0'))
      expect(cut).toMatchObject({
        status: 502,
        code: 'incomplete_read',
        expected: 11,
        partial: Buffer.from('last\nwords').toString('base64'),
      })
    }
  })

  test('gives what came before the connection broke, until the lease is released', async () => {
    const { lease, peer } = await replaying()
    await lease.call('write', { body: 'question\n' })
    await peer.received(9)
    await peer.send('answer\n')
    expect((await lease.call('readline')).text).toBe('answer\n')
    peer.reset()
    expect(problemOf(await lease.call('readline'))).toMatchObject({ status: 502, code: 'connection_reset' })
    expect(problemOf(await lease.call('readline'))).toMatchObject({
      status: 410,
      code: 'lease_gone',
      reason: 'reset',
    })
    expect(facts(await lease.call('readline?offset=0')).slice(0, 3)).toEqual([200, 'answer\n', '0'])
    expect(jsonOf(await lease.release())).toEqual({ outcome: 'closed', reason: 'error' })
    expect(problemOf(await lease.call('readline?offset=0'))).toMatchObject({
      status: 410,
      code: 'lease_gone',
    })
  })

  test('parses a message again', async () => {
    const { lease, peer } = await replaying()
    await peer.send('{"a":1.50}{"b"')
    const parse = async (offset?: number): Promise<Answer> =>
      await lease.call('parse', { json: { format: 'json', ...(offset !== undefined && { offset }) } })
    for (const offset of [undefined, 0, 0])
      expect((await parse(offset)).text).toBe('{"value":{"a":1.50},"offset":0}')
    expect((await lease.call('readexactly?n=4')).text).toBe('{"b"')
    const reading = parse(10)
    await lease.begun('parse')
    await peer.send(':2}')
    expect((await reading).text).toBe('{"value":{"b":2},"offset":10}')
    expect(await readOffset(lease)).toBe(17)
    expect(problemOf(await parse(18))).toMatchObject({ status: 409, code: 'offset_mismatch', offset: 17 })
    const bad = await lease.call('parse', { json: { format: 'json', offset: -1 } })
    expect(problemOf(bad)).toMatchObject({ status: 400, errors: [{ path: 'offset' }] })
  })
})

describe('a write with its offset', () => {
  test('waits for the one that it repeats, and sends only what that did not', async () => {
    const { lease, peer } = await scripted.leased()
    const parts = Promise.withResolvers<ReadableStreamDefaultController<Uint8Array>>()
    const body = new ReadableStream<Uint8Array>({ start: controller => parts.resolve(controller) })
    const client = new AbortController()
    const lost = lease.call('write?offset=0', { body, signal: client.signal })
    const first = await parts.promise
    first.enqueue(Buffer.from('abcdef'))
    expect((await peer.received(6)).toString()).toBe('abcdef')
    const repeats = ['write?offset=0&drain=true', 'write?offset=0'].map(path =>
      lease.call(path, { body: 'abcdefghij' }),
    )
    client.abort()
    await expect(lost).rejects.toThrow(/abort/i)
    for (const repeat of repeats) expect(jsonOf(await repeat)).toEqual({ accepted: 10, offset: 10 })
    const overlapping = await lease.call('writelines?offset=8', { json: ['ij', 'kl\n'] })
    expect(jsonOf(overlapping)).toEqual({ accepted: 5, offset: 13 })
    expect((await peer.received(13)).toString()).toBe('abcdefghijkl\n')
    expect(jsonOf(await lease.look())).toMatchObject({ writeOffset: 13 })
  })

  test('is acknowledged once it was the last, also when the peer has closed', async () => {
    const { lease, peer } = await scripted.leased()
    const done = { accepted: 9, offset: 9 }
    const path = 'write?offset=0&eof=true&drain=true'
    for (let round = 0; round < 2; round++)
      expect(jsonOf(await lease.call(path, { body: 'question\n' }))).toEqual(done)
    await peer.ended()
    peer.end('answer\n')
    expect((await lease.call('read')).text).toBe('answer\n')
    await lease.call('wait_closed')
    expect(jsonOf(await lease.call(path, { body: 'question\n' }))).toEqual(done)
    expect(jsonOf(await lease.call('writelines?offset=0&eof=true', { json: ['question\n'] }))).toEqual(done)
    expect((await peer.received(9)).toString()).toBe('question\n')
    const more = problemOf(await lease.call('write?offset=9', { body: 'more' }))
    expect(more).toMatchObject({ status: 409, code: 'write_closed', bytesAccepted: 0 })
  })

  test('answers as the first did, and sends a tail alone', async () => {
    const { lease, peer } = await scripted.leased()
    await lease.call('write?offset=0', { body: 'abc' })
    await lease.call('writelines?offset=3', { json: ['d', 'ef'] })
    expect(jsonOf(await lease.call('write?offset=0', { body: 'abc' }))).toEqual({ accepted: 3, offset: 3 })
    const tail = await lease.call('writelines?offset=4', { json: { data: ['ef', 'gh'] } })
    expect(jsonOf(tail)).toEqual({ accepted: 4, offset: 8 })
    const gap = problemOf(await lease.call('writelines?offset=9', { json: ['x'] }))
    expect(gap).toMatchObject({ status: 409, code: 'offset_mismatch', offset: 8, bytesAccepted: 0 })
    expect((await peer.received(8)).toString()).toBe('abcdefgh')
  })
})

describe('a lease that is asked for again with its Idempotency-Key', () => {
  test('is answered to the letter, after calls that moved it on', async () => {
    const ask = () =>
      scripted.api.post('/v1/leases', {
        json: { target: 'script', ttlMs: 20_000, replay: true },
        headers: { 'idempotency-key': 'a key of its own' },
      })
    const first = await ask()
    const lease = scripted.api.held(jsonOf<LeaseView>(first))
    await lease.call('write', { body: 'x' })
    await lease.renew(25_000)
    const again = await ask()
    expect([again.status, again.text]).toEqual([201, first.text])
    expect(again.headers.get('location')).toBe(lease.path)
    const other = await scripted.api.post('/v1/leases', {
      json: { target: 'script', ttlMs: 20_000 },
      headers: { 'idempotency-key': 'a key of its own' },
    })
    expect(problemOf(other)).toMatchObject({ status: 400, code: 'invalid_request' })
    await lease.release('?discard=true')
  })
})
