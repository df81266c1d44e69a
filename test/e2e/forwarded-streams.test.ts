/** A lease of another instance as a WebSocket: the bytes, the words and the ends of both sides pass as they are. */
import { once } from 'node:events'
import { describe, expect, onTestFinished, test } from 'vitest'
import { jsonOf, problemOf } from '../support/api.ts'
import { FLEET_TOKEN, type FleetScene, type Instance, startFleetScene } from '../support/app-fleet.ts'
import { sendRaw } from '../support/raw-http.ts'
import { openStream, type StreamClient } from '../support/stream-client.ts'
import { until } from '../support/until.ts'

const MIB = 1_048_576

async function streamOf(at: Instance, id: string, query = ''): Promise<StreamClient> {
  const headers = { authorization: `Bearer ${FLEET_TOKEN}` }
  const stream = await openStream(at.url, `${id}/stream${query}`, { headers })
  onTestFinished(() => stream.socket.terminate())
  return stream
}

async function opened(query = '') {
  const scene: FleetScene = await startFleetScene()
  const { lease, peer } = await scene.leased()
  const stream = await streamOf(scene.other, lease.view.id, query)
  return { ...scene, lease, peer, stream }
}

describe('a stream through another instance', () => {
  test('carries bytes both ways and both ends, and closes with 1000', async () => {
    const { stream, peer, other } = await opened()
    expect(stream.socket.protocol).toBe('sockpool.v1')
    stream.send(Buffer.from('question'))
    expect((await peer.received(8)).toString()).toBe('question')
    await peer.send('answer')
    expect((await stream.bytes(6)).toString()).toBe('answer')
    peer.end('last')
    expect((await stream.bytes(10)).toString()).toBe('answerlast')
    expect(await stream.text()).toEqual({ eof: true })
    stream.send({ eof: true })
    await peer.ended()
    expect(await stream.ended()).toEqual({ code: 1000, reason: '' })
    expect(other.results).toEqual(['ok'])
    await until('it is logged', () => other.log.requests.length === 1)
    expect(other.log.requests).toMatchObject([
      { route: '/v1/leases/:id/stream', status: 101, forwardedTo: 'owner' },
    ])
  })

  test('says with ack=true where it stands, and leaves unread what was not consumed', async () => {
    const { stream, peer, lease } = await opened('?ack=true')
    expect(await stream.text()).toEqual({ readOffset: 0, writeOffset: 0 })
    stream.send(Buffer.from('de'))
    expect(await stream.text()).toEqual({ accepted: 2 })
    await peer.send('0123456789')
    await stream.bytes(10)
    stream.send({ consumed: 4 })
    stream.socket.close()
    expect(await stream.ended()).toMatchObject({ code: 1005 })
    await lease.idle()
    expect(jsonOf(await lease.look())).toMatchObject({ readOffset: 4 })
  })

  test('carries megabytes both ways', async () => {
    const { stream, peer } = await opened()
    const piece = Buffer.alloc(MIB, 'x')
    const sent = peer.send(Buffer.concat([piece, piece]))
    expect((await stream.bytes(2 * MIB)).length).toBe(2 * MIB)
    await sent
    for (let count = 0; count < 2; count++) stream.send(piece)
    await until('the peer has all of it', () => peer.heard >= 2 * MIB, 60_000)
    expect(peer.heard).toBe(2 * MIB)
  })

  test('passes pings of either side on', async () => {
    const { stream } = await opened()
    const pong = once(stream.socket, 'pong')
    stream.socket.ping('are you there')
    expect(String((await pong)[0])).toBe('are you there')
  })

  test('closes with the code of its owner: taken over, killed', async () => {
    const { stream, other, lease } = await opened()
    const second = await streamOf(other, lease.view.id)
    expect(await stream.ended()).toEqual({ code: 1008, reason: 'taken_over' })
    expect((await other.api.request('DELETE', `${lease.path}?kill=true`)).status).toBe(200)
    expect(await second.ended()).toEqual({ code: 1008, reason: 'lease_gone' })
    expect(problemOf(await lease.look())).toMatchObject({ reason: 'killed' })
  })

  test('passes a rule on that its client has broken', async () => {
    const { stream } = await opened()
    stream.send('no json')
    expect(await stream.ended()).toEqual({ code: 1008, reason: 'invalid_request' })
  })

  test('ends with its client, whose lease goes on', async () => {
    const { stream, lease } = await opened()
    stream.socket.terminate()
    await lease.idle()
    expect((await lease.look()).status).toBe(200)
  })

  test('closes with 1001 when the instance in between drains, and its lease goes on', async () => {
    const { stream, other, owner, lease, peer } = await opened()
    stream.send(Buffer.from('before'))
    await peer.received(6)
    await peer.send('some')
    await stream.bytes(4)
    const closed = other.cut()
    expect(await stream.ended()).toEqual({ code: 1001, reason: 'draining' })
    await closed
    await peer.send(' and the rest')
    expect((await owner.api.post(`${lease.path}/readexactly?n=13`)).text).toBe(' and the rest')
  })

  test('closes where its owner says goodbye, and breaks where it does not', async () => {
    const { stream, owner, other, leased } = await opened()
    const { lease } = await leased()
    const second = await streamOf(other, lease.view.id)
    const [first] = owner.upgraded
    first?.destroy()
    expect(await stream.ended()).toMatchObject({ code: 1006 })
    const closed = owner.cut()
    expect(await second.ended()).toEqual({ code: 1001, reason: 'draining' })
    await closed
  })
})

describe('a handshake through another instance', () => {
  test('is refused as its owner refuses it', async () => {
    const { other, leased, words } = await startFleetScene()
    const { lease } = await leased()
    const KEY = ['Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Version: 13']
    const UPGRADE = ['Connection: Upgrade', 'Upgrade: websocket']
    const ask = async (path: string, ...headers: string[]) => {
      const host = `Host: 127.0.0.1:${other.port}`
      const head = [`GET ${path} HTTP/1.1`, host, `Authorization: Bearer ${FLEET_TOKEN}`, ...headers, '', '']
      const answer = await sendRaw(other.port, head.join('\r\n'))
      return [
        answer.status,
        (JSON.parse(answer.body) as { code: string }).code,
        answer.headers.get('upgrade'),
      ]
    }
    const path = `${lease.path}/stream`
    expect(await ask(path, ...UPGRADE)).toEqual([400, 'invalid_request', undefined])
    expect(await ask(`${path}?offset=1`, ...UPGRADE, ...KEY)).toEqual([409, 'offset_mismatch', undefined])
    expect(await ask(path, 'Connection: close')).toEqual([426, 'upgrade_required', 'websocket'])
    expect(await ask(path, 'Connection: Upgrade', 'Upgrade: tcp', ...KEY)).toEqual([
      426,
      'upgrade_required',
      'websocket',
    ])
    words.states.set('owner', 'lost')
    expect(await ask(path, ...UPGRADE, ...KEY)).toEqual([410, 'lease_gone', undefined])
    words.states.delete('owner')
    words.origins.set('owner', 'http://127.0.0.1:1')
    expect(await ask(path, ...UPGRADE, ...KEY)).toEqual([503, 'instance_unreachable', undefined])
  })

  test('of a page has its token in the list of subprotocols, which its owner judges too', async () => {
    const { other, owner, leased } = await startFleetScene()
    const { lease } = await leased()
    const url = `${other.url.replace('http', 'ws')}/v1/leases/${lease.view.id}/stream`
    const socket = new globalThis.WebSocket(url, ['sockpool.v1', `token.${FLEET_TOKEN}`])
    onTestFinished(() => socket.close())
    await new Promise((resolve, reject) => {
      socket.onopen = resolve
      socket.onerror = reject
    })
    expect(socket.protocol).toBe('sockpool.v1')
    const closed = new Promise(resolve => {
      socket.onclose = resolve
    })
    socket.close()
    await closed
    await until('its owner has logged it', () => owner.log.requests.some(({ status }) => status === 101))
    expect(owner.log.text + other.log.text).not.toContain(FLEET_TOKEN)
  })
})
