import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { connect as connectTls } from 'node:tls'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type DemoUpstream, startDemoUpstream } from '../../src/threads/demo-upstream.ts'

let upstream: DemoUpstream
beforeEach(async () => {
  upstream = await startDemoUpstream()
})
afterEach(async () => {
  await upstream.close()
})

describe('startDemoUpstream', () => {
  it('echoes what it gets until its peer ends', async () => {
    const { host, port } = upstream.plain
    const socket = connect({ host, port, allowHalfOpen: true })
    const sent = Buffer.alloc(1_000_000, 'sockpool')
    socket.end(sent)
    expect((await buffer(socket)).equals(sent)).toBe(true)
  })

  it('echoes over TLS, verified by the authority it hands out', async () => {
    const { host, port, ca, servername } = upstream.tls
    const socket = connectTls({ host, port, ca, servername })
    await once(socket, 'secureConnect')
    expect(socket.authorized).toBe(true)
    socket.end('hello\n')
    expect((await buffer(socket)).toString()).toBe('hello\n')
  })

  it('outlives a handshake that fails and a peer that resets', async () => {
    const { host, port } = upstream.tls
    const untrusting = connectTls({ host, port, servername: 'localhost' })
    await expect(once(untrusting, 'secureConnect')).rejects.toThrow(/self-signed/)
    const reset = connect(upstream.plain)
    await once(reset, 'connect')
    reset.resetAndDestroy()
    const socket = connect({ ...upstream.plain, allowHalfOpen: true })
    socket.end('still here')
    expect((await buffer(socket)).toString()).toBe('still here')
  })

  it('close ends open connections and refuses new ones', async () => {
    const socket = connect(upstream.plain)
    socket.on('error', () => {})
    await once(socket, 'connect')
    // Not by `once`, which takes the reset that may come first for a failure.
    const ended = new Promise(resolve => socket.on('close', resolve))
    await Promise.all([upstream.close(), upstream.close()])
    await ended
    const late: Socket = connect(upstream.plain)
    await expect(once(late, 'connect')).rejects.toThrow(/ECONNREFUSED/)
  })
})
