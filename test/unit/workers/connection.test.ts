/** The I/O worker's connection, with a real socket and a channel out of a slab. */
import { connect, Socket } from 'node:net'
import { expect, test } from 'vitest'
import { IoConnectionRig, type RigOptions } from '../../support/io-connection-rig.ts'
import { echo, startTestServer, type TestServerOptions } from '../../support/test-server.ts'
import { until } from '../../support/until.ts'

const IN_TAIL = 1
const EPOCH = 11

async function opened(
  serve: (socket: Socket) => void,
  options: RigOptions = {},
  serverOptions: TestServerOptions = {},
): Promise<{ rig: IoConnectionRig; peer: Socket }> {
  const server = await startTestServer(serve, serverOptions)
  const rig = new IoConnectionRig(options)
  const peer = await rig.dial(server)
  return { rig, peer }
}

test.each([0, 3])(
  'Connection on a channel that served %s before keeps its greeting for the first lease',
  async servedBefore => {
    const { rig } = await opened(socket => socket.write('220 hello\n'), { servedBefore })
    await until('it came', () => rig.channel.words.load(IN_TAIL) !== 0)
    const lease = rig.lease()
    expect(await rig.read(lease, 10)).toBe('220 hello\n')
    expect([rig.channel.inEnd, rig.faults]).toEqual(['open', []])
  },
)

test('Connection serves one lease after another, and each has its own bytes alone', async () => {
  const { rig } = await opened(echo)
  for (const text of ['first', 'second', 'third']) {
    const lease = rig.lease()
    rig.write(lease, text)
    expect(await rig.read(lease, text.length)).toBe(text)
    expect(await rig.release()).toBe('clean')
  }
})

test('Connection that is idle is poisoned by a byte', async () => {
  const { rig, peer } = await opened(() => {})
  rig.lease()
  expect(await rig.release()).toBe('clean')
  peer.write('!')
  expect([await rig.closed(), rig.channel.inEnd]).toEqual(['poisoned', 'poisoned'])
})

test('Connection checks a lease that began and ended between two looks', async () => {
  const { rig } = await opened(() => {}, { servedBefore: 1 })
  for (let lease = 0; lease < 3; lease++) {
    rig.channel.advanceEpoch()
    expect(await rig.release()).toBe('clean')
  }
})

test('Connection that was never leased sends nothing, and ends where its epoch jumps', async () => {
  const { rig, peer } = await opened(() => {})
  for (let step = 0; step < 3; step++) rig.channel.advanceEpoch()
  const tenure = rig.channel.leaseTenure(rig.channel.epoch)
  const writes = rig.channel.outboundProducer(tenure)
  writes.publish(writes.fill(Buffer.from('INJECTED')))
  rig.ring()
  let received = ''
  peer.on('data', bytes => (received += bytes))
  expect([await rig.closed(), rig.channel.inEnd, received]).toEqual(['corrupt', 'corrupt', ''])
  expect(rig.faults).toEqual([expect.objectContaining({ code: 'CHANNEL_CORRUPT' })])
})

test.each([2, 3, -1])(
  'Connection that serves a lease ends where its epoch moves by %s, and sends nothing of the next',
  async steps => {
    const { rig, peer } = await opened(() => {})
    const lease = rig.lease()
    let received = ''
    peer.on('data', bytes => (received += bytes))
    rig.write(lease, 'own')
    await until('its bytes were sent', () => received === 'own')
    rig.channel.words.store(EPOCH, lease.epoch + steps)
    const writes = rig.channel.outboundProducer(rig.channel.leaseTenure(lease.epoch + steps))
    writes.publish(writes.fill(Buffer.from('INJECTED')))
    rig.ring()
    expect([await rig.closed(), rig.channel.inEnd, received]).toEqual(['corrupt', 'corrupt', 'own'])
  },
)

test('Connection delivers nothing to a lease that it does not serve', async () => {
  const { rig, peer } = await opened(() => {})
  const lease = rig.lease()
  rig.ring()
  rig.channel.words.store(EPOCH, lease.epoch + 2)
  const next = rig.channel.inboundConsumer(rig.channel.leaseTenure(lease.epoch + 2))
  peer.write('for the lease before')
  expect(await rig.closed()).toBe('corrupt')
  expect(next.readable).toBe(0)
})

test('Connection that is checked ends where the next lease begins before the check is told', async () => {
  const { rig } = await opened(() => {})
  rig.lease()
  rig.ring()
  rig.channel.advanceEpoch()
  rig.ring()
  rig.lease()
  rig.ring()
  expect(await rig.closed()).toBe('corrupt')
})

test('Connection says that it is closed only when its socket is, and touches its channel no more', async () => {
  const { rig } = await opened(echo)
  rig.lease()
  rig.shut('abort')
  expect([rig.channel.closed, rig.channel.inEnd, rig.isGone]).toEqual(['open', 'closed', false])
  expect([await rig.closed(), rig.isGone, rig.socket?.destroyed]).toEqual(['closed', true, true])
  rig.channel.reset()
  rig.connection.rung()
  rig.connection.destroy('killed')
  expect([rig.channel.closed, rig.channel.inEnd]).toEqual(['open', 'open'])
})

test('Connection that was abandoned says nothing of its end', async () => {
  const { rig, peer } = await opened(() => {})
  rig.connection.abandon()
  await new Promise(resolve => peer.once('close', resolve).resume())
  await until('its socket is gone', () => rig.socket?.closed === true)
  expect([rig.channel.closed, rig.channel.inEnd, rig.isGone]).toEqual(['open', 'open', true])
})

test('Connection whose channel was given away tells so, and leaves the words of the next alone', async () => {
  const { rig } = await opened(() => {})
  rig.channel.reset()
  rig.connection.destroy()
  await until('its socket is gone', () => rig.isGone)
  expect([rig.channel.closed, rig.channel.inEnd]).toEqual(['open', 'open'])
  expect(rig.faults).toEqual([expect.objectContaining({ code: 'CHANNEL_CORRUPT' })])
})

test('Connection whose peer ends goes on to send, and closes when the holder does', async () => {
  const { rig, peer } = await opened(socket => socket.end('over'), {}, { halfOpen: true })
  const lease = rig.lease()
  expect(await rig.read(lease, 4)).toBe('over')
  await until('the end came', () => rig.channel.inEnd === 'fin')
  let received = ''
  peer.on('data', bytes => (received += bytes))
  rig.write(lease, 'to you')
  rig.shut('close')
  expect([await rig.closed(), received]).toEqual(['closed', 'to you'])
})

test('Connection that half closed is no good for another lease', async () => {
  const { rig } = await opened(() => {}, {}, { halfOpen: true, tolerant: true })
  rig.lease()
  rig.shut('finish')
  expect([await rig.release(), await rig.closed()]).toEqual(['half_closed', 'closed'])
})

/** Rings that cannot hold what comes. */
const small = { sizes: { inboundBytes: 64, outboundBytes: 64 } }

test('Connection whose peer is gone lets the holder take in what came before', async () => {
  const { rig } = await opened(socket => socket.end('x'.repeat(4_000)), small)
  const lease = rig.lease()
  await until('the ring is full', () => lease.reads.readable === 64)
  let text = ''
  while (text.length < 4_000) text += await rig.read(lease, Math.min(32, 4_000 - text.length))
  await until('the end came', () => rig.channel.inEnd === 'fin')
})

test('Connection whose socket is gone ends with its lease, and says that the rest is lost', async () => {
  const { rig, peer } = await opened(socket => socket.write('x'.repeat(4_000)), small)
  const lease = rig.lease()
  await until('there is more than the ring holds', () => rig.channel.words.load(IN_TAIL) === 64)
  peer.resetAndDestroy()
  await until('the peer is gone', () => peer.closed)
  // A socket that does not read hears of it when it writes.
  rig.write(lease, 'x')
  await until('the socket is gone', () => rig.socket?.closed === true)
  expect([rig.channel.closed, rig.channel.inEnd]).toEqual(['open', 'open'])
  rig.channel.advanceEpoch()
  rig.ring()
  expect([await rig.closed(), rig.channel.inEnd]).toEqual(['reset', 'closed'])
})

test('Connection that throws in a read ends alone, tells it, and says so to its holder', async () => {
  const { rig, peer } = await opened(() => {}, {}, { tolerant: true })
  rig.lease()
  rig.vitals.count = () => {
    throw new Error('the count failed')
  }
  peer.write('x')
  expect([await rig.closed(), rig.channel.inEnd]).toEqual(['corrupt', 'corrupt'])
  expect(rig.faults).toEqual([expect.objectContaining({ message: 'the count failed' })])
})

test('Connection that is hushed for TLS moves nothing, and ends with its lease', async () => {
  const { rig, peer } = await opened(() => {}, {}, { tolerant: true })
  const lease = rig.lease()
  expect(rig.connection.hush()).toMatchObject({ spill: Buffer.alloc(0) })
  let received = ''
  peer.on('data', bytes => (received += bytes))
  rig.write(lease, 'for TLS alone')
  const next = rig.channel.advanceEpoch()
  rig.ring()
  expect([await rig.closed(), rig.channel.checkedAt(next), received]).toEqual(['closed', 'error', ''])
})

test('Connection that is hushed when it is asked to close is gone within its bound', async () => {
  const { rig } = await opened(() => {}, { closeLingerMs: 100 }, { tolerant: true })
  rig.lease()
  rig.connection.hush()
  rig.shut('close')
  expect(await rig.closed()).toBe('closed')
})

test('Connection that is idle, or whose peer has ended, cannot be hushed', async () => {
  const { rig, peer } = await opened(() => {}, {}, { halfOpen: true })
  expect(rig.connection.hush()).toBeNull()
  rig.lease()
  peer.end()
  await until('the end came', () => rig.channel.inEnd === 'fin')
  expect(rig.connection.hush()).toBeNull()
  rig.shut('close')
  expect(await rig.closed()).toBe('closed')
})

test('Connection refuses a socket that closed before it was served, rather than wait for its last word', async () => {
  const server = await startTestServer(echo, { tolerant: true })
  const socket = connect({ host: server.host, port: server.port })
  socket.destroy()
  await until('it is closed', () => socket.closed)
  const rig = new IoConnectionRig()
  expect(() => rig.connection.open(socket)).toThrow(
    expect.objectContaining({ code: 'CONNECT_FAILED', reason: 'ECONNRESET' }),
  )
  rig.connection.abandon()
  expect(rig.isGone).toBe(true)
})

test('Connection whose TLS socket closed as its handshake was done is over at once', async () => {
  const { rig } = await opened(echo)
  rig.lease()
  rig.ring()
  expect(rig.connection.hush()).not.toBeNull()
  const secured = new Socket()
  secured.destroy()
  await until('it is closed', () => secured.closed)
  rig.connection.secured(secured)
  rig.socket?.destroy()
  expect([await rig.closed(), rig.isGone]).toEqual(['closed', true])
})
