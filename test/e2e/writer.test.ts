/** asyncio's StreamWriter over HTTP: streamed bodies, back-pressure, offsets, and the ways to end. */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { jsonOf, problemOf } from '../support/api.ts'
import { useScriptedService } from '../support/scripted-service.ts'
import type { Peer } from '../support/upstream.ts'

const MIB = 1024 * 1024
const CHUNK_BYTES = 64 * 1024
const LARGE_BODY_MIB = 256
/** Looks in a row that see nothing move: then it stands still. */
const STALLED_LOOKS = 50

const scripted = useScriptedService()

/** A body that is made as it is taken. */
function bodyOf(totalBytes: number): {
  readonly stream: ReadableStream<Uint8Array>
  readonly taken: () => number
  readonly hash: () => string
} {
  const hash = createHash('sha256')
  let sent = 0
  const stream = new ReadableStream<Uint8Array>({
    pull: controller => {
      if (sent === totalBytes) return controller.close()
      const chunk = new Uint8Array(CHUNK_BYTES).fill(sent / CHUNK_BYTES)
      sent += chunk.length
      hash.update(chunk)
      controller.enqueue(chunk)
    },
  })
  return { stream, taken: () => sent, hash: () => hash.digest('hex') }
}

/** What the peer takes, without keeping it. */
function hashOf(peer: Peer, totalBytes: number): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>()
  const hash = createHash('sha256')
  let taken = 0
  peer.socket.removeAllListeners('data')
  peer.socket.on('data', (chunk: Buffer) => {
    hash.update(chunk)
    taken += chunk.length
    if (taken >= totalBytes) resolve(hash.digest('hex'))
  })
  return promise
}

/** Bytes of memory that a process holds, and held at the most. */
async function memoryOf(pid: number): Promise<{ readonly now: number; readonly peak: number }> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  const field = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) * 1024
  return { now: field('VmRSS'), peak: field('VmHWM') }
}

describe('write', () => {
  test('stops taking a body of 32 MiB while the peer does not read, and loses nothing of it', async () => {
    const { lease, peer } = await scripted.leased()
    peer.socket.pause()
    const body = bodyOf(32 * MIB)
    const writing = lease.call('write?drain=true', { body: body.stream })
    await lease.begun('write')
    // The kernel's buffers fill up first; then nothing moves any more, not even out of the client.
    for (let last = -1, same = 0; same < STALLED_LOOKS; ) {
      const { writeOffset } = jsonOf<{ writeOffset: number }>(await lease.look())
      const moved = writeOffset + body.taken()
      same = moved === last ? same + 1 : 0
      last = moved
    }
    expect(body.taken()).toBeGreaterThan(0)
    expect(body.taken()).toBeLessThan(28 * MIB)
    const received = hashOf(peer, 32 * MIB)
    peer.socket.resume()
    expect(jsonOf(await writing)).toEqual({ accepted: 32 * MIB, offset: 32 * MIB })
    expect(await received).toBe(body.hash())
  })

  test.runIf(process.platform === 'linux')('streams a large body through bounded memory', async () => {
    const { lease, peer } = await scripted.leased()
    const { pid } = scripted.service
    const before = await memoryOf(pid)
    const body = bodyOf(LARGE_BODY_MIB * MIB)
    const received = hashOf(peer, LARGE_BODY_MIB * MIB)
    await lease.call('write?drain=true', { body: body.stream })
    expect(await received).toBe(body.hash())
    const after = await memoryOf(pid)
    // Chunks wait for the garbage collector, which comes after some 70 MiB of them.
    expect(after.peak - before.now).toBeLessThan((LARGE_BODY_MIB / 2) * MIB)
  })

  test.each(['application/json', 'text/plain; charset=utf-16', 'nonsense'])(
    'takes bytes of the content type %s as they are',
    async type => {
      const { lease, peer } = await scripted.leased()
      const body = new Uint8Array([123, 0, 255, 10])
      const answer = await lease.call('write', { body, headers: { 'content-type': type } })
      expect(jsonOf(answer)).toEqual({ accepted: 4, offset: 4 })
      expect(await peer.received(4)).toEqual(Buffer.from(body))
    },
  )

  test('with eof ends the writing side; reading goes on', async () => {
    const { lease, peer } = await scripted.leased()
    expect(jsonOf(await lease.call('write?eof=true', { body: 'last' }))).toEqual({ accepted: 4, offset: 4 })
    await peer.ended()
    expect((await peer.received(4)).toString()).toBe('last')
    const late = problemOf(await lease.call('write', { body: 'late' }))
    expect(late).toMatchObject({ status: 409, code: 'write_closed', bytesAccepted: 0 })
    peer.end('reply')
    expect((await lease.call('read')).text).toBe('reply')
    expect(jsonOf(await lease.release())).toMatchObject({ outcome: 'closed' })
  })

  test('with offset acknowledges a repeat without sending it twice, and refuses a gap', async () => {
    const { lease, peer } = await scripted.leased()
    for (const path of ['write?offset=0', 'write?offset=0'])
      expect(jsonOf(await lease.call(path, { body: 'abcd' }))).toEqual({ accepted: 4, offset: 4 })
    expect(jsonOf(await lease.call('write?offset=2', { body: 'cdef' }))).toEqual({ accepted: 4, offset: 6 })
    const gap = problemOf(await lease.call('write?offset=7', { body: 'h' }))
    expect(gap).toMatchObject({ status: 409, code: 'offset_mismatch', offset: 6, bytesAccepted: 0 })
    await lease.call('write', { body: '!' })
    expect((await peer.received(7)).toString()).toBe('abcdef!')
  })

  test('answers connection_reset when the peer broke the connection', async () => {
    const { lease, peer } = await scripted.leased()
    const reading = lease.call('readline')
    await lease.begun('readline')
    peer.reset()
    expect(problemOf(await reading)).toMatchObject({ status: 502, code: 'connection_reset' })
    const problem = problemOf(await lease.call('write', { body: 'x' }))
    expect(problem).toMatchObject({ status: 410, code: 'lease_gone', reason: 'reset' })
  })
})

describe('writelines', () => {
  test('writes texts, or encoded bytes, one after the other', async () => {
    const { lease, peer } = await scripted.leased()
    const texts = await lease.call('writelines', { json: ['a', '', 'ü\n'] })
    expect(jsonOf(texts)).toEqual({ accepted: 4, offset: 4 })
    const coded = await lease.call('writelines', { json: { data: ['/w==', 'AA=='], encoding: 'base64' } })
    expect(jsonOf(coded)).toEqual({ accepted: 2, offset: 6 })
    expect(await peer.received(6)).toEqual(Buffer.from([97, 0xc3, 0xbc, 10, 255, 0]))
  })

  test('sends 400,000 short texts in no more time than their bytes take', async () => {
    const { lease, peer } = await scripted.leased()
    const texts = Array.from({ length: 400_000 }, (_, at) => String(at % 10_000).padStart(4, '0'))
    const received = hashOf(peer, 1_600_000)
    const startedMs = performance.now()
    expect(jsonOf(await lease.call('writelines?drain=true', { json: texts }))).toEqual({
      accepted: 1_600_000,
      offset: 1_600_000,
    })
    expect(performance.now() - startedMs).toBeLessThan(5_000)
    expect(await received).toBe(createHash('sha256').update(texts.join('')).digest('hex'))
  })

  test('refuses what is no list of texts', async () => {
    const { lease } = await scripted.leased()
    for (const json of [{ lines: ['a'] }, [1], 'text', { data: ['x'], encoding: 'hex' }])
      expect(problemOf(await lease.call('writelines', { json }))).toMatchObject({
        status: 400,
        code: 'invalid_request',
      })
  })
})

describe('drain', () => {
  test('answers 204, and drain_timeout with what was accepted while the peer does not read', async () => {
    const { lease, peer } = await scripted.leased()
    const empty = await lease.call('drain')
    expect([empty.status, empty.text]).toEqual([204, ''])
    peer.socket.pause()
    const stalled = await lease.call('write?timeoutMs=200', { body: bodyOf(32 * MIB).stream })
    expect(problemOf(stalled)).toMatchObject({ status: 504, code: 'drain_timeout', bytesDelivered: 0 })
    const { bytesAccepted } = jsonOf<{ bytesAccepted: number }>(stalled)
    expect(bytesAccepted).toBeGreaterThan(0)
    expect(bytesAccepted).toBeLessThan(32 * MIB)
    expect(problemOf(await lease.call('drain?timeoutMs=50'))).toMatchObject({
      code: 'drain_timeout',
      bytesAccepted: 0,
    })
    peer.socket.resume()
    expect((await lease.call('drain')).status).toBe(204)
  })
})

describe('the ways to end', () => {
  test('write_eof half-closes', async () => {
    const { lease, peer } = await scripted.leased()
    await lease.call('write', { body: 'x' })
    expect((await lease.call('write_eof')).status).toBe(204)
    await peer.ended()
    peer.end('y')
    expect((await lease.call('read')).text).toBe('y')
  })

  test('close sends what was written, then closes, and wait_closed tells', async () => {
    const { lease, peer } = await scripted.leased()
    expect(jsonOf(await scripted.api.get(`${lease.path}/is_closing`))).toEqual({ closing: false })
    await lease.call('write', { body: 'goodbye' })
    const closed = await lease.call('close')
    expect([closed.status, closed.text]).toEqual([202, ''])
    expect(jsonOf(await scripted.api.get(`${lease.path}/is_closing`))).toEqual({ closing: true })
    expect((await peer.received(7)).toString()).toBe('goodbye')
    await peer.ended()
    peer.end()
    expect((await lease.call('wait_closed')).status).toBe(204)
    expect(problemOf(await lease.call('write', { body: 'x' }))).toMatchObject({ code: 'write_closed' })
  })
})
