/** Any instance answers for any lease and listener: what comes to the wrong one is answered by the one that holds it. */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { request as requestHttp } from 'node:http'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { LIMITS } from '../../src/base/limits.ts'
import { connectPool } from '../../src/client/connect-pool.ts'
import { jsonOf, problemOf } from '../support/api.ts'
import { FLEET_TOKEN, startFleetScene } from '../support/app-fleet.ts'
import { sendRaw } from '../support/raw-http.ts'
import { until } from '../support/until.ts'

const MIB = 1_048_576

const bearer = `authorization: Bearer ${FLEET_TOKEN}`

describe('a call for a lease of another instance', () => {
  test('is answered by its owner, whatever is asked', async () => {
    const { leased, owner, other } = await startFleetScene()
    const { lease, peer } = await leased()
    expect(jsonOf(await lease.look())).toMatchObject({ id: lease.view.id, state: 'leased' })
    expect(jsonOf(await lease.renew(50_000))).toMatchObject({ id: lease.view.id })
    const wrote = await lease.call('write', { body: 'question\n' })
    expect([wrote.status, jsonOf(wrote)]).toMatchObject([200, { accepted: 9 }])
    expect((await lease.call('writelines', { json: { data: ['a\n', 'b\n'] } })).status).toBe(200)
    expect((await peer.received(13)).toString()).toBe('question\na\nb\n')
    await peer.send('one\ntwo\nexact-until;frame\n{"a":1}\n')
    const line = await lease.call('readline')
    expect([line.status, line.text, line.headers.get('sockpool-offset')]).toEqual([200, 'one\n', '0'])
    expect(line.headers.get('content-type')).toBe('application/octet-stream')
    expect((await lease.call('read?n=4')).text).toBe('two\n')
    expect((await lease.call('readexactly?n=6')).text).toBe('exact-')
    expect((await lease.call('readuntil?separator=%3B')).text).toBe('until;')
    expect((await lease.call('readframe?frame=line')).text).toBe('frame\n')
    expect(jsonOf(await lease.call('parse', { json: { format: 'ndjson' } }))).toMatchObject({
      value: { a: 1 },
    })
    expect((await lease.call('drain')).status).toBe(204)
    const head = await other.api.request('HEAD', lease.path)
    expect([head.status, head.text, head.headers.get('content-type')]).toEqual([
      200,
      '',
      'application/json; charset=utf-8',
    ])
    expect(problemOf(await lease.call('readline?timeoutMs=x'))).toMatchObject({ code: 'invalid_request' })
    expect(problemOf(await lease.call('readline?timeoutMs=1'))).toMatchObject({ code: 'read_timeout' })
    expect(jsonOf(await lease.release('?discard=true'))).toEqual({ outcome: 'closed', reason: 'discarded' })
    const gone = await lease.look()
    expect(problemOf(gone)).toMatchObject({ status: 410, code: 'lease_gone', reason: 'released' })
    expect(new Set(other.results)).toEqual(new Set(['ok']))
    expect(owner.results).toEqual([])
  })

  test('is logged once by each, without its id, its token or what vouches for it', async () => {
    const { leased, owner, other } = await startFleetScene()
    const { lease } = await leased()
    await lease.look()
    await until('both have logged it', () => owner.log.requests.length === 2)
    const [line] = other.log.requests
    expect(line).toMatchObject({ route: '/v1/leases/:id', status: 200, tenant: 'ops', forwardedTo: 'owner' })
    expect(owner.log.requests.at(-1)).toMatchObject({ route: '/v1/leases/:id', status: 200, tenant: 'ops' })
    expect(owner.log.requests.at(-1)).not.toHaveProperty('forwardedTo')
    expect(other.log.requests).toHaveLength(1)
    for (const { log } of [owner, other])
      for (const secret of [lease.view.id, FLEET_TOKEN]) expect(log.text).not.toContain(secret)
  })

  test('costs a lease of its own no question', async () => {
    const { other } = await startFleetScene()
    const lease = await other.api.lease('peer')
    expect((await lease.look()).status).toBe(200)
    await lease.release('?discard=true')
    expect((await lease.look()).status).toBe(410)
    expect(other.fleet.asked).toBe(0)
  })

  test('carries large bodies both ways, and holds none of them', async () => {
    const { leased } = await startFleetScene()
    const { lease, peer } = await leased()
    const sent = randomBytes(4 * MIB)
    const chunks = [sent.subarray(0, MIB), sent.subarray(MIB)]
    const body = new ReadableStream<Uint8Array>({
      pull: controller => {
        const next = chunks.shift()
        if (next === undefined) controller.close()
        else controller.enqueue(Uint8Array.from(next))
      },
    })
    const written = lease.call('write', { body, headers: { 'content-type': 'application/octet-stream' } })
    const [answer] = await Promise.all([
      written,
      until('the peer has all of it', () => peer.heard >= sent.length, 60_000),
    ])
    expect(jsonOf(answer)).toMatchObject({ accepted: sent.length })
    expect((await peer.received(sent.length)).equals(sent)).toBe(true)
    const back = peer.send(sent)
    const read = await lease.call(`readexactly?n=${sent.length}`)
    await back
    expect(read.bytes.equals(sent)).toBe(true)
  })

  test('slows its client down where the peer takes nothing', async () => {
    const { leased, other } = await startFleetScene()
    const { lease, peer } = await leased()
    peer.socket.pause()
    const total = 64 * MIB
    const head = [`POST ${lease.path}/write HTTP/1.1`, `host: 127.0.0.1:${other.port}`, bearer]
    const socket = connect({ host: '127.0.0.1', port: other.port })
    onTestFinished(() => void socket.destroy())
    socket.on('error', () => {})
    socket.write([...head, `content-length: ${total}`, '', ''].join('\r\n'))
    const piece = Buffer.alloc(MIB)
    let taken = 0
    const send = (): void => {
      while (taken < total && socket.write(piece)) taken += piece.length
      taken += piece.length
    }
    socket.on('drain', send)
    send()
    let last = -1
    let quietSince = performance.now()
    await until(
      'nothing more was taken',
      () => {
        if (taken !== last) quietSince = performance.now()
        last = taken
        return performance.now() - quietSince > 500
      },
      20_000,
    )
    expect(taken).toBeLessThan(total / 2)
    let heard = 0
    peer.socket.removeAllListeners('data')
    peer.socket.on('data', chunk => {
      heard += chunk.length
    })
    peer.socket.resume()
    await until('all was taken', () => heard >= total, 60_000)
  })

  test('asks its client for the body only where its owner does', async () => {
    const { leased, other, words } = await startFleetScene()
    const { lease, peer } = await leased()
    const ask = (path: string, length: number) => {
      const sent = requestHttp({
        ...{ host: '127.0.0.1', port: other.port, method: 'POST', path, agent: false },
        headers: {
          authorization: `Bearer ${FLEET_TOKEN}`,
          expect: '100-continue',
          'content-length': length,
          'content-type': 'application/octet-stream',
        },
      })
      sent.on('error', () => {})
      sent.flushHeaders()
      onTestFinished(() => void sent.destroy())
      return sent
    }
    const asked = ask(`${lease.path}/write`, 5)
    await once(asked, 'continue')
    asked.end('hello')
    const [answer] = await once(asked, 'response')
    expect(answer.statusCode).toBe(200)
    answer.resume()
    expect((await peer.received(5)).toString()).toBe('hello')
    // Its owner knows of no such lease.
    words.owners.set('unknown', 'owner')
    const refused = ask('/v1/leases/unknown/write', 5)
    let isAsked = false
    refused.on('continue', () => {
      isAsked = true
    })
    const [refusal] = await once(refused, 'response')
    refusal.resume()
    expect([refusal.statusCode, isAsked]).toEqual([404, false])
  })

  test('ends with its client, and the other way round', async () => {
    const { leased, owner, other } = await startFleetScene()
    const { lease, peer } = await leased()
    const leaving = new AbortController()
    const read = lease.call('readline', { signal: leaving.signal })
    const operation = async () => jsonOf<{ idleMs: number }>(await owner.api.get(lease.path)).idleMs
    await lease.begun('readline')
    expect(await operation()).toBe(0)
    leaving.abort()
    await expect(read).rejects.toThrow()
    await lease.idle()
    await until('it is counted', () => other.results.includes('aborted'))
    // The lease is as it was.
    await peer.send('still here\n')
    expect((await lease.call('readline')).text).toBe('still here\n')
    const killed = lease.call('readline')
    await lease.begun('readline')
    expect(jsonOf(await other.api.request('DELETE', `${lease.path}?kill=true`))).toMatchObject({
      reason: 'killed',
    })
    expect(problemOf(await killed)).toMatchObject({ code: 'lease_gone', reason: 'killed' })
  })

  test('is cut where its answer breaks', async () => {
    const { leased, owner, other } = await startFleetScene()
    const { lease, peer } = await leased()
    const sent = requestHttp({
      ...{ host: '127.0.0.1', port: other.port, path: `${lease.path}/lines`, agent: false },
      headers: { authorization: `Bearer ${FLEET_TOKEN}`, accept: 'application/x-ndjson' },
    })
    sent.end()
    const [answer] = await once(sent, 'response')
    await peer.send('first\n')
    const [chunk] = await once(answer, 'data')
    expect(String(chunk)).toContain('first')
    const broken = once(answer, 'error')
    owner.app.server.closeAllConnections()
    expect((await broken)[0]).toMatchObject({ code: 'ECONNRESET' })
  })

  test('has the head of an answer before its first byte', async () => {
    const { leased, other } = await startFleetScene()
    const { lease } = await leased()
    const sent = requestHttp({
      ...{ host: '127.0.0.1', port: other.port, path: `${lease.path}/lines`, agent: false },
      headers: { authorization: `Bearer ${FLEET_TOKEN}`, accept: 'text/event-stream' },
    })
    sent.on('error', () => {})
    sent.end()
    const [answer] = await once(sent, 'response')
    expect([answer.statusCode, answer.headers['content-type']]).toEqual([200, 'text/event-stream'])
    sent.destroy()
  })

  test('leaves each header on its own side that concerns one connection alone', async () => {
    const { words, other } = await startFleetScene()
    const seen = createServer()
    seen.listen(0, '127.0.0.1')
    await once(seen, 'listening')
    onTestFinished(() => void seen.close())
    const { port } = seen.address() as AddressInfo
    words.origins.set('bare', `http://127.0.0.1:${port}`)
    words.owners.set('its', 'bare')
    const heard = once(seen, 'connection').then(async ([socket]) => {
      const [head] = await once(socket, 'data')
      const fields = ['connection: x-own', 'x-own: 1', 'keep-alive: timeout=9', 'sockpool-offset: 3']
      socket.end(['HTTP/1.1 200 OK', 'content-length: 2', ...fields, '', 'ok'].join('\r\n'))
      return String(head)
    })
    const headers = [
      `host: 127.0.0.1:${other.port}`,
      bearer,
      'connection: close, x-mine',
      'x-mine: 1',
      'te: trailers',
      'proxy-authorization: Basic eA==',
      'x-kept: 1',
      'traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    ]
    const answer = await sendRaw(
      other.port,
      ['GET /v1/leases/its?a=%20b HTTP/1.1', ...headers, '', ''].join('\r\n'),
    )
    const [first, ...sent] = (await heard).toLowerCase().split('\r\n')
    expect(first).toBe('get /v1/leases/its?a=%20b http/1.1')
    expect(sent).toEqual(
      expect.arrayContaining([
        `host: 127.0.0.1:${port}`,
        'sockpool-forwarded: other',
        'x-kept: 1',
        bearer.toLowerCase(),
        headers.at(-1),
      ]),
    )
    expect(sent.filter(line => /^(x-mine|te|proxy-authorization|sockpool-caller):/.test(line))).toEqual([])
    expect(answer.status).toBe(200)
    expect(answer.headers.get('sockpool-offset')).toBe('3')
    expect(answer.headers.has('x-own')).toBe(false)
    expect(answer.headers.get('connection')).toBe('close')
  })

  test('is refused where it came to is not let in, and its owner hears nothing', async () => {
    const { leased, owner, other } = await startFleetScene()
    const { lease } = await leased()
    const before = owner.log.requests.length
    expect(problemOf(await other.api.as('wrong').get(lease.path))).toMatchObject({ code: 'unauthorized' })
    expect(owner.log.requests).toHaveLength(before)
  })

  test('of a page that may call is answered to it, by the rules of the instance that it calls', async () => {
    const { leased, other } = await startFleetScene({ origins: ['http://console.example'] })
    const { lease } = await leased()
    const answer = await other.api.get(lease.path, { headers: { origin: 'http://console.example' } })
    expect([
      answer.status,
      answer.headers.get('access-control-allow-origin'),
      answer.headers.get('vary'),
    ]).toEqual([200, 'http://console.example', 'origin'])
    const read = await lease.call('readline?timeoutMs=1', { headers: { origin: 'http://console.example' } })
    expect(read.headers.get('access-control-allow-origin')).toBe('http://console.example')
    // Its own pages are of no origin that the owner knows.
    expect((await other.api.get(lease.path, { headers: { origin: other.url } })).status).toBe(200)
  })
})

describe('a listener of another instance', () => {
  test('is asked, accepts and ends through any', async () => {
    const { owner, other } = await startFleetScene({ mayListen: place => place })
    const made = await owner.api.post('/v1/listeners', { json: { host: '127.0.0.1', port: 0 } })
    const { id, port } = jsonOf<{ id: string; port: number }>(made)
    expect(id).toMatch(/^owner\./)
    const path = `/v1/listeners/${id}`
    expect(jsonOf(await other.api.get(path))).toMatchObject({ id, port })
    const client = connect({ host: '127.0.0.1', port })
    onTestFinished(() => void client.destroy())
    client.on('error', () => {})
    const accepted = await other.api.post(`${path}/accept`)
    expect([accepted.status, accepted.headers.get('location')]).toEqual([
      201,
      `/v1/leases/${jsonOf<{ id: string }>(accepted).id}`,
    ])
    expect(jsonOf(await other.api.request('DELETE', `${path}?clients=abort`))).toMatchObject({ leased: 1 })
    expect(problemOf(await other.api.get(path))).toMatchObject({ status: 404, code: 'listener_not_found' })
    owner.fleet.words.states.set('owner', 'lost')
    expect(problemOf(await other.api.get(path))).toMatchObject({
      ...{ status: 404, code: 'listener_not_found', reason: 'instance_lost' },
    })
  })
})

describe('a redirect', () => {
  test('is given to who asks for it, with the path and the query', async () => {
    const { leased, owner, other } = await startFleetScene()
    const { lease } = await leased()
    const ask = (method: string, path: string, more: string[] = [], body = '') =>
      sendRaw(
        other.port,
        [
          `${method} ${path} HTTP/1.1`,
          ...[`host: 127.0.0.1:${other.port}`, bearer, 'sockpool-redirect: 1', ...more, '', body],
        ].join('\r\n'),
      )
    const moved = await ask('POST', `${lease.path}/write?offset=0`, ['content-length: 100'], 'some')
    expect([moved.status, moved.headers.get('location'), moved.body]).toEqual([
      307,
      `${owner.url}${lease.path}/write?offset=0`,
      '',
    ])
    const key = ['sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==', 'sec-websocket-version: 13']
    const stream = await ask('GET', `${lease.path}/stream`, [
      'connection: upgrade',
      'upgrade: websocket',
      ...key,
    ])
    expect([stream.status, stream.headers.get('location')]).toEqual([307, `${owner.url}${lease.path}/stream`])
    const own = await owner.api.get(lease.path, { headers: { 'sockpool-redirect': '1' } })
    expect(own.status).toBe(200)
    expect(other.results).toEqual([])
  })
})

describe('an owner', () => {
  test('that is away for now is 503 with the time to come again, and one that is gone is 410', async () => {
    const { leased, words, other } = await startFleetScene()
    const { lease } = await leased()
    words.states.set('owner', 'unreachable')
    const away = await lease.call('write', { body: 'x' })
    expect(away.headers.get('retry-after')).toBe('7')
    expect(problemOf(away)).toMatchObject({
      ...{ status: 503, code: 'instance_unreachable', retryable: true, bytesAccepted: 0 },
    })
    words.states.set('owner', 'lost')
    expect(problemOf(await lease.look())).toMatchObject({
      ...{ status: 410, code: 'lease_gone', reason: 'instance_lost', retryable: false },
    })
    expect(other.results).toEqual(['instance_unreachable', 'lease_gone'])
  })

  test('that accepts no connection is unreachable, and nothing was sent', async () => {
    const { leased, owner, other } = await startFleetScene()
    const { lease } = await leased()
    await owner.cut()
    const body = new ReadableStream<Uint8Array>({
      pull: controller => controller.enqueue(new Uint8Array(65_536)),
    })
    const refused = await lease.call('write', {
      body,
      headers: { 'content-type': 'application/octet-stream' },
    })
    expect(problemOf(refused)).toMatchObject({
      code: 'instance_unreachable',
      retryable: true,
      bytesAccepted: 0,
    })
    expect(refused.headers.get('retry-after')).toBe('1')
    expect(other.results).toEqual(['instance_unreachable'])
  })

  test('that is silent at its door is unreachable after two seconds', async () => {
    const { words, other } = await startFleetScene()
    // A queue of one that is full: further connections are never accepted.
    const deaf = createServer()
    deaf.listen({ port: 0, host: '127.0.0.1', backlog: 0 })
    await once(deaf, 'listening')
    const { port } = deaf.address() as AddressInfo
    const secure = `https://127.0.0.1:${port}`
    words.origins.set('deaf', secure)
    words.owners.set('its', 'deaf')
    onTestFinished(() => void deaf.close())
    const sockets: { destroy(): void }[] = []
    deaf.on('connection', socket => sockets.push(socket))
    onTestFinished(() => {
      for (const socket of sockets) socket.destroy()
    })
    const startedMs = performance.now()
    const answer = await other.api.get('/v1/leases/its')
    expect(problemOf(answer)).toMatchObject({ code: 'instance_unreachable', retryable: true })
    expect(performance.now() - startedMs).toBeGreaterThan(LIMITS.forwardedConnectMs - 50)
  })

  test('that breaks off before it answers leaves open whether it has done what was asked', async () => {
    const { leased, owner } = await startFleetScene()
    const { lease } = await leased()
    const reading = lease.call('readline')
    await lease.begun('readline')
    owner.app.server.closeAllConnections()
    const problem = problemOf(await reading)
    expect(problem).toMatchObject({ status: 503, code: 'instance_unreachable', retryable: false })
    expect(problem).not.toHaveProperty('bytesAccepted')
  })

  test('that breaks off before it answers may be asked again where the call says at which byte it begins', async () => {
    const { leased, owner } = await startFleetScene()
    const { lease } = await leased()
    const reading = lease.call('readline?offset=0')
    await lease.begun('readline')
    owner.app.server.closeAllConnections()
    expect(problemOf(await reading)).toMatchObject({ code: 'instance_unreachable', retryable: true })
  })
})

describe('a call that was passed on once', () => {
  test('is not passed on again: who does not hold it says so', async () => {
    const { leased, words, owner, other } = await startFleetScene()
    const { lease } = await leased()
    const passedOn = { headers: { 'sockpool-forwarded': 'third' } }
    expect(problemOf(await other.api.get(lease.path, passedOn))).toMatchObject({ code: 'lease_not_found' })
    // Each takes the other for the owner.
    words.owners.set('ping-pong', 'owner')
    const { ownerOf } = owner.fleet
    owner.fleet.ownerOf = id =>
      id === 'ping-pong' ? { kind: 'other', name: 'other', origin: other.url } : ownerOf.call(owner.fleet, id)
    expect(problemOf(await other.api.get('/v1/leases/ping-pong'))).toMatchObject({ code: 'lease_not_found' })
    // Not known yet to be gone, as the earlier start of one that has just started.
    words.states.set('owner', 'unreachable')
    expect(problemOf(await other.api.get(lease.path, passedOn))).toMatchObject({
      code: 'instance_unreachable',
    })
    words.states.set('owner', 'lost')
    expect(problemOf(await other.api.get(lease.path, passedOn))).toMatchObject({ reason: 'instance_lost' })
  })
})

describe('the host of a member', () => {
  test('is one of this instance, for as long as the member is one', async () => {
    const { words, other } = await startFleetScene()
    const ask = async (host: string) => {
      const head = ['GET /v1/stats HTTP/1.1', `host: ${host}`, bearer, 'connection: close', '', '']
      return (await sendRaw(other.port, head.join('\r\n'))).status
    }
    expect(await ask('pod-7.example:7070')).toBe(403)
    words.hosts.add('pod-7.example:7070')
    expect(await ask('Pod-7.example:7070')).toBe(200)
    words.hosts.clear()
    expect(await ask('pod-7.example:7070')).toBe(403)
  })
})

describe('a pool over HTTP', () => {
  test('goes on with its lease once the instance that holds it can be reached again', async () => {
    const { upstream, words, owner, other } = await startFleetScene()
    // What stands before all instances, and has the pool call one and then the other.
    let to = owner.port
    const sockets = new Set<Socket>()
    const balancer = createServer(socket => {
      const onward = connect({ host: '127.0.0.1', port: to })
      for (const end of [socket, onward]) {
        sockets.add(end)
        end.on('error', () => {})
        end.on('close', () => sockets.delete(end))
      }
      socket.pipe(onward).pipe(socket)
    })
    balancer.listen(0, '127.0.0.1')
    await once(balancer, 'listening')
    const cut = (): void => {
      for (const socket of sockets) socket.destroy()
    }
    onTestFinished(() => {
      cut()
      balancer.close()
    })
    const { port } = balancer.address() as AddressInfo
    words.hosts.add(`127.0.0.1:${port}`)
    const retry = { attempts: 10, budgetMs: 30_000 }
    const pool = connectPool(`http://127.0.0.1:${port}`, { token: FLEET_TOKEN, retry })
    onTestFinished(() => pool.close())
    const lease = await pool.lease('peer')
    const peer = await upstream.from(lease.connection.localPort)
    await peer.send('one\n')
    expect(String(await lease.reader.readLine())).toBe('one\n')
    words.owners.set(lease.id, 'owner')
    words.states.set('owner', 'unreachable')
    to = other.port
    cut()
    const renewed = lease.renew(50_000)
    await until('it was told to come again', () => other.results.includes('instance_unreachable'))
    await peer.send('two\n')
    words.states.delete('owner')
    expect(await renewed).toBeInstanceOf(Date)
    expect(String(await lease.reader.readLine())).toBe('two\n')
    expect(await lease.release()).toEqual({ outcome: 'reused', reason: 'clean' })
    expect(other.results).toContain('ok')
  })
})
