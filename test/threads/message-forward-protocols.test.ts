/** Front doors of messages for what is not RESP: memcached with requests that have no answer, HTTP, and frames without words. */
import { describe, expect, test } from 'vitest'
import { type FrontDoor, hears, openFrontDoor } from '../support/front-door.ts'
import { type MultiplexPeer, type PeerSide, startMultiplexPeer } from '../support/multiplex-peer.ts'
import { openPool, targetOf } from '../support/pool-fixture.ts'
import { startTestServer } from '../support/test-server.ts'
import { until } from '../support/until.ts'

type Frame = Parameters<typeof startMultiplexPeer>[0]

async function open(
  frame: Frame,
  answer: (request: string, side: PeerSide) => string,
  more: object = {},
): Promise<FrontDoor & { readonly peer: MultiplexPeer }> {
  const peer = await startMultiplexPeer(frame, (request, side) => {
    side.socket.write(answer(String(request), side))
  })
  return { peer, ...(await openFrontDoor(targetOf(peer, { frame, ...more }), { timeoutMs: 5_000 })) }
}

/** A memcached that answers what is not quiet, and a hit of a quiet `mg`. */
function memcached(request: string): string {
  if (request === 'version\r\n') return 'VERSION 1.6.18\r\n'
  if (request.startsWith('set large')) return 'SERVER_ERROR object too large for cache\r\n'
  if (request.includes('noreply')) return ''
  if (request.startsWith('mg hit')) return `HD ${request.split(' ').at(-1)}`
  if (request.startsWith('mg miss')) return request.includes(' q') ? '' : 'EN\r\n'
  if (request.startsWith('mn')) return 'MN\r\n'
  return request.startsWith('set') ? 'STORED\r\n' : 'END\r\n'
}

describe('a memcached client of a front door', () => {
  test('hears what is answered, and of quiet requests nothing', async () => {
    const { client, peer, row } = await open('memcached', memcached)
    const one = client()
    one.send('set a 0 0 1\r\nx\r\nset b 0 0 1 noreply\r\ny\r\nget a\r\n')
    await hears(one, 'STORED\r\nEND\r\n')
    one.send('set c 0 0 1 noreply\r\nz\r\n')
    one.send('get c\r\n')
    await hears(one, 'STORED\r\nEND\r\nEND\r\n')
    await until('the connection lies idle', () => row().connections.idle >= 1)
    expect(row()).toMatchObject({ closed: {} })
    expect(peer.sides[0]?.requests.map(String)).toContain('version\r\n')
  })

  test('hears the answers that quiet requests have, in their places', async () => {
    const { client, row } = await open('memcached', memcached)
    const one = client()
    one.send('mg miss q\r\nmg hit q\r\nmn\r\n')
    await hears(one, 'HD q\r\nMN\r\n')
    one.send('set large 0 0 1 noreply\r\nx\r\nversion\r\nget a\r\n')
    await hears(one, 'HD q\r\nMN\r\nSERVER_ERROR object too large for cache\r\nVERSION 1.6.18\r\nEND\r\n')
    await until('the connection is given back', () => row().connections.leased === 0)
    const other = client()
    other.send('get b\r\n')
    await hears(other, 'END\r\n')
  })

  test('has quiet requests carried apart where the others share a connection', async () => {
    const { client, row } = await open('memcached', memcached, { multiplex: {} })
    const one = client()
    one.send('get a\r\nset b 0 0 1 noreply\r\ny\r\nget b\r\n')
    await hears(one, 'END\r\nEND\r\n')
    expect(row().connections).toMatchObject({ multiplexed: 1 })
    expect(row().opened).toBe(2)
  })

  test('quits without a word, and hears of a broken request in one', async () => {
    const { client } = await open('memcached', memcached)
    const [one, other] = [client(), client()]
    one.send('get a\r\nquit\r\nget b\r\n')
    await one.over()
    other.send('set a 0 0 x\r\n')
    await other.over()
    expect([one.text, other.text]).toEqual(['END\r\n', 'CLIENT_ERROR the request is malformed\r\n'])
  })

  test('hears SERVER_ERROR where there is no connection', async () => {
    const { client, pool } = await open('memcached', memcached, { pool: { max: 1, waitTimeout: 0 } })
    const one = client()
    await pool.use('it', async () => {
      one.send('get a\r\nget b\r\n')
      await hears(one, 'SERVER_ERROR pool_exhausted: No connection is free\r\n'.repeat(2))
    })
    one.send('get c\r\n')
    await until('it is served', () => one.text.endsWith('END\r\n'))
  })

  test('is pinned by what watches', async () => {
    const { client, stats } = await open('memcached', request => (request === 'watch\r\n' ? 'OK\r\n' : ''))
    const one = client()
    one.send('watch\r\n')
    await hears(one, 'OK\r\n')
    expect(stats()).toMatchObject({ pinned: 1, pins: { watch: 1 } })
  })
})

describe('an HTTP client of a front door', () => {
  const ok = (text: string): string => `HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`
  const get = (path: string, more = ''): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n${more}\r\n`
  const byPath = (request: string): string => {
    if (request.startsWith('HEAD')) return 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n'
    return ok(request.split(' ')[1] ?? '')
  }

  test('has its requests answered one by one on few connections', async () => {
    const { client, peer, row } = await open('http1', byPath)
    const [one, other] = [client(), client()]
    one.send(`${get('/a')}HEAD /h HTTP/1.1\r\nHost: a\r\n\r\n${get('/b')}`)
    await hears(one, `${ok('/a')}HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n${ok('/b')}`)
    await until('the connection lies idle', () => row().connections.idle >= 1)
    other.send(get('/c'))
    await hears(other, ok('/c'))
    expect(peer.accepted).toBe(1)
  })

  test('is disconnected behind an answer that ends its connection', async () => {
    const { client } = await open('http1', (request, { socket }) => {
      if (request.includes('/last')) socket.end('HTTP/1.1 200 OK\r\n\r\nto the end')
      return request.includes('/last') ? '' : byPath(request)
    })
    const one = client()
    one.send(get('/a') + get('/last') + get('/c'))
    await one.over()
    expect(one.text).toBe(`${ok('/a')}HTTP/1.1 200 OK\r\n\r\nto the end`)
  })

  test('is pinned by an upgrade', async () => {
    const { client, stats } = await open('http1', (_, { socket }) => {
      socket.removeAllListeners('data')
      socket.on('data', bytes => socket.write(`echo ${bytes}`))
      return 'HTTP/1.1 101 Switching Protocols\r\n\r\n'
    })
    const one = client()
    one.send(get('/chat', 'Connection: upgrade\r\nUpgrade: other\r\n'))
    await hears(one, 'HTTP/1.1 101 Switching Protocols\r\n\r\n')
    one.send('hi')
    await hears(one, 'HTTP/1.1 101 Switching Protocols\r\n\r\necho hi')
    expect(stats().pins).toEqual({ other: 1 })
  })

  test('hears of trouble by an answer that is its last', async () => {
    const { client, pool } = await open('http1', byPath, { pool: { max: 1, waitTimeout: 0 } })
    const [one, other] = [client(), client()]
    await pool.use('it', async () => {
      one.send(get('/a') + get('/b'))
      await one.over()
    })
    other.send('GET  / HTTP/1.1\r\n\r\n')
    await other.over()
    expect(one.text).toContain('HTTP/1.1 503 Service Unavailable\r\n')
    expect(one.text).toMatch(/Connection: close\r\n\r\npool_exhausted: No connection is free\n$/)
    expect(other.text).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/)
  })
})

describe('a client of a front door without words for trouble', () => {
  test('hears its answers, and is disconnected where one cannot be had', async () => {
    const { client } = await open('line', (request, { socket }) => {
      if (request === 'die\n') socket.destroy()
      return request
    })
    const one = client()
    one.send('a\nb\n')
    await hears(one, 'a\nb\n')
    one.send('c\ndie\nd\n')
    await one.over()
    expect(one.text.startsWith('a\nb\n')).toBe(true)
    expect(one.text).not.toContain('d\n')
  })

  test('has its ids in the answers where connections are shared by id', async () => {
    const { client } = await open('modbus', request => request, {
      multiplex: { match: { offset: 0, bytes: 2 } },
    })
    const one = client()
    const message = '\x00\x07\x00\x00\x00\x02\x01\x03'
    one.socket.write(Buffer.from(message.repeat(3), 'latin1'))
    await hears(one, message.repeat(3))
  })

  test.each([
    ['none', {}],
    ['smtp', { frame: 'smtp' }],
    ['postgres', { frame: 'postgres' }],
    ['delimiter', { frame: { delimiter: '\0' } }],
  ] as const)('is none where messages cannot be told apart: %s', async (_, more) => {
    const { host, port } = await startTestServer(() => {})
    const pool = await openPool({ targets: { it: { host, port, ...more } } })
    expect(() => pool.messages.open('it', {})).toThrow(expect.objectContaining({ code: 'INVALID_REQUEST' }))
    expect(() => pool.messages.open('nobody', {})).toThrow(
      expect.objectContaining({ code: 'TARGET_NOT_FOUND' }),
    )
  })
})
