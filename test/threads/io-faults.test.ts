/** A fault stays where it is: what breaks one connection in an I/O worker leaves the others, and the thread, alone. */
import type { Socket } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { type RawConnection, RawIoWorker } from '../support/raw-io-worker.ts'
import { echo, startTestServer, type TestServer } from '../support/test-server.ts'
import { testCertificate } from '../support/tls-certs.ts'
import { until } from '../support/until.ts'

/** The channel's words, by line. */
const WORDS = [
  'inHead',
  'inTail',
  'inWant',
  'inRoom',
  'inEnd',
  'outHead',
  'outTail',
  'outWant',
  'outRoom',
  'outEnd',
  'closed',
  'epoch',
  'checked',
  'generation',
  'holder',
  'inWide',
] as const

/** Words that the I/O worker reads at every look: garbage in them cannot be passed over. */
const READ_BY_WORKER: ReadonlySet<string> = new Set(['outTail', 'outEnd', 'epoch', 'generation'])

/** Odd values that none of those can have, and some that they might: then the connection may go on. */
const IMPOSSIBLE = [-1, 2 ** 30 + 1, 2 ** 31 - 1, -(2 ** 31) + 1]
const POSSIBLE = [1, 7, 12_345]

/** Exchanges bytes until told to stop; the count, and what went wrong. */
function exchangeOn(connection: RawConnection): { stop: () => Promise<number> } {
  let isOn = true
  const run = async (): Promise<number> => {
    let rounds = 0
    while (isOn) {
      connection.write('ping')
      expect(await connection.read(4)).toBe('ping')
      rounds++
    }
    return rounds
  }
  const running = run()
  running.catch(() => {})
  return {
    stop: () => {
      isOn = false
      return running
    },
  }
}

/** Opens a connection, and overwrites one of its words; the peer's end. */
async function spoil(io: RawIoWorker, server: TestServer, word: number, garbage: number): Promise<Socket> {
  const peer = server.connection()
  const victim = await io.dial(server.port)
  const socket = await peer
  victim.write('x')
  expect(await victim.read(1)).toBe('x')
  victim.channel.words.store(word, garbage)
  // Everything that makes the worker look: the bell, and bytes from the peer.
  victim.ring()
  socket.write('more')
  victim.ring()
  return socket
}

test.each(WORDS.map((name, word) => ({ name, word })))(
  'an I/O worker whose channel has garbage in $name ends that connection at the most',
  async ({ name, word }) => {
    const io = await RawIoWorker.start()
    const server = await startTestServer(echo, { tolerant: true })
    const peer = server.connection()
    const bystander = await io.dial(server.port)
    await peer
    const exchange = exchangeOn(bystander)
    for (const garbage of [...IMPOSSIBLE, ...POSSIBLE]) {
      const socket = await spoil(io, server, word, garbage)
      if (READ_BY_WORKER.has(name) && !POSSIBLE.includes(garbage))
        await until('the peer was disconnected', () => socket.destroyed)
    }
    expect(await exchange.stop()).toBeGreaterThan(0)
    const next = await io.dial(server.port)
    next.write('alive')
    expect(await next.read(5)).toBe('alive')
    expect(io.exitCode).toBeNull()
  },
)

test('an I/O worker tells a fault with the connection that it ended', async () => {
  const io = await RawIoWorker.start()
  const server = await startTestServer(echo, { tolerant: true })
  const victim = await io.dial(server.port)
  const { number, generation } = victim.channel
  const OUT_TAIL = 6
  victim.channel.words.store(OUT_TAIL, 1_234_567)
  victim.ring()
  expect(await io.next('fault')).toMatchObject({
    channel: number,
    generation,
    error: { code: 'CHANNEL_CORRUPT', message: expect.stringContaining('1234567') },
  })
  expect([await victim.closed(), victim.channel.inEnd]).toEqual(['corrupt', 'corrupt'])
  // Not before its socket was gone.
  await until('the peer saw it', () => server.sockets.size === 0)
})

test('an I/O worker that cannot obey a message says so, and goes on', async () => {
  const io = await RawIoWorker.start()
  const server = await startTestServer(echo, { tolerant: true })
  const channel = io.slabs.take()
  const { memory, generation } = channel
  const broken = { ...memory, control: -4 }
  const answer = { channel: memory.number, generation, error: { code: 'INTERNAL' } }
  io.tell({ kind: 'open', memory: broken, generation, dial: {} as never, connectTimeoutMs: 1_000 })
  expect(await io.next('failed')).toMatchObject(answer)
  io.tell({ kind: 'open', memory, generation, dial: null as never, connectTimeoutMs: 1_000 })
  expect(await io.next('failed')).toMatchObject({ channel: memory.number, generation })
  io.tell({ kind: 'adopt', listener: 99, incoming: 1, memory, generation })
  expect(await io.next('failed')).toMatchObject({ error: { code: 'CONNECTION_RESET' } })
  io.tell({ kind: 'listen', listener: 98, spec: {} as never })
  expect(await io.next('unlistened')).toMatchObject({ listener: 98, error: { code: 'INTERNAL' } })
  io.tell({ kind: 'hush', channel: 99, generation: 1 })
  expect(await io.next('unsecured')).toMatchObject({ channel: 99, error: { code: 'CONNECTION_RESET' } })
  const as = { side: 'client', tls: {} } as const
  io.tell({ kind: 'secure', channel: 99, generation: 1, as, timeoutMs: 1_000 })
  expect(await io.next('unsecured')).toMatchObject({ channel: 99, error: { code: 'CONNECTION_RESET' } })
  io.tell({ kind: 'denied', denied: null as never })
  expect(await io.next('mishandled')).toMatchObject({ message: 'denied', error: { code: 'INTERNAL' } })
  const next = await io.dial(server.port)
  next.write('alive')
  expect(await next.read(5)).toBe('alive')
})

test('an I/O worker survives a client that is adopted broken', async () => {
  const io = await RawIoWorker.start()
  const listener = await io.listen(null)
  const certificate = await testCertificate()
  const server = await startTestServer(echo, { tolerant: true, tls: certificate })
  // The listener's client is another connection of the same worker.
  const client = await io.dial(listener.address.port)
  const { incoming } = await io.next('incoming')
  const { memory, generation } = io.slabs.take()
  io.tell({
    kind: 'adopt',
    listener: listener.number,
    incoming,
    memory: { ...memory, control: -4 },
    generation,
  })
  expect(await io.next('failed')).toMatchObject({ channel: memory.number, error: { code: 'INTERNAL' } })
  await until(
    'the client was disconnected',
    () => client.channel.inEnd === 'fin' || client.channel.inEnd === 'reset',
  )
  const next = await io.dial(server.port, { tls: { ca: certificate.cert, servername: 'localhost' } })
  next.write('alive')
  expect(await next.read(5)).toBe('alive')
  onTestFinished(() => client.abort().catch(() => {}))
})
