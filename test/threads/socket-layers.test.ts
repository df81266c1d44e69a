/**
 * Other protocols on top of a net.Socket and of the duplex of a lease, side by side: what the layer above sees must be
 * the same, to the last byte. The peer is the same, and each step waits for the one before.
 */
import { once } from 'node:events'
import { Agent, createServer, type IncomingMessage, request } from 'node:http'
import {
  connect as connectHttp2,
  createServer as createHttp2Server,
  createSecureServer,
  type Http2ServerResponse,
} from 'node:http2'
import { connect as connectTcp, type Socket } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { connect as connectTls, TLSSocket } from 'node:tls'
import { Client } from 'undici'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { SocketDuplex } from '../../src/streams/adapters/socket-duplex.ts'
import { EventRecord } from '../support/event-record.ts'
import { watchLeaks } from '../support/leak-watch.ts'
import { poolCounts } from '../support/open-connections.ts'
import { openPool, targetOf } from '../support/pool-fixture.ts'
import { startTlsPeer } from '../support/start-tls-peer.ts'
import { startTestServer, type TestServer } from '../support/test-server.ts'
import { type TestCertificate, testCertificate } from '../support/tls-certs.ts'
import { until } from '../support/until.ts'

type Transport = Socket | SocketDuplex

/** A way to reach a port; `settled` resolves when nothing is left of the connections that it opened. */
type Way = { readonly open: () => Promise<Transport>; readonly settled: () => Promise<void> }

const BYTES = 200_000
const ROUNDS = 5
const EVENTS = ['end', 'finish', 'error', 'close'] as const

function bySocket(port: number): Way {
  return {
    open: async () => {
      const socket = connectTcp({ host: '127.0.0.1', port })
      await once(socket, 'connect')
      return socket
    },
    settled: async () => {},
  }
}

async function byLease(port: number): Promise<Way> {
  const pool = await openPool({ targets: { it: { host: '127.0.0.1', port, pool: { max: 1 } } } })
  return {
    open: async () => (await pool.lease('it')).toDuplex(),
    settled: () =>
      until('the lease ended', () => pool.stats().leases === 0 && poolCounts(pool).connections === 0),
  }
}

/** What a scene comes to over a socket, and over a lease. */
async function both<T>(server: { readonly port: number }, scene: (way: Way) => Promise<T>): Promise<[T, T]> {
  const onSocket = await scene(bySocket(server.port))
  const way = await byLease(server.port)
  const onLease = await scene(way)
  await way.settled()
  return [onSocket, onLease]
}

/** A server whose connections speak TLS one floor above, so that a test can reach the ground as well. */
async function startTlsPeers(
  certificate: TestCertificate,
  serve: (secure: TLSSocket, plain: Socket) => void,
): Promise<TestServer> {
  return await startTestServer(plain => {
    const secure = new TLSSocket(plain, { isServer: true, ...certificate })
    secure.on('error', () => plain.destroy())
    secure.once('secure', () => serve(secure, plain))
  })
}

async function secured(
  socket: Transport,
  certificate: TestCertificate,
  alpn: readonly string[] = [],
): Promise<TLSSocket> {
  const names = { servername: 'localhost', ca: certificate.cert }
  const secure = connectTls({ socket, ALPNProtocols: [...alpn], ...names })
  await once(secure, 'secureConnect')
  return secure
}

/**
 * The two directions go each at its own pace, so each is a list of its own. Whatever comes after 'close' is told too:
 * nothing but a read that a slow program has not come to yet.
 */
type Outcome = {
  readonly reading: readonly string[]
  readonly writing: readonly string[]
  readonly ending: readonly string[]
  readonly late: readonly string[]
}

function outcomeOf(list: readonly string[]): Outcome {
  const those = (from: readonly string[], names: RegExp): string[] => from.filter(word => names.test(word))
  const end = list.findIndex(word => word.startsWith('close'))
  return {
    reading: those(list, /^(data|read|end$)/),
    writing: those(list, /^(finish|ended|written)/),
    ending: those(list, /^(error|close)/),
    late: list.slice(end + 1).filter(word => !word.startsWith('read ')),
  }
}

type TlsStage = { readonly secure: TLSSocket; readonly record: EventRecord; readonly socket: Transport }

/** Plays a scene on TLS, a few times over; what the layer's events were each time. */
async function playTls(
  way: Way,
  certificate: TestCertificate,
  scene: (stage: TlsStage) => Promise<void>,
): Promise<Outcome[]> {
  const rounds: Outcome[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const socket = await way.open()
    const secure = await secured(socket, certificate)
    const record = new EventRecord().watch(secure, EVENTS)
    await scene({ secure, record, socket })
    await until('the layer closed', () => record.has('close')).catch(error => {
      throw new Error(`${(error as Error).message}, but ${record.list.join(', ')}`)
    })
    for (let turns = 0; turns < 10; turns++) await turn()
    rounds.push(outcomeOf(record.list))
    await way.settled()
  }
  return rounds
}

/** Takes a kilobyte in each fifth turn of the event loop: far more slowly than the bytes come. */
async function readSlowly(stream: NodeJS.ReadableStream): Promise<number> {
  let count = 0
  while (stream.readable) {
    const chunk = stream.read(1_024) ?? stream.read()
    count += chunk === null ? 0 : chunk.length
    for (let turns = 0; turns < 5; turns++) await turn()
  }
  return count
}

describe('TLS over the duplex of a lease does as over a net.Socket where', () => {
  test('the peer sends much and ends, and the program reads slowly', async () => {
    const certificate = await testCertificate()
    const server = await startTlsPeers(certificate, secure =>
      secure.once('data', () => secure.end(Buffer.alloc(BYTES))),
    )
    const [onSocket, onLease] = await both(server, way =>
      playTls(way, certificate, async ({ secure, record }) => {
        secure.write('GET')
        record.mark(`read ${await readSlowly(secure)}`)
      }),
    )
    expect(onSocket[0]?.reading).toContain(`read ${BYTES}`)
    expect(onLease).toEqual(onSocket)
  })

  test('the program ends first, and reads slowly what the peer answers', async () => {
    const certificate = await testCertificate()
    const server = await startTlsPeers(certificate, secure => {
      secure.resume()
      secure.once('end', () => secure.end(Buffer.alloc(BYTES)))
    })
    const [onSocket, onLease] = await both(server, way =>
      playTls(way, certificate, async ({ secure, record }) => {
        secure.end('GET')
        record.mark(`read ${await readSlowly(secure)}`)
      }),
    )
    expect(onSocket[0]?.reading).toContain(`read ${BYTES}`)
    expect(onLease).toEqual(onSocket)
  })

  test.each<[string, (secure: TLSSocket, plain: Socket) => void, (stage: TlsStage) => void]>([
    [
      'the program ends first',
      secure => secure.resume().once('end', () => secure.end('bye')),
      ({ secure, record }) => {
        record.read(secure)
        secure.end('hello', record.callback('ended'))
      },
    ],
    [
      'the peer ends first',
      secure => secure.resume().end('bye'),
      ({ secure, record }) => record.read(secure),
    ],
    ['the peer ends first, and nobody reads', secure => secure.resume().end(), () => {}],
    [
      'the peer ends the connection and not TLS',
      (secure, plain) => secure.resume().once('data', () => plain.end()),
      ({ secure, record }) => {
        record.read(secure)
        secure.write('hello')
      },
    ],
    ['the program destroys the layer', secure => secure.resume(), ({ secure }) => secure.destroy()],
    [
      'the program destroys the layer with an error',
      secure => secure.resume(),
      ({ secure }) => secure.destroy(Object.assign(new Error('enough'), { code: 'ENOUGH' })),
    ],
    [
      // What nobody reads comes before the peer's own end, which is seen or not.
      'the program ends the layer soon',
      secure => secure.resume().write('unread'),
      ({ secure }) => {
        secure.write('hello')
        secure.destroySoon()
      },
    ],
    [
      'the program writes after its end',
      secure => secure.resume(),
      ({ secure, record }) => {
        secure.end()
        secure.write('late', record.callback('written'))
      },
    ],
    [
      'the program writes much and ends',
      secure => {
        let count = 0
        secure.on('data', chunk => (count += chunk.length)).once('end', () => secure.end(`got ${count}`))
      },
      ({ secure, record }) => {
        secure.setEncoding('utf8').on('data', text => record.mark(`data ${text}`))
        secure.end(Buffer.alloc(5_000_000), record.callback('ended'))
      },
    ],
  ])('%s', async (_what, serve, scene) => {
    const certificate = await testCertificate()
    const server = await startTlsPeers(certificate, serve)
    const [onSocket, onLease] = await both(server, way =>
      playTls(way, certificate, async stage => scene(stage)),
    )
    expect(onLease).toEqual(onSocket)
    expect(onLease[0]?.late).toEqual([])
  })

  test('the connection is reset, but for hadError', async () => {
    const certificate = await testCertificate()
    const server = await startTlsPeers(certificate, (secure, plain) =>
      secure.once('data', () => plain.resetAndDestroy()),
    )
    const [onSocket, onLease] = await both(server, way =>
      playTls(way, certificate, async ({ secure, record }) => {
        record.read(secure)
        secure.write('hello')
      }),
    )
    // Node tells TLS of the error of a stream that it wraps, but destroys it for the stream's 'close'.
    expect(onSocket[0]?.ending).toEqual(['error ECONNRESET read', 'close true'])
    expect(onLease[0]?.ending).toEqual(['error ECONNRESET read', 'close false'])
  })

  test.each<[string, (socket: Transport, ready: () => void) => void]>([
    ['within the data that asked for it', (socket, ready) => socket.once('data', ready)],
    [
      'after its listeners for data were removed',
      (socket, ready) =>
        socket.on('data', () => {
          socket.removeAllListeners('data')
          setImmediate(ready)
        }),
    ],
  ])('a client starts it on a connection that has spoken plain text, %s', async (_what, listen) => {
    const { cert } = await testCertificate()
    const server = await startTlsPeer({
      secured: secure => secure.once('data', () => secure.end(Buffer.alloc(BYTES))),
    })
    const scene = async (way: Way): Promise<Outcome> => {
      const socket = await way.open()
      // Of the client itself, which stay.
      for (const event of ['error', 'close', 'end']) socket.on(event, () => {})
      const secure = await new Promise<TLSSocket>(resolve => {
        listen(socket, () => resolve(connectTls({ socket, servername: 'localhost', ca: cert })))
        socket.write('start TLS')
      })
      const record = new EventRecord().watch(secure, EVENTS)
      await once(secure, 'secureConnect')
      secure.write('GET')
      record.mark(`read ${await readSlowly(secure)}`)
      await until('the layer closed', () => record.has('close'))
      return outcomeOf(record.list)
    }
    const [onSocket, onLease] = await both(server, scene)
    expect(onSocket.reading).toContain(`read ${BYTES}`)
    expect(onLease).toEqual(onSocket)
  })

  test('TLS lies on TLS', async () => {
    const certificate = await testCertificate()
    const server = await startTlsPeers(certificate, outer => {
      const inner = new TLSSocket(outer, { isServer: true, ...certificate })
      inner.on('error', () => outer.destroy())
      inner.once('data', () => inner.end(Buffer.alloc(BYTES)))
    })
    const scene = async (way: Way): Promise<unknown> => {
      const outer = await secured(await way.open(), certificate)
      const inner = await secured(outer, certificate)
      const record = new EventRecord().watch(inner, EVENTS)
      inner.write('GET')
      record.mark(`read ${await readSlowly(inner)}`)
      await until('the inner layer closed', () => record.has('close'))
      await until('the outer layer closed', () => outer.closed)
      return outcomeOf(record.list)
    }
    const [onSocket, onLease] = await both(server, scene)
    expect(onSocket).toMatchObject({ reading: expect.arrayContaining([`read ${BYTES}`]) })
    expect(onLease).toEqual(onSocket)
  })
})

describe('TLS over the duplex of a lease that speaks TLS itself', () => {
  test('reads slowly all that the peer sent before it ended', async () => {
    const certificate = await testCertificate()
    const server = await startTestServer(
      outer => {
        const inner = new TLSSocket(outer, { isServer: true, ...certificate })
        inner.on('error', () => outer.destroy())
        inner.once('data', () => inner.end(Buffer.alloc(BYTES)))
      },
      { tls: certificate },
    )
    const pool = await openPool({ targets: { it: targetOf(server) } })
    const lease = await pool.lease('it')
    const inner = await secured(lease.toDuplex(), certificate)
    const record = new EventRecord().watch(inner, EVENTS)
    inner.write('GET')
    expect(await readSlowly(inner)).toBe(BYTES)
    await until('the layer closed', () => record.has('close'))
    const { reading, ending } = outcomeOf(record.list)
    // Where the peer was closed first, the layer's own farewell meets nobody, and nobody hears of it: as on a net.Socket.
    expect([reading, ending]).toEqual([['end'], ['close false']])
    expect(['released', 'reset']).toContain(await lease.ended)
  })
})

describe('HTTP over TLS over the duplex of a lease', () => {
  /** Answers each path with so many bytes; `/close` is part of the path where it closes afterwards. */
  async function startHttps(certificate: TestCertificate): Promise<TestServer> {
    const http = createServer((asked, answer) => {
      if (asked.url?.includes('close')) answer.setHeader('connection', 'close')
      answer.end(Buffer.alloc(BYTES))
    })
    return await startTlsPeers(certificate, secure => void http.emit('connection', secure))
  }

  /** The bytes of one answer, read slowly. */
  async function get(agent: Agent, path: string): Promise<number> {
    const call = request({ agent, path, host: 'localhost' })
    call.end()
    const [answer] = (await once(call, 'response')) as [IncomingMessage]
    return await readSlowly(answer)
  }

  test('goes on after each answer that keeps the connection, and closes after the one that does not', async () => {
    const certificate = await testCertificate()
    const server = await startHttps(certificate)
    const scene = async (way: Way): Promise<unknown> => {
      const counts: number[] = []
      for (let round = 0; round < ROUNDS; round++) {
        const secure = await secured(await way.open(), certificate)
        const record = new EventRecord().watch(secure, ['error', 'close'])
        const agent = new Agent({ keepAlive: true, maxSockets: 1 })
        agent.createConnection = () => secure
        for (const path of ['/1', '/2', '/close']) counts.push(await get(agent, path))
        await until('TLS closed', () => record.has('close'))
        expect(record.list).toEqual(['close false'])
        agent.destroy()
        await way.settled()
      }
      return counts
    }
    const [onSocket, onLease] = await both(server, scene)
    expect(onSocket).toEqual(Array.from({ length: 3 * ROUNDS }, () => BYTES))
    expect(onLease).toEqual(onSocket)
    expect(server.accepted).toBe(2 * ROUNDS)
  })

  test('is served to undici', async () => {
    const certificate = await testCertificate()
    const server = await startHttps(certificate)
    const way = await byLease(server.port)
    const client = new Client('https://localhost', {
      connect: (_options, done) => {
        way
          .open()
          .then(socket => secured(socket, certificate))
          .then(
            secure => done(null, secure),
            error => done(error, null),
          )
      },
    })
    for (const path of ['/1', '/close', '/2', '/close']) {
      const { body } = await client.request({ path, method: 'GET' })
      expect(await readSlowly(body)).toBe(BYTES)
    }
    expect(server.accepted).toBe(2)
    await client.close()
    await way.settled()
  })
})

describe('HTTP/2 over the duplex of a lease', () => {
  async function startHttp2(certificate: TestCertificate | null): Promise<{ readonly port: number }> {
    watchLeaks()
    const serve = (_asked: unknown, answer: Http2ServerResponse): void => void answer.end(Buffer.alloc(BYTES))
    const server = certificate ? createSecureServer(certificate, serve) : createHttp2Server(serve)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    onTestFinished(async () => {
      server.close()
      await once(server, 'close')
    })
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('the server has no port')
    return address
  }

  test.each([false, true])(
    'reads slowly what many streams send, and closes with the session (TLS: %s)',
    async isTls => {
      const certificate = await testCertificate()
      const server = await startHttp2(isTls ? certificate : null)
      const scene = async (way: Way): Promise<unknown> => {
        const socket = await way.open()
        const transport = isTls ? await secured(socket, certificate, ['h2']) : socket
        const session = connectHttp2('http://localhost', { createConnection: () => transport })
        const record = new EventRecord().watch(session, ['error', 'close'])
        const counts = await Promise.all(
          Array.from({ length: 4 }, async () => await readSlowly(session.request({ ':path': '/' }))),
        )
        session.close()
        await until('the session closed', () => record.has('close'))
        await until('the transport closed', () => transport.destroyed)
        return { counts, events: record.list }
      }
      const [onSocket, onLease] = await both(server, scene)
      expect(onSocket).toEqual({ counts: [BYTES, BYTES, BYTES, BYTES], events: ['close'] })
      expect(onLease).toEqual(onSocket)
    },
  )
})
