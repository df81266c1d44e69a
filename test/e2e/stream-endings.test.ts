/** How a stream ends, and what becomes of its lease and of its bytes. */
import { once } from 'node:events'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { WebSocket } from 'ws'
import { jsonOf, problemOf } from '../support/api.ts'
import { startServiceFixture } from '../support/service-fixture.ts'
import { openStream, type StreamClient } from '../support/stream-client.ts'
import { type StreamScene, startStreamScene } from '../support/stream-scene.ts'
import { until } from '../support/until.ts'
import { startUpstream } from '../support/upstream.ts'

let scene: StreamScene

beforeAll(async () => {
  scene = await startStreamScene()
})

describe('an open stream', () => {
  test('keeps every other read out, and no write', async () => {
    const { lease, peer } = await scene.leased()
    const stream = await scene.streamOf(lease)
    for (const call of ['read?n=1', 'readline', 'readexactly?n=1', 'readframe?frame=line', 'start_tls']) {
      const { status, text } = await lease.call(call)
      expect([call, status, JSON.parse(text).code]).toEqual([call, 409, 'read_busy'])
    }
    const parse = await lease.call('parse', { json: { format: 'lines' } })
    expect([parse.status, JSON.parse(parse.text).code]).toEqual([409, 'read_busy'])
    expect((await lease.call('write', { body: 'beside' })).status).toBe(200)
    expect((await peer.received(6)).toString()).toBe('beside')
    stream.socket.close()
    await stream.ended()
    await lease.idle()
    await peer.send('line\n')
    expect((await lease.call('readline')).text).toBe('line\n')
  })

  test('is not opened while another read runs', async () => {
    const { lease, peer } = await scene.leased()
    const read = lease.call('readline')
    await lease.begun('readline')
    await expect(scene.streamOf(lease)).rejects.toThrow('409')
    await peer.send('x\n')
    expect((await read).text).toBe('x\n')
  })

  test('keeps its lease from expiring, which does once the client has gone', async () => {
    const { lease } = await scene.leased({ ttlMs: 150 })
    const stream = await scene.streamOf(lease)
    const startedMs = performance.now()
    await until('three ttls have passed', () => performance.now() - startedMs > 450)
    expect(jsonOf(await lease.look())).toMatchObject({ lastOperation: 'stream', idleMs: 0 })
    stream.socket.terminate()
    while ((await lease.look()).status === 200);
    expect(problemOf(await lease.look())).toMatchObject({ code: 'lease_gone', reason: 'expired' })
  })
})

describe('a stream', () => {
  test('is closed with 1008 by the next one, which goes on where it was', async () => {
    const { lease, peer } = await scene.leased()
    const first = await scene.streamOf(lease)
    await peer.send('one')
    await first.bytes(3)
    const second = await scene.streamOf(lease)
    expect(await first.ended()).toEqual({ code: 1008, reason: 'taken_over' })
    await peer.send('two')
    expect((await second.bytes(3)).toString()).toBe('two')
    second.send(Buffer.from('back'))
    expect((await peer.received(4)).toString()).toBe('back')
  })

  test('is left to one of many that come at once', async () => {
    const { lease, peer } = await scene.leased()
    const streams = await Promise.all(Array.from({ length: 8 }, () => scene.streamOf(lease)))
    const ends = streams.map(stream => stream.ended().catch(() => null))
    await peer.send('x')
    await until('one has the byte', () => streams.reduce((sum, { length }) => sum + length, 0) === 1)
    const isOpen = ({ socket }: StreamClient) => socket.readyState === WebSocket.OPEN
    await until('one is open', () => streams.filter(isOpen).length === 1)
    for (const { socket } of streams) socket.terminate()
    const told = (await Promise.all(ends)).filter(end => end?.code === 1008)
    expect(told).toEqual(Array.from({ length: 7 }, () => ({ code: 1008, reason: 'taken_over' })))
  })

  test('ends with 1000 when its lease is released, whose connection serves again', async () => {
    const { lease, peer } = await scene.leased()
    const stream = await scene.streamOf(lease)
    stream.send(Buffer.from('q'))
    await peer.received(1)
    await peer.send('a')
    await stream.bytes(1)
    expect(JSON.parse((await lease.release()).text)).toEqual({ outcome: 'reused', reason: 'clean' })
    expect(await stream.ended()).toEqual({ code: 1000, reason: 'released' })
  })

  test('that its client has closed leaves a lease that may serve again', async () => {
    const { lease, peer } = await scene.leased()
    const stream = await scene.streamOf(lease)
    stream.send(Buffer.from('q'))
    await peer.received(1)
    await peer.send('a')
    await stream.bytes(1)
    stream.socket.close(1000)
    await stream.ended()
    expect(JSON.parse((await lease.release()).text)).toEqual({ outcome: 'reused', reason: 'clean' })
  })

  test('ends with 1008 when its lease is killed', async () => {
    const { lease } = await scene.leased()
    const stream = await scene.streamOf(lease)
    await lease.release('?kill=true')
    expect(await stream.ended()).toEqual({ code: 1008, reason: 'lease_gone' })
  })

  test('ends with 1011 when the connection breaks, after all that came before', async () => {
    const { lease, peer } = await scene.leased()
    const stream = await scene.streamOf(lease)
    await peer.send('before')
    await stream.bytes(6)
    peer.reset()
    expect(await stream.ended()).toEqual({ code: 1011, reason: 'connection_reset' })
    expect((await lease.call('read?n=1')).status).toBe(410)
  })

  test('ends when the connection breaks after its end was told', async () => {
    const { lease, peer } = await scene.leased()
    const stream = await scene.streamOf(lease)
    peer.end()
    expect(await stream.text()).toEqual({ eof: true })
    peer.reset()
    stream.send(Buffer.from('x'))
    const { code } = await stream.ended()
    expect([1000, 1011]).toContain(code)
  })

  test('ends with 1000 when its holder closes the connection by another call', async () => {
    const { lease, peer } = await scene.leased()
    const stream = await scene.streamOf(lease)
    expect((await lease.call('close')).status).toBe(202)
    await peer.ended()
    peer.end()
    expect(await stream.text()).toEqual({ eof: true })
    expect((await stream.ended()).code).toBe(1000)
  })

  test('whose client goes away keeps what comes for the next reader', async () => {
    const { lease, peer } = await scene.leased()
    const stream = await scene.streamOf(lease)
    stream.socket.terminate()
    await stream.ended()
    await lease.idle()
    await peer.send('kept\n')
    expect((await lease.call('readline')).text).toBe('kept\n')
  })
})

describe('a client that breaks the rules', () => {
  test.each([
    ['a text that is no JSON', 'hello', 'invalid_request'],
    ['a text that says nothing', '{"eof":false}', 'invalid_request'],
    ['a list', '[]', 'invalid_request'],
    ['a null', 'null', 'invalid_request'],
    ['a word too many', '{"eof":true,"x":1}', 'invalid_request'],
    ['a long text', `{"eof":true${' '.repeat(2_000)}}`, 'invalid_request'],
    ['an acknowledgement that nobody asked for', '{"consumed":0}', 'invalid_request'],
  ])('by %s is told so', async (_what, text, reason) => {
    const { lease, peer } = await scene.leased()
    const stream = await scene.streamOf(lease)
    stream.send(text)
    expect(await stream.ended()).toEqual({ code: 1008, reason })
    await lease.idle()
    await peer.send('still\n')
    expect((await lease.call('readline')).text).toBe('still\n')
  })

  test('by bytes after its end is told so', async () => {
    const { lease } = await scene.leased()
    const stream = await scene.streamOf(lease)
    stream.send({ eof: true })
    stream.send(Buffer.from('late'))
    expect(await stream.ended()).toEqual({ code: 1008, reason: 'write_closed' })
  })

  test('by a message without a bound is told so', async () => {
    const { lease } = await scene.leased()
    const stream = await scene.streamOf(lease)
    stream.send(Buffer.alloc(1_048_577))
    expect((await stream.ended()).code).toBe(1009)
    expect((await lease.look()).status).toBe(200)
  })

  test('may say twice that it has ended', async () => {
    const { lease, peer } = await scene.leased()
    const stream = await scene.streamOf(lease)
    stream.send({ eof: true })
    stream.send({ eof: true })
    await peer.ended()
    peer.end('rest')
    expect((await stream.bytes(4)).toString()).toBe('rest')
    expect(await stream.ended()).toEqual({ code: 1000, reason: '' })
  })
})

describe('a stream over TLS', () => {
  test('cannot end one direction alone, and ends both', async () => {
    const service = await startServiceFixture({ demo: true, finally: onTestFinished })
    const open = async () => {
      const lease = await service.api.lease('demo-tls')
      const headers = { authorization: `Bearer ${service.token}` }
      return { lease, stream: await openStream(service.url, `${lease.view.id}/stream`, { headers }) }
    }
    const half = await open()
    half.stream.send(Buffer.from('echo'))
    expect((await half.stream.bytes(4)).toString()).toBe('echo')
    half.stream.send({ eof: true })
    expect(await half.stream.ended()).toEqual({ code: 1008, reason: 'invalid_request' })
    await half.lease.release('?discard=true')
  })
})

describe('a service that drains', () => {
  test('closes its streams with 1001 and lets their leases go on, by a new stream too', async () => {
    const upstream = await startUpstream()
    onTestFinished(() => upstream.close())
    const { host, port } = upstream
    const service = await startServiceFixture({
      config: { targets: { peer: { host, port } } },
      finally: onTestFinished,
    })
    const headers = { authorization: `Bearer ${service.token}` }
    const lease = await service.api.lease('peer')
    const peer = await upstream.next()
    const path = `${lease.view.id}/stream`
    const first = await openStream(service.url, path, { headers })
    const closed = service.close()
    expect(await first.ended()).toEqual({ code: 1001, reason: 'draining' })
    const second = await openStream(service.url, path, { headers })
    await peer.send('late')
    expect((await second.bytes(4)).toString()).toBe('late')
    await lease.release()
    expect(await second.ended()).toEqual({ code: 1000, reason: 'released' })
    await closed
  })

  test('does not wait for a client that does not say goodbye', async () => {
    const upstream = await startUpstream()
    onTestFinished(() => upstream.close())
    const { host, port } = upstream
    const limits = { drainTimeout: '100ms' }
    const service = await startServiceFixture({
      config: { targets: { peer: { host, port } }, limits },
      finally: onTestFinished,
    })
    const headers = { authorization: `Bearer ${service.token}` }
    const lease = await service.api.lease('peer')
    const stream = await openStream(service.url, `${lease.view.id}/stream`, { headers })
    stream.socket.pause()
    await service.close()
    stream.socket.resume()
    if (stream.socket.readyState !== WebSocket.CLOSED) await once(stream.socket, 'close')
  })
})
