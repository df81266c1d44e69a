/** A stream whose client says what it has: nothing is lost where a stream is cut, and nothing comes twice. */
import { beforeAll, describe, expect, test } from 'vitest'
import { jsonOf, problemOf } from '../support/api.ts'
import { type StreamScene, startStreamScene } from '../support/stream-scene.ts'
import { until, untilSteady } from '../support/until.ts'

let scene: StreamScene

beforeAll(async () => {
  scene = await startStreamScene()
})

const WINDOW = 262_144

describe('a stream with ack=true', () => {
  test('says first where it stands, and then which bytes were accepted', async () => {
    const { lease, peer } = await scene.leased()
    await lease.call('write', { body: 'abc' })
    await peer.send('xy')
    await lease.call('readexactly?n=2')
    const stream = await scene.streamOf(lease, '?ack=true')
    expect(await stream.text()).toEqual({ readOffset: 2, writeOffset: 3 })
    stream.send(Buffer.from('de'))
    expect(await stream.text()).toEqual({ accepted: 5 })
    expect((await peer.received(5)).toString()).toBe('abcde')
  })

  test('leaves unread what its client has not consumed', async () => {
    const { lease, peer } = await scene.leased()
    const stream = await scene.streamOf(lease, '?ack=true')
    await stream.text()
    await peer.send('0123456789')
    await stream.bytes(10)
    stream.send({ consumed: 4 })
    stream.socket.close()
    await stream.ended()
    await lease.idle()
    expect(jsonOf(await lease.look())).toMatchObject({ readOffset: 4 })
    expect((await lease.call('readexactly?n=3')).text).toBe('456')
    expect(JSON.parse((await lease.release()).text)).toEqual({ outcome: 'closed', reason: 'unread' })
  })

  test('that is open is judged so by a release', async () => {
    const { lease, peer } = await scene.leased()
    const stream = await scene.streamOf(lease, '?ack=true')
    await stream.text()
    await peer.send('0123')
    await stream.bytes(4)
    expect(JSON.parse((await lease.release()).text)).toEqual({ outcome: 'closed', reason: 'unread' })
    expect((await stream.ended()).code).toBe(1000)
  })

  test('that was cut goes on where its client is, with what it lost on the way', async () => {
    const { lease, peer } = await scene.leased()
    const first = await scene.streamOf(lease, '?ack=true')
    await first.text()
    await peer.send('0123456789')
    await first.bytes(10)
    first.send({ consumed: 2 })
    first.socket.terminate()
    await first.ended()
    const second = await scene.streamOf(lease, '?ack=true&offset=6')
    expect(await second.text()).toEqual({ readOffset: 6, writeOffset: 0 })
    expect((await second.bytes(4)).toString()).toBe('6789')
    second.send({ consumed: 10 })
    await peer.send('abc')
    expect((await second.bytes(7)).toString()).toBe('6789abc')
    const third = await scene.streamOf(lease, '?ack=true')
    expect(await third.text()).toEqual({ readOffset: 10, writeOffset: 0 })
    expect((await third.bytes(3)).toString()).toBe('abc')
  })

  test('begins at no offset that was consumed, or that no client was sent', async () => {
    const { lease, peer } = await scene.leased()
    const first = await scene.streamOf(lease, '?ack=true')
    await first.text()
    await peer.send('0123456789')
    await first.bytes(10)
    first.send({ consumed: 5 })
    first.socket.close()
    await first.ended()
    await expect(scene.streamOf(lease, '?ack=true&offset=4')).rejects.toThrow('410')
    await expect(scene.streamOf(lease, '?ack=true&offset=11')).rejects.toThrow('409')
    const next = await scene.streamOf(lease, '?ack=true&offset=10')
    expect(await next.text()).toEqual({ readOffset: 10, writeOffset: 0 })
  })

  test('of a lease with replay goes back to what was consumed, too', async () => {
    const { lease, peer } = await scene.leased({ replay: true })
    await peer.send('0123456789')
    await lease.call('readexactly?n=8')
    const stream = await scene.streamOf(lease, '?ack=true&offset=3')
    expect(await stream.text()).toEqual({ readOffset: 3, writeOffset: 0 })
    expect((await stream.bytes(7)).toString()).toBe('3456789')
    stream.send({ consumed: 5 })
    stream.send({ consumed: 9 })
    stream.socket.close()
    await stream.ended()
    await lease.idle()
    expect(jsonOf(await lease.look())).toMatchObject({ readOffset: 9 })
    const plain = await scene.streamOf(lease, '?offset=0')
    expect((await plain.bytes(10)).toString()).toBe('0123456789')
  })

  test('sends a window of bytes and no more before it hears that they are consumed', async () => {
    const { lease, peer } = await scene.leased()
    const stream = await scene.streamOf(lease, '?ack=true')
    await stream.text()
    const bytes = Buffer.from(Uint8Array.from({ length: 3 * WINDOW }, (_, at) => at % 251))
    peer.socket.write(bytes)
    await stream.bytes(WINDOW)
    expect(await untilSteady(() => stream.length, 200)).toBe(WINDOW)
    for (let at = 65_536; at <= bytes.length; at += 65_536) {
      stream.send({ consumed: at })
      await stream.bytes(Math.min(bytes.length, at + WINDOW))
    }
    expect(stream.received.equals(bytes)).toBe(true)
    expect(jsonOf(await lease.look())).toMatchObject({ readOffset: bytes.length })
  })

  test('carries a window of writes and acknowledgements past a peer that waits for its own to be read', async () => {
    const { lease, peer } = await scene.leased()
    const stream = await scene.streamOf(lease, '?ack=true')
    await stream.text()
    peer.socket.pause()
    peer.socket.write(Buffer.alloc(2 * WINDOW, 'p'))
    await stream.bytes(WINDOW)
    stream.send(Buffer.alloc(WINDOW, 'c'))
    stream.send({ consumed: WINDOW })
    expect((await stream.bytes(2 * WINDOW)).length).toBe(2 * WINDOW)
    peer.socket.resume()
    expect((await peer.received(WINDOW)).length).toBe(WINDOW)
  })

  test('tells a client that acknowledges what it was not sent', async () => {
    const { lease } = await scene.leased()
    const stream = await scene.streamOf(lease, '?ack=true')
    await stream.text()
    stream.send({ consumed: 1 })
    expect(await stream.ended()).toEqual({ code: 1008, reason: 'offset_mismatch' })
  })

  test('closes when both have ended and the last bytes are consumed', async () => {
    const { lease, peer } = await scene.leased()
    const stream = await scene.streamOf(lease, '?ack=true')
    await stream.text()
    stream.send({ eof: true })
    peer.end('bye')
    await stream.bytes(3)
    expect(await stream.text()).toEqual({ eof: true })
    stream.send({ consumed: 3 })
    expect(await stream.ended()).toEqual({ code: 1000, reason: '' })
    expect(jsonOf(await lease.look())).toMatchObject({ readOffset: 3 })
  })

  test('closes all the same where its client says no last word', async () => {
    const { lease, peer } = await scene.leased()
    const stream = await scene.streamOf(lease, '?ack=true')
    stream.send({ eof: true })
    peer.end('bye')
    expect(await stream.ended()).toEqual({ code: 1000, reason: '' })
    expect(jsonOf(await lease.look())).toMatchObject({ readOffset: 0 })
  })

  test('leaves a parse and a frame what its client has not consumed', async () => {
    const { lease, peer } = await scene.leased()
    const stream = await scene.streamOf(lease, '?ack=true')
    await stream.text()
    await peer.send('one\ntwo\nthree\n')
    await stream.bytes(14)
    stream.send({ consumed: 4 })
    stream.socket.close()
    await stream.ended()
    await lease.idle()
    expect((await lease.call('readframe?frame=line')).text).toBe('two\n')
    const parsed = await lease.call('parse', { json: { format: 'lines' } })
    expect(JSON.parse(parsed.text)).toEqual({ value: 'three', offset: 8 })
  })

  test('lets no TLS start over what its client has not consumed', async () => {
    const { lease, peer } = await scene.leased()
    const stream = await scene.streamOf(lease, '?ack=true')
    await stream.text()
    await peer.send('x')
    await stream.bytes(1)
    stream.socket.close()
    await stream.ended()
    await lease.idle()
    expect(problemOf(await lease.call('start_tls')).code).toBe('starttls_injection')
  })
})

describe('backpressure', () => {
  const TOTAL = 67_108_864
  const PIECE = Buffer.alloc(65_536, 'b')
  /** More than the kernel's buffers of two connections hold. */
  const HELD_MAX = 40_000_000

  test.each(['', '?ack=true'])(
    'of a client that does not read stops the peer%s',
    async query => {
      const { lease, peer } = await scene.leased()
      const stream = await scene.streamOf(lease, query)
      stream.socket.pause()
      for (let sent = 0; sent < TOTAL; sent += PIECE.length) peer.socket.write(PIECE)
      const taken = () => peer.socket.bytesWritten - peer.socket.writableLength
      const stopped = await untilSteady(taken, 300)
      expect(stopped).toBeLessThan(HELD_MAX)
      stream.socket.resume()
      const says = query !== '' && setInterval(() => stream.send({ consumed: stream.length }), 1)
      await until('all bytes have come', () => stream.length === TOTAL, 30_000)
      if (says) clearInterval(says)
    },
    60_000,
  )

  test('of a peer that does not read stops the client', async () => {
    const { lease, peer } = await scene.leased()
    const stream = await scene.streamOf(lease)
    let came = 0
    peer.socket.removeAllListeners('data')
    peer.socket.on('data', (chunk: Buffer) => {
      came += chunk.length
    })
    peer.socket.pause()
    for (let sent = 0; sent < TOTAL; sent += PIECE.length) stream.send(PIECE)
    await untilSteady(() => stream.socket.bufferedAmount, 300)
    expect(TOTAL - stream.socket.bufferedAmount).toBeLessThan(HELD_MAX)
    expect(jsonOf<{ writeOffset: number }>(await lease.look()).writeOffset).toBeLessThan(HELD_MAX)
    peer.socket.resume()
    await until('all bytes have come', () => came === TOTAL, 30_000)
  }, 60_000)
})
