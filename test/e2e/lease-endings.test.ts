/** How a lease ends for its caller over HTTP: what was asked wrongly, a connection that broke, a peer that takes nothing. */
import { beforeAll, describe, expect, test } from 'vitest'
import { LIMITS } from '../../src/base/limits.ts'
import { afterFile } from '../support/after-file.ts'
import { type HeldLease, problemOf } from '../support/api.ts'
import { type ServiceFixture, startServiceFixture } from '../support/service-fixture.ts'
import { type Peer, startUpstream, type Upstream } from '../support/upstream.ts'

let upstream: Upstream
let service: ServiceFixture

beforeAll(async () => {
  upstream = await startUpstream()
  afterFile(() => upstream.close())
  const { host, port } = upstream
  service = await startServiceFixture({ config: { targets: { peer: { host, port } } }, finally: afterFile })
})

async function leased(): Promise<{ lease: HeldLease; peer: Peer }> {
  const lease = await service.api.lease('peer')
  return { lease, peer: await upstream.next() }
}

type Read = {
  readonly path: string
  readonly json?: unknown
  readonly bytes: string
  readonly answer: string
}

const READS: readonly Read[] = [
  { path: 'read?n=100', bytes: 'abc', answer: 'abc' },
  { path: 'read', bytes: 'abc', answer: 'abc' },
  { path: 'readline', bytes: 'abc\n', answer: 'abc\n' },
  { path: 'readexactly?n=3', bytes: 'abc', answer: 'abc' },
  { path: 'readuntil?separator=;', bytes: 'abc;', answer: 'abc;' },
  { path: 'parse', json: { format: 'lines' }, bytes: 'abc\n', answer: '{"value":"abc","offset":0}' },
  { path: 'parse', json: { format: 'ndjson' }, bytes: '{"a":1}\n', answer: '{"value":{"a":1},"offset":0}' },
]

describe('a read of a connection that broke', () => {
  const call = (lease: HeldLease, { path, json }: Read) =>
    lease.call(path, json === undefined ? {} : { json })
  const codeOf = async (answer: ReturnType<HeldLease['call']>) => {
    const { status, code } = problemOf(await answer)
    return [status, code]
  }

  // Without n a read goes on to the end, and meets it at once.
  test.each(READS.filter(({ path }) => path !== 'read'))(
    'gives the bytes, then 502 once, then 410: $path $json',
    async read => {
      const { lease, peer } = await leased()
      await peer.send(read.bytes)
      // The bytes are in before the connection breaks.
      expect((await lease.call('read?n=0')).status).toBe(200)
      const first = call(lease, read)
      expect((await first).text).toBe(read.answer)
      peer.reset()
      expect(await codeOf(call(lease, read))).toEqual([502, 'connection_reset'])
      expect(await codeOf(call(lease, read))).toEqual([410, 'lease_gone'])
      expect(problemOf(await lease.look())).toMatchObject({ code: 'lease_gone', reason: 'reset' })
    },
  )

  test.each(READS)(
    'is told so by its first read, also where it broke while nobody read: $path $json',
    async read => {
      const { lease, peer } = await leased()
      peer.reset()
      // Whatever is no read says 410, and leaves it to the read to tell.
      while ((await lease.look()).status === 200);
      expect(await codeOf(lease.call('drain'))).toEqual([410, 'lease_gone'])
      expect(await codeOf(call(lease, read))).toEqual([502, 'connection_reset'])
      expect(await codeOf(call(lease, read))).toEqual([410, 'lease_gone'])
    },
  )

  test.each(READS)('that waits is told, and no later one: $path $json', async read => {
    const { lease, peer } = await leased()
    const waiting = call(lease, read)
    await lease.begun(read.path.split('?')[0] ?? '')
    peer.reset()
    expect(await codeOf(waiting)).toEqual([502, 'connection_reset'])
    expect(await codeOf(call(lease, read))).toEqual([410, 'lease_gone'])
  })

  test('that can never be whole is told once, and its bytes stay readable', async () => {
    const { lease, peer } = await leased()
    const waiting = lease.call('readline')
    await lease.begun('readline')
    await peer.send('half a line')
    peer.reset()
    expect(await codeOf(waiting)).toEqual([502, 'connection_reset'])
    expect(await codeOf(lease.call('readline'))).toEqual([410, 'lease_gone'])
    expect((await lease.call('read?n=100')).text).toBe('half a line')
    expect(await codeOf(lease.call('read?n=100'))).toEqual([410, 'lease_gone'])
  })
})

describe('what is wrong with a request', () => {
  test.each<[string, unknown, number, string]>([
    ['parse', { format: 'nope' }, 404, 'format_not_found'],
    ['parse', { format: 'json', options: { nope: 1 } }, 400, 'invalid_request'],
    ['parse', { format: 'lines', options: { encoding: 'nope' } }, 400, 'invalid_request'],
    ['readuntil?separator=', undefined, 400, 'invalid_separator'],
    ['readuntil?separator=zz&separatorEncoding=hex', undefined, 400, 'invalid_request'],
    ['readexactly?n=-1', undefined, 400, 'invalid_request'],
    ['readexactly', undefined, 400, 'invalid_request'],
    ['readline?limit=0', undefined, 400, 'invalid_request'],
    ['readline?timeoutMs=1e3', undefined, 400, 'invalid_request'],
    ['read?offset=1', undefined, 409, 'offset_mismatch'],
    ['wait_closed?timeoutMs=0', undefined, 400, 'invalid_request'],
    ['start_tls', { servername: '' }, 400, 'invalid_request'],
  ])('is told before %s %j waits for a silent peer', async (path, json, status, code) => {
    const { lease } = await leased()
    const answer = await lease.call(path, json === undefined ? {} : { json })
    expect([answer.status, problemOf(answer).code]).toEqual([status, code])
    expect((await lease.release()).status).toBe(200)
  })
})

describe('the release of a lease whose peer takes nothing', () => {
  test('is answered soon and truly, and the lease is gone from then on', { timeout: 20_000 }, async () => {
    const { lease, peer } = await leased()
    peer.socket.pause()
    const body = new Uint8Array(20_000_000)
    expect(problemOf(await lease.call('write?timeoutMs=300', { body })).code).toBe('drain_timeout')
    // What does not fit the ring waits in the service itself.
    for (let n = 0; n < 4; n++) await lease.call('write?timeoutMs=300', { body: new Uint8Array(65_536) })
    const startedAt = performance.now()
    const released = await lease.release()
    const tookMs = performance.now() - startedAt
    expect(JSON.parse(released.text)).toEqual({ outcome: 'closed', reason: 'unsent' })
    expect(tookMs).toBeLessThan(LIMITS.closeLingerMs / 2)
    expect(problemOf(await lease.look())).toMatchObject({ code: 'lease_gone', reason: 'released' })
    expect(problemOf(await lease.release()).code).toBe('lease_gone')
    // What was accepted still goes out once the peer reads.
    peer.socket.resume()
    await peer.ended()
  })
})
