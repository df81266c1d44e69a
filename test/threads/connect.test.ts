/** The Sockets API of WinterTC over real connections. */
import type { Socket as TcpSocket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { beforeAll, describe, expect, test } from 'vitest'
import {
  connect,
  type Socket,
  type SocketAddress,
  SocketError,
  type SocketOptions,
} from '../../src/library/connect.ts'
import { collected, collectUntil, warningsNamed } from '../support/collect-garbage.ts'
import { echo, refusingPort, startTestServer } from '../support/test-server.ts'
import { testCertificate } from '../support/tls-certs.ts'
import { until } from '../support/until.ts'

const text = (value: Uint8Array | undefined): string => Buffer.from(value ?? []).toString()

/** What the thrown or rejecting thing is. */
async function failure(promise: Promise<unknown>): Promise<unknown> {
  return await promise.then(
    () => 'no failure',
    (error: unknown) => error,
  )
}

// The one default pool outlives each test; its threads are there before the first looks for what is left behind.
beforeAll(async () => {
  await failure(connect(`127.0.0.1:${await refusingPort()}`).closed)
})

describe('connect', () => {
  test('answers at once with streams that wait for the connection', async () => {
    const server = await startTestServer(echo)
    const socket = connect({ hostname: '127.0.0.1', port: server.port })
    expect(socket).toMatchObject({ secureTransport: 'off', upgraded: false })
    const writer = socket.writable.getWriter()
    const written = writer.write(new TextEncoder().encode('hello'))
    const reader = socket.readable.getReader()
    expect(text((await reader.read()).value)).toBe('hello')
    await written
    const info = await socket.opened
    expect(info).toMatchObject({ remoteAddress: `127.0.0.1:${server.port}`, alpn: null })
    expect(info.localAddress).toMatch(/^127\.0\.0\.1:\d+$/)
    const closed = socket.close()
    expect(socket.close()).toBe(closed)
    expect(closed).toBe(socket.closed)
    await closed
    expect((await reader.read()).done).toBe(true)
    await expect(writer.write('late')).rejects.toThrow()
  })

  test.each<[string, SocketAddress, SocketOptions?]>([
    ['no port', 'localhost'],
    ['a port of 0', 'localhost:0'],
    ['a port too high', { hostname: 'localhost', port: 65_536 }],
    ['no host', ':80'],
    ['an IPv6 address without brackets', '::1:80'],
    ['sni without TLS', 'localhost:80', { sni: 'localhost' }],
    ['alpn without TLS', 'localhost:80', { secureTransport: 'off', alpn: ['h2'] }],
    ['another transport', 'localhost:80', { secureTransport: 'maybe' as 'on' }],
  ])('throws a SocketError for %s', (_what, address, options) => {
    expect(() => connect(address, options)).toThrow(SocketError)
    expect(() => connect(address, options)).toThrow(/^SocketError: /)
    expect(() => connect(address, options)).toThrow(TypeError)
  })

  test('rejects opened and closed, and fails the streams, where nobody listens', async () => {
    const socket = connect(`127.0.0.1:${await refusingPort()}`)
    const failures = await Promise.all([
      failure(socket.opened),
      failure(socket.closed),
      failure(socket.readable.getReader().read()),
      failure(socket.writable.getWriter().write('x')),
    ])
    for (const error of failures) {
      expect(error).toBeInstanceOf(SocketError)
      expect(error).toMatchObject({ name: 'SocketError', cause: { code: 'CONNECT_REFUSED' } })
    }
  })

  test('speaks TLS, and tells the protocol that was agreed on', async () => {
    const server = await startTestServer(echo, { tls: true })
    const socket = connect(`127.0.0.1:${server.port}`, {
      secureTransport: 'on',
      sni: 'localhost',
      ca: server.ca,
    })
    await socket.writable.getWriter().write('secret')
    expect(text((await socket.readable.getReader().read()).value)).toBe('secret')
    expect(await socket.opened).toMatchObject({ alpn: null })
    expect(() => socket.startTls()).toThrow(SocketError)
    await socket.close()
  })

  test('rejects opened where the certificate is not to be trusted', async () => {
    const server = await startTestServer(echo, { tls: true, tolerant: true })
    const socket = connect(`127.0.0.1:${server.port}`, { secureTransport: 'on', sni: 'localhost' })
    expect(await failure(socket.opened)).toMatchObject({ cause: { code: 'TLS_FAILED' } })
  })
})

describe('Socket.close', () => {
  test('gives a pending opened its reason, and ends the dial', async () => {
    const server = await startTestServer(echo, { tolerant: true })
    const socket = connect(`127.0.0.1:${server.port}`)
    const reason = new Error('changed my mind')
    const closed = socket.close(reason)
    expect(await failure(socket.opened)).toBe(reason)
    expect(await failure(socket.readable.getReader().read())).toBe(reason)
    await closed
  })

  test('still sends what was written', async () => {
    const server = await startTestServer(() => {})
    const socket = connect(`127.0.0.1:${server.port}`)
    await socket.writable.getWriter().write('last words')
    void socket.close()
    const received: Buffer[] = []
    for await (const chunk of await server.connection()) received.push(chunk as Buffer)
    expect(String(Buffer.concat(received))).toBe('last words')
    await socket.closed
  })
})

describe('the peer of a Socket', () => {
  test('closes it by its FIN once that is read', async () => {
    const server = await startTestServer(peer => void peer.end('bye'), { halfOpen: true })
    const socket = connect(`127.0.0.1:${server.port}`)
    const reader = socket.readable.getReader()
    expect(text((await reader.read()).value)).toBe('bye')
    expect((await reader.read()).done).toBe(true)
    await socket.closed
  })

  test('leaves the writable open with allowHalfOpen', async () => {
    const server = await startTestServer(peer => void peer.end('bye'), { halfOpen: true })
    const socket = connect(`127.0.0.1:${server.port}`, { allowHalfOpen: true })
    const reader = socket.readable.getReader()
    while (!(await reader.read()).done);
    const writer = socket.writable.getWriter()
    await writer.write('still here')
    await writer.close()
    const received: Buffer[] = []
    for await (const chunk of await server.connection()) received.push(chunk as Buffer)
    expect(String(Buffer.concat(received))).toBe('still here')
    await socket.closed
  })

  test('fails the streams by its reset', async () => {
    const server = await startTestServer(peer => peer.once('data', () => peer.resetAndDestroy()))
    const socket = connect(`127.0.0.1:${server.port}`)
    await socket.writable.getWriter().write('x')
    const error = await failure(socket.readable.getReader().read())
    expect(error).toBeInstanceOf(SocketError)
    expect(error).toMatchObject({ cause: { code: 'CONNECTION_RESET' } })
    await socket.closed
  })
})

describe('a dropped Socket', () => {
  test.each<[string, string, (socket: Socket) => unknown]>([
    ['that is open', '', () => {}],
    ['that was written to', 'last words', socket => socket.writable.getWriter().write('last words')],
    ['of which one stream is done', '', socket => socket.readable.cancel()],
  ])('%s is closed with a warning, after what was written', async (_what, sent, use) => {
    const warnings = warningsNamed('ResourceWarning')
    let text = ''
    const server = await startTestServer(peer => peer.on('data', bytes => (text += bytes)))
    const drop = async (): Promise<Promise<void>[]> => {
      const socket = connect(`127.0.0.1:${server.port}`)
      await socket.opened
      await use(socket)
      // In a list: an async function would wait for it.
      return [socket.closed]
    }
    const [closed] = await drop()
    await collectUntil('it was told', () => warnings.length > 0)
    expect(warnings).toEqual([expect.stringMatching(/^unclosed <StreamWriter open \d+ bytes>$/)])
    await closed
    await until('the peer saw it', () => server.sockets.size === 0)
    expect(text).toBe(sent)
  })

  test('is left alone while one of its streams is held', async () => {
    const warnings = warningsNamed('ResourceWarning')
    const server = await startTestServer(echo)
    const keep = async (): Promise<readonly [ReadableStream, Promise<void>]> => {
      const { readable, opened, closed } = connect(`127.0.0.1:${server.port}`)
      await opened
      return [readable, closed]
    }
    const [readable, closed] = await keep()
    await collected()
    expect(warnings).toEqual([])
    for (const peer of server.sockets) peer.end()
    expect((await readable.getReader().read()).done).toBe(true)
    await closed
  })
})

describe('Socket.startTls', () => {
  /** Plain at first; `STARTTLS` is answered and turns it. */
  const turning = (key: string, cert: string) => (plain: TcpSocket) => {
    plain.once('data', () => {
      plain.write('go ahead\n')
      const secure = new TLSSocket(plain, { isServer: true, key, cert })
      secure.on('error', () => plain.destroy())
      secure.pipe(secure)
    })
  }

  test('hands the connection to a new socket that speaks TLS', async () => {
    const { key, cert } = await testCertificate()
    const server = await startTestServer(turning(key, cert))
    const plain = connect(`127.0.0.1:${server.port}`, {
      secureTransport: 'starttls',
      sni: 'localhost',
      ca: cert,
    })
    await plain.writable.getWriter().write('STARTTLS\n')
    const reader = plain.readable.getReader()
    expect(text((await reader.read()).value)).toBe('go ahead\n')
    const secure = plain.startTls()
    expect(plain.upgraded).toBe(true)
    expect(secure).toMatchObject({ upgraded: false, secureTransport: 'on' })
    await plain.closed
    expect((await reader.read()).done).toBe(true)
    await secure.opened
    await secure.writable.getWriter().write('secret')
    expect(text((await secure.readable.getReader().read()).value)).toBe('secret')
    expect(() => plain.startTls()).toThrow(/already/)
    expect(() => secure.startTls()).toThrow(SocketError)
    await secure.close()
  })

  test('rejects opened of the new socket where the handshake fails', async () => {
    const { key, cert } = await testCertificate()
    const server = await startTestServer(turning(key, cert), { tolerant: true })
    const plain = connect(`127.0.0.1:${server.port}`, { secureTransport: 'starttls', sni: 'localhost' })
    await plain.writable.getWriter().write('STARTTLS\n')
    await plain.readable.getReader().read()
    const secure = plain.startTls()
    expect(await failure(secure.opened)).toMatchObject({ cause: { code: 'TLS_FAILED' } })
    expect(await failure(secure.closed)).toBeInstanceOf(SocketError)
  })

  test('is refused on a socket that was not made for it', () => {
    const socket = connect('127.0.0.1:9')
    expect(() => socket.startTls()).toThrow(/^SocketError: secureTransport/)
    void socket.close()
  })
})
