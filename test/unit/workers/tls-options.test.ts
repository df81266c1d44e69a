import { createServer, type Socket } from 'node:net'
import { connect as connectTls, TLSSocket } from 'node:tls'
import { expect, onTestFinished, test } from 'vitest'
import { digestOf } from '../../../workers/io/options-digest.ts'
import { socketFacts } from '../../../workers/io/socket-facts.ts'
import { tlsClientOptions } from '../../../workers/io/tls-client.ts'
import { secureAsServer } from '../../../workers/io/tls-server.ts'
import { closed } from '../../support/server-fixture.ts'
import { testCertificate } from '../../support/tls-certs.ts'

const certificate = await testCertificate()

test('digestOf is the same for the same options, in any order, and tells others apart', () => {
  const { cert, key } = certificate
  expect(digestOf({ cert, key })).toBe(digestOf({ key, cert, ca: undefined }))
  const others = [
    { cert, key },
    { cert, key, requestCert: true },
    { cert, key: `${key}\n` },
    { cert: key, key: cert },
  ]
  expect(new Set(others.map(digestOf)).size).toBe(others.length)
})

test('digestOf shows nothing of a private key', () => {
  const digest = digestOf(certificate)
  expect(digest).toMatch(/^[\w+/]{43}=$/)
  expect(digest).not.toContain(certificate.key.slice(40, 60))
})

test('tlsClientOptions builds one context for the same certificates, whatever the server is called', () => {
  const one = tlsClientOptions({ ...certificate, servername: 'one' }, '')
  const other = tlsClientOptions({ ...certificate, servername: 'other' }, '')
  const another = tlsClientOptions({ ...certificate, minVersion: 'TLSv1.3' }, '')
  expect(one.secureContext).toBe(other.secureContext)
  expect(one.secureContext).not.toBe(another.secureContext)
})

/** A server that hands its connections to `serve`. */
async function served(serve: (socket: Socket) => void): Promise<number> {
  const server = createServer({ allowHalfOpen: true }, serve)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the server has no port')
  return address.port
}

test('secureAsServer gives each connection its own outcome, however many shake hands at once', async () => {
  const outcomes: Promise<[number, string]>[] = []
  const port = await served(socket => {
    socket.on('error', () => {})
    const shaken = secureAsServer(socket, certificate, 5_000).then(
      secured => {
        secured.on('error', () => {}).destroy()
        return `secured ${secured.remotePort ?? ''}`
      },
      error => `${error.code} ${error.reason}`,
    )
    const { remotePort = 0 } = socket
    outcomes.push(shaken.then(outcome => [remotePort, outcome]))
  })
  const clients = Array.from({ length: 60 }, (_, index) => {
    const speaks = { host: '127.0.0.1', port, ca: certificate.cert, servername: 'localhost' }
    const hates = { ...speaks, ca: undefined }
    const client = connectTls(index % 3 === 0 ? hates : speaks)
    client.on('error', () => {})
    return { client, expected: index % 3 === 0 ? /^TLS_FAILED/ : /^secured/ }
  })
  const ports = clients.map(
    ({ client, expected }) =>
      new Promise<[number, RegExp]>(resolve =>
        client.once('connect', () => resolve([client.localPort ?? 0, expected])),
      ),
  )
  const expectations = new Map(await Promise.all(ports))
  await Promise.all(clients.map(({ client }) => closed(client)))
  expect(outcomes).toHaveLength(clients.length)
  for (const [remotePort, outcome] of await Promise.all(outcomes))
    expect(outcome).toMatch(expectations.get(remotePort) ?? /no such client/)
})

test('secureAsServer fails for a client that ends in the middle of its handshake, at once', async () => {
  const { promise, resolve } = Promise.withResolvers<unknown>()
  const port = await served(socket => {
    socket.on('error', () => {})
    secureAsServer(socket, certificate, 60_000).catch(resolve)
  })
  const client = connectTls({ host: '127.0.0.1', port })
  client.on('error', () => {})
  client.once('connect', () => client.destroy())
  expect(await promise).toMatchObject({ code: 'TLS_FAILED', reason: 'ECONNRESET' })
})

test('socketFacts of a TLS socket that is gone are empty', async () => {
  const { promise, resolve } = Promise.withResolvers<TLSSocket>()
  const port = await served(socket => {
    socket.on('error', () => {})
    secureAsServer(socket, certificate, 5_000).then(resolve, () => {})
  })
  const client = connectTls({ host: '127.0.0.1', port, ca: certificate.cert, servername: 'localhost' })
  client.on('error', () => {})
  const secured = await promise
  expect(socketFacts(secured)).toMatchObject({ tls: { protocol: 'TLSv1.3', authorized: false } })
  secured.destroy()
  await closed(client)
  for (const socket of [secured, client, new TLSSocket(undefined as unknown as Socket)])
    expect(socketFacts(socket).tls).toMatchObject({
      cipher: expect.any(String),
      protocol: expect.any(String),
    })
})
