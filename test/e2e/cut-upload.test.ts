/** A request that is cut takes nothing back: what was accepted is the target's, and the lease's offset says how much. */
import { request } from 'node:http'
import { beforeAll, describe, expect, test } from 'vitest'
import { afterFile } from '../support/after-file.ts'
import type { HeldLease } from '../support/api.ts'
import { PatternCheck, pattern } from '../support/pattern-check.ts'
import { type ServiceFixture, startServiceFixture } from '../support/service-fixture.ts'
import { until } from '../support/until.ts'
import { type Peer, startUpstream, type Upstream } from '../support/upstream.ts'

let upstream: Upstream
let service: ServiceFixture

beforeAll(async () => {
  upstream = await startUpstream()
  afterFile(() => upstream.close())
  const { host, port } = upstream
  service = await startServiceFixture({ config: { targets: { sink: { host, port } } }, finally: afterFile })
})

async function leaseSink(): Promise<{ lease: HeldLease; peer: Peer }> {
  const lease = await service.api.lease('sink')
  return { lease, peer: await upstream.next() }
}

async function writeOffset(lease: HeldLease): Promise<number> {
  return (JSON.parse((await lease.look()).text) as { writeOffset: number }).writeOffset
}

/** Sends a part of a body that is announced to be longer, and gives the means to cut it. */
function startUpload(lease: HeldLease, part: Buffer, headers: Record<string, string | number>, query = '') {
  const upload = request(new URL(`${lease.path}/write${query}`, service.url), {
    method: 'POST',
    agent: false,
    headers: { authorization: `Bearer ${service.token}`, ...headers },
  })
  upload.on('error', () => {})
  upload.write(part)
  return upload
}

describe('an upload that is cut midway', () => {
  test.each([
    ['with a length', { 'content-length': 10_000_000 }],
    ['in chunks', { 'transfer-encoding': 'chunked' }],
  ])('%s has sent what the lease counts, and goes on at its offset', async (_title, headers) => {
    const { lease, peer } = await leaseSink()
    const upload = startUpload(lease, pattern(0, 300_000), headers)
    await peer.received(300_000)
    upload.destroy()
    const offset = await writeOffset(lease)
    expect(offset).toBe(300_000)

    // The second try repeats from before the cut: what was sent is acknowledged and not sent twice.
    const again = await lease.call('write?offset=200000', { body: new Uint8Array(pattern(200_000, 150_000)) })
    expect(JSON.parse(again.text)).toEqual({ accepted: 150_000, offset: 350_000 })
    const check = new PatternCheck()
    check.take(await peer.received(350_000))
    expect(check.received).toBe(350_000)
    expect((await lease.call('write?offset=350001', { body: 'x' })).status).toBe(409)
    await lease.release('?discard=true')
  })

  test('while its target takes nothing, loses no byte that the lease counts', async () => {
    const { lease, peer } = await leaseSink()
    peer.socket.pause()
    // A body that nobody reads hides the cut from the service, so the wait for the target has an end of its own.
    const chunked = { 'transfer-encoding': 'chunked' }
    const upload = startUpload(lease, pattern(0, 8_000_000), chunked, '?timeoutMs=2000')
    let last = -1
    let since = performance.now()
    // Kernel buffers and ring are full: nothing is accepted any more.
    for (let now = 0; now !== last || performance.now() - since < 300; ) {
      if (now !== last) since = performance.now()
      last = now
      now = await writeOffset(lease)
    }
    upload.destroy()
    const offset = await settledOffset(lease)
    expect(offset).toBeGreaterThan(65_536)
    expect(offset).toBeLessThan(8_000_000)
    peer.socket.resume()
    const check = new PatternCheck()
    check.take(await peer.received(offset))
    const rest = await lease.call(`write?offset=${offset}`, { body: new Uint8Array(pattern(offset, 100)) })
    expect(JSON.parse(rest.text)).toEqual({ accepted: 100, offset: offset + 100 })
    const all = await peer.received(offset + 100)
    check.take(all.subarray(offset))
    expect(check.received).toBe(offset + 100)
    await lease.release('?discard=true')
  })

  test('leaves a lease that may be released, and is closed as its word was broken off', async () => {
    const { lease, peer } = await leaseSink()
    const upload = startUpload(lease, pattern(0, 1_000), { 'content-length': 2_000 })
    await peer.received(1_000)
    upload.destroy()
    await until('the cut was noticed', () => upload.destroyed)
    const verdict = JSON.parse((await lease.release()).text) as { outcome: string }
    expect(verdict.outcome).toBe('closed')
    await peer.ended()
  })
})

/** The offset once the service has seen the cut: the write that it ends holds the turn of the next one. */
async function settledOffset(lease: HeldLease): Promise<number> {
  const empty = await lease.call('write', { body: new Uint8Array(0) })
  return (JSON.parse(empty.text) as { offset: number }).offset
}
