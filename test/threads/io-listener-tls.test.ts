/** A listener that speaks TLS: who is in its handshake, who is served, and who is cut when. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { expect, onTestFinished, test } from 'vitest'
import { LIMITS } from '../../src/base/limits.ts'
import { clientCertificate } from '../support/client-certificate.ts'
import { RawIoWorker, type RawListener } from '../support/raw-io-worker.ts'
import { testCertificate } from '../support/tls-certs.ts'
import { until } from '../support/until.ts'

const certificate = await testCertificate()

function tlsClient({ address: { port } }: RawListener, options: object = {}): TLSSocket {
  const client = connectTls({
    host: '127.0.0.1',
    port,
    ca: certificate.cert,
    servername: 'localhost',
    ...options,
  })
  onTestFinished(() => void client.destroy())
  return client.on('error', () => {})
}

/** A client that connects, and says nothing of its own. */
async function mute({ address: { port } }: RawListener): Promise<Socket> {
  const client = connect(port, '127.0.0.1')
  onTestFinished(() => void client.destroy())
  client.on('error', () => {})
  await once(client, 'connect')
  return client.resume()
}

test('a TLS listener serves more clients than may be in their handshake, all of them there', async () => {
  const io = await RawIoWorker.start()
  const listener = await io.listen(certificate)
  const batch = 25
  for (let count = 0; count < LIMITS.incomingMax + 2 * batch; count += batch) {
    const clients = Array.from({ length: batch }, () => tlsClient(listener))
    const welcomes = clients.map(async client => (await once(client, 'data')).toString())
    for (let served = 0; served < batch; served++) (await listener.client()).write('welcome')
    expect(new Set(await Promise.all(welcomes))).toEqual(new Set(['welcome']))
  }
  expect(io.take('dropped')).toEqual([])
}, 60_000)

test('a TLS listener that closes leaves its clients alone, and cuts those in their handshake', async () => {
  const io = await RawIoWorker.start()
  const listener = await io.listen(certificate)
  const client = tlsClient(listener)
  const served = await listener.client()
  const silent = await mute(listener)
  await listener.close()
  await until('the handshake was cut', () => silent.closed)
  client.write('ping')
  expect(await served.read(4)).toBe('ping')
  served.write('pong')
  expect((await once(client, 'data')).toString()).toBe('pong')
  await served.abort()
})

test('a TLS listener cuts who says nothing at the handshake time, and then has room again', async () => {
  const io = await RawIoWorker.start()
  const listener = await io.listen(certificate, { handshakeTimeoutMs: 3_000 })
  const silent: Socket[] = []
  for (let index = 0; index < LIMITS.incomingMax; index++) silent.push(await mute(listener))
  const refused = await mute(listener)
  await until('the one beyond the bound was disconnected', () => refused.closed, 2_000)
  expect(silent.some(client => client.closed)).toBe(false)
  expect(await io.next('dropped')).toMatchObject({ listener: listener.number, clients: 1 })
  await until('the silent ones were cut', () => silent.every(client => client.closed), 10_000)
  tlsClient(listener)
  await listener.client()
}, 60_000)

test('a TLS listener counts the whole handshake, though the client drips', async () => {
  const io = await RawIoWorker.start()
  const listener = await io.listen(certificate, { handshakeTimeoutMs: 400 })
  const client = await mute(listener)
  // The head of a record that never gets whole, byte by byte.
  const hello = Buffer.alloc(16_000)
  Buffer.from('16030103e8', 'hex').copy(hello)
  let sent = 0
  const drip = setInterval(() => client.write(hello.subarray(sent, ++sent)), 30)
  onTestFinished(() => clearInterval(drip))
  await until('it was cut', () => client.closed, 3_000)
})

test('a TLS listener forgets who hangs up in the handshake, at once', async () => {
  const io = await RawIoWorker.start()
  const listener = await io.listen(certificate, { handshakeTimeoutMs: 60_000 })
  for (let index = 0; index < LIMITS.incomingMax + 50; index++) {
    const client = await mute(listener)
    client.end()
    await once(client, 'close')
  }
  tlsClient(listener)
  await listener.client()
  expect(io.take('dropped')).toEqual([])
}, 60_000)

test('a TLS listener resumes sessions on whichever handshake comes next', async () => {
  const io = await RawIoWorker.start()
  const listener = await io.listen(certificate)
  const first = Array.from({ length: 5 }, () => tlsClient(listener))
  const sessions = await Promise.all(first.map(async client => (await once(client, 'session'))[0] as Buffer))
  for (const session of sessions) {
    const again = tlsClient(listener, { session })
    await once(again, 'secureConnect')
    expect(again.isSessionReused()).toBe(true)
  }
})

test('a TLS listener serves those alone whose certificate it can verify', async () => {
  const [friend, stranger] = [await clientCertificate('friend'), await clientCertificate('stranger')]
  const io = await RawIoWorker.start()
  const listener = await io.listen({ ...certificate, ca: friend.cert, requestCert: true })
  const all = [stranger, friend, {}, friend, stranger].map(own => tlsClient(listener, own))
  for (let served = 0; served < 2; served++) (await listener.client()).write('welcome')
  const [, one, , other] = all
  for (const client of [one, other])
    expect((await once(client as TLSSocket, 'data')).toString()).toBe('welcome')
  await until('the others were cut', () => all.filter(client => client.closed).length === 3)
  expect(io.take('incoming')).toEqual([])
})

test('a TLS listener ends a client whose certificate is too large for a session ticket', async () => {
  // An error of TLS that node tells and does not end the socket for, in the very turn in which the handshake is done.
  const names = Array.from({ length: 2_500 }, (_, index) => ({
    kind: 'dns' as const,
    value: `name-${index}.of-a-large-certificate.example`,
  }))
  const large = await clientCertificate('large', names)
  const io = await RawIoWorker.start()
  const listener = await io.listen({ ...certificate, ca: large.cert, requestCert: true })
  const client = tlsClient(listener, large)
  await until('it was cut', () => client.closed)
})
