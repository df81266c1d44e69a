/** Instances whose HTTP is served by several threads: a lease of another is found through any thread of either. */
import { describe, expect, onTestFinished, test } from 'vitest'
import { jsonOf, problemOf } from '../support/api.ts'
import { FLEET_TOKEN, startFleetScene } from '../support/app-fleet.ts'
import { sendRaw } from '../support/raw-http.ts'
import { openStream } from '../support/stream-client.ts'
import { until } from '../support/until.ts'

const MIB = 1_048_576

describe('threads that serve HTTP', () => {
  test('have the main thread pass on what another instance holds', async () => {
    const { leased, other, words } = await startFleetScene({ threads: 2 })
    const { lease, peer } = await leased()
    // Whichever thread a connection lands at.
    const looks = await Promise.all(Array.from({ length: 8 }, () => lease.look()))
    expect(looks.map(({ status }) => status)).toEqual(Array.from({ length: 8 }, () => 200))
    const bytes = Buffer.alloc(2 * MIB, 'x')
    const wrote = lease.call('write', {
      body: Uint8Array.from(bytes),
      headers: { 'content-type': 'application/octet-stream' },
    })
    const [answer] = await Promise.all([
      wrote,
      until('the peer has all of it', () => peer.heard >= bytes.length, 60_000),
    ])
    expect(jsonOf(answer)).toMatchObject({ accepted: bytes.length })
    const back = peer.send(bytes)
    expect((await lease.call(`readexactly?n=${bytes.length}`)).bytes.equals(bytes)).toBe(true)
    await back
    expect(other.results.every(result => result === 'ok')).toBe(true)
    words.states.set('owner', 'unreachable')
    expect(problemOf(await lease.look())).toMatchObject({ code: 'instance_unreachable' })
    words.states.set('owner', 'lost')
    expect(problemOf(await lease.look())).toMatchObject({ code: 'lease_gone', reason: 'instance_lost' })
    const moved = await sendRaw(
      other.port,
      [
        `GET ${lease.path} HTTP/1.1`,
        `host: 127.0.0.1:${other.port}`,
        `authorization: Bearer ${FLEET_TOKEN}`,
        ...['sockpool-redirect: 1', 'connection: close', '', ''],
      ].join('\r\n'),
    )
    expect(moved.status).toBe(410)
  })

  test('pass a stream on, and its close', async () => {
    const { leased, other } = await startFleetScene({ threads: 2 })
    const { lease, peer } = await leased()
    const headers = { authorization: `Bearer ${FLEET_TOKEN}` }
    const stream = await openStream(other.url, `${lease.view.id}/stream`, { headers })
    onTestFinished(() => stream.socket.terminate())
    stream.send(Buffer.from('question'))
    expect((await peer.received(8)).toString()).toBe('question')
    await peer.send('answer')
    expect((await stream.bytes(6)).toString()).toBe('answer')
    expect((await other.api.request('DELETE', `${lease.path}?kill=true`)).status).toBe(200)
    expect(await stream.ended()).toEqual({ code: 1008, reason: 'lease_gone' })
  })

  test('answer under the hosts of all members, and pass on no headers that are too long', async () => {
    const { leased, other, owner, words } = await startFleetScene({ threads: 2 })
    const { lease } = await leased()
    const ask = async (path: string, host: string, more: string[] = [], method = 'GET', body = '') => {
      const head = [`${method} ${path} HTTP/1.1`, `host: ${host}`, `authorization: Bearer ${FLEET_TOKEN}`]
      const length = body === '' ? [] : ['content-type: application/json', `content-length: ${body.length}`]
      const text = [...head, ...more, ...length, 'connection: close', '', body].join('\r\n')
      return await sendRaw(other.port, text)
    }
    const body = JSON.stringify({ target: 'none', write: { text: 'x' }, read: 'line' })
    const status = async (host: string): Promise<number> =>
      (await ask('/v1/exchange', host, [], 'POST', body)).status
    expect(await status('third.example:7070')).toBe(403)
    words.hosts.add('third.example:7070')
    other.tellMembers()
    expect([await status('Third.example:7070'), await status('third.example:7071')]).toEqual([404, 403])
    words.hosts.clear()
    other.tellMembers()
    expect(await status('third.example:7070')).toBe(403)
    // As many as one instance takes from outside, and what it adds itself.
    const long = `x-long: ${'x'.repeat(8_000)}`
    expect((await ask(lease.path, `127.0.0.1:${other.port}`, [long])).status).toBe(200)
    expect(owner.log.requests.at(-1)).toMatchObject({ status: 200 })
  })
})
