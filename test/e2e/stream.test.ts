/** A lease over WebSocket: both directions, how they end, and who may open one. */
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { sendRaw } from '../support/raw-http.ts'
import { type StreamScene, startStreamScene } from '../support/stream-scene.ts'

let scene: StreamScene

beforeAll(async () => {
  scene = await startStreamScene()
})

describe('a stream', () => {
  test('carries bytes both ways and both ends, and closes with 1000', async () => {
    const { lease, peer } = await scene.leased()
    const stream = await scene.streamOf(lease)
    expect(stream.socket.protocol).toBe('sockpool.v1')
    stream.send(Buffer.from('question'))
    expect((await peer.received(8)).toString()).toBe('question')
    await peer.send('answer')
    expect((await stream.bytes(6)).toString()).toBe('answer')
    peer.end('last')
    expect((await stream.bytes(10)).toString()).toBe('answerlast')
    expect(await stream.text()).toEqual({ eof: true })
    stream.send(Buffer.from('more'))
    stream.send({ eof: true })
    expect((await peer.received(12)).toString()).toBe('questionmore')
    await peer.ended()
    expect(await stream.ended()).toEqual({ code: 1000, reason: '' })
  })

  test('is opened by a page, whose token is a subprotocol, with the WebSocket of the platform', async () => {
    const { lease, peer } = await scene.leased()
    const url = `${scene.service.url.replace('http', 'ws')}/v1/leases/${lease.view.id}/stream`
    const socket = new globalThis.WebSocket(url, ['sockpool.v1', `token.${scene.service.token}`])
    onTestFinished(() => socket.close())
    socket.binaryType = 'arraybuffer'
    const heard = new Promise<string>(resolve => {
      socket.onmessage = ({ data }) => resolve(Buffer.from(data as ArrayBuffer).toString())
    })
    await new Promise((resolve, reject) => {
      socket.onopen = resolve
      socket.onerror = reject
    })
    expect(socket.protocol).toBe('sockpool.v1')
    socket.send(Buffer.from('hi'))
    expect((await peer.received(2)).toString()).toBe('hi')
    await peer.send('ho')
    expect(await heard).toBe('ho')
  })
})

describe('a handshake', () => {
  const KEY = ['Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Version: 13']
  const UPGRADE = ['Connection: Upgrade', 'Upgrade: websocket']

  const ask = async (path: string, ...headers: string[]) => {
    const host = `Host: 127.0.0.1:${scene.service.port}`
    const answer = await sendRaw(
      scene.service.port,
      [`GET ${path} HTTP/1.1`, host, ...headers, '', ''].join('\r\n'),
    )
    const { code } = JSON.parse(answer.body) as { code: string }
    return [answer.status, code, answer.headers.get('content-type')]
  }
  const problem = 'application/problem+json'
  const bearer = () => `Authorization: Bearer ${scene.service.token}`

  test('that is refused is answered with a problem', async () => {
    const { lease } = await scene.leased()
    const path = `/v1/leases/${lease.view.id}/stream`
    const good = [...UPGRADE, ...KEY]
    expect(await ask(path, ...good)).toEqual([401, 'unauthorized', problem])
    expect(await ask(path, ...good, 'Sec-WebSocket-Protocol: sockpool.v1, token.nope')).toEqual([
      401,
      'unauthorized',
      problem,
    ])
    expect(await ask(path, ...good, bearer(), 'Origin: http://evil.example')).toEqual([
      403,
      'host_denied',
      problem,
    ])
    expect(await ask('/v1/leases/none/stream', ...good, bearer())).toEqual([404, 'lease_not_found', problem])
    expect(await ask(path, ...UPGRADE, bearer())).toEqual([400, 'invalid_request', problem])
    expect(await ask(path, ...good, bearer(), 'Sec-WebSocket-Protocol: other')).toEqual([
      400,
      'invalid_request',
      problem,
    ])
    expect(await ask(`${path}?ack=maybe`, ...good, bearer())).toEqual([400, 'invalid_request', problem])
    expect(await ask(`${path}?offset=1`, ...good, bearer())).toEqual([409, 'offset_mismatch', problem])
    expect(await ask(path, bearer(), 'Connection: close')).toEqual([426, 'upgrade_required', problem])
    expect(await ask(path, 'Connection: Upgrade', 'Upgrade: tcp', ...KEY, bearer())).toEqual([
      426,
      'upgrade_required',
      problem,
    ])
  })
})
