/** Every close has one bound, whatever the peer does. */
import type { Socket } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { IoConnectionRig, type RigLease } from '../../support/io-connection-rig.ts'
import { PatternCheck, pattern } from '../../support/pattern-check.ts'
import { startTestServer } from '../../support/test-server.ts'
import { until } from '../../support/until.ts'

const BOUND_MS = 300
/** A peer that drips does so many times within the bound. */
const DRIP_MS = 15
/** Of a peer that ends. */
const SENT_BYTES = 131_072

function every(act: () => void): void {
  const timer = setInterval(act, DRIP_MS)
  onTestFinished(() => clearInterval(timer))
}

/** More than the kernel takes of a peer that does not read; the last of it stays in the ring. */
async function writeUntilStuck(rig: IoConnectionRig, lease: RigLease): Promise<void> {
  const bytes = Buffer.alloc(65_536)
  for (;;) {
    rig.write(lease, bytes)
    const taken = until('the kernel took it', () => lease.writes.free === 65_536, 100)
    if (await taken.then(() => false).catch(() => true)) return
  }
}

/** A connection that is stuck on its peer. */
async function stuck(serve: (peer: Socket) => void, tls: boolean): Promise<IoConnectionRig> {
  const server = await startTestServer(peer => peer.pause(), { tolerant: true, halfOpen: true, tls })
  const rig = new IoConnectionRig({ closeLingerMs: BOUND_MS })
  const peer = await rig.dial(server)
  await writeUntilStuck(rig, rig.lease())
  serve(peer)
  return rig
}

const PEERS: readonly (readonly [string, (peer: Socket) => void])[] = [
  ['reads nothing', () => {}],
  ['reads one byte now and then', peer => every(() => peer.read(1))],
  ['reads nothing and sends on and on', peer => every(() => peer.write('x'))],
  [
    'sends as much as it can',
    peer => {
      const pour = (): void => {
        while (!peer.destroyed && peer.write(Buffer.alloc(16_384)));
      }
      peer.on('drain', pour)
      pour()
    },
  ],
]

test.each(PEERS.flatMap(([name, serve]) => [false, true].map(tls => ({ name, serve, tls }))))(
  'Connection that was asked to close is gone within its bound, though its peer $name (tls $tls)',
  async ({ serve, tls }) => {
    const rig = await stuck(serve, tls)
    const startedMs = performance.now()
    rig.shut('close')
    expect(await rig.closed()).toBe('closed')
    const tookMs = performance.now() - startedMs
    expect(tookMs).toBeGreaterThan(BOUND_MS / 2)
    expect(tookMs).toBeLessThan(10 * BOUND_MS)
  },
)

test('Connection counts its bound from the first request to close', async () => {
  const rig = await stuck(peer => every(() => peer.write('x')), false)
  const startedMs = performance.now()
  rig.shut('close')
  // The lease ends, the bell rings, and it is asked again.
  rig.channel.advanceEpoch()
  every(() => rig.shut('close'))
  expect(await rig.closed()).toBe('closed')
  expect(performance.now() - startedMs).toBeLessThan(10 * BOUND_MS)
})

test('Connection that lingers ends at once when it is killed', async () => {
  const server = await startTestServer(peer => peer.pause(), { tolerant: true })
  const rig = new IoConnectionRig({ closeLingerMs: 60_000 })
  await rig.dial(server)
  await writeUntilStuck(rig, rig.lease())
  rig.shut('close')
  rig.shut('abort')
  expect(await rig.closed()).toBe('closed')
})

test('Connection that closes sends what was written before, to a peer that reads', async () => {
  const server = await startTestServer(() => {})
  const rig = new IoConnectionRig({ closeLingerMs: 60_000 })
  const peer = await rig.dial(server)
  const lease = rig.lease()
  let received = 0
  peer.on('data', bytes => (received += bytes.length))
  const written = lease.writes.fill(Buffer.alloc(60_000))
  lease.writes.publish(written)
  // All in one go, before the I/O worker looks.
  rig.channel.requestShut('close')
  rig.channel.advanceEpoch()
  rig.ring()
  expect(await rig.closed()).toBe('closed')
  await until('the peer saw the end', () => peer.destroyed)
  expect(received).toBe(60_000)
})

/** Takes all of what came. */
function readAll(rig: IoConnectionRig, { reads }: RigLease, check: PatternCheck): void {
  const bytes = Buffer.alloc(reads.readable)
  reads.copy(bytes)
  check.take(bytes)
  if (reads.consume(bytes.length)) rig.ring()
}

async function readToEnd(rig: IoConnectionRig, lease: RigLease, check: PatternCheck): Promise<void> {
  while (check.received < SENT_BYTES) {
    await until('more came', () => lease.reads.readable > 0)
    readAll(rig, lease, check)
  }
}

/** A TLS peer has ended, and more came before than the ring holds; `onEnd`: called when this is heard of. */
async function ended(onEnd: (rig: IoConnectionRig, lease: RigLease, check: PatternCheck) => void) {
  const server = await startTestServer(() => {}, { tls: true })
  const sizes = { inboundBytes: 16_384, outboundBytes: 65_536 }
  const rig = new IoConnectionRig({ closeLingerMs: BOUND_MS, sizes })
  const peer = await rig.dial(server)
  const lease = rig.lease()
  const check = new PatternCheck()
  rig.socket?.once('end', () => {
    expect(check.received + lease.reads.readable).toBeLessThan(SENT_BYTES)
    onEnd(rig, lease, check)
  })
  peer.end(pattern(0, SENT_BYTES))
  const hasEnded = (): boolean => rig.socket?.readableEnded === true
  while (!hasEnded()) {
    await until('more came', () => lease.reads.readable > 0 || hasEnded())
    if (!hasEnded()) readAll(rig, lease, check)
  }
  return { rig, lease, check }
}

/** Timers of one length are over in the order in which they began. */
function boundPassed(): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, BOUND_MS))
}

test('Connection whose TLS peer has ended gives all that came before, where room comes as it closes', async () => {
  const { rig, lease, check } = await ended(readAll)
  await readToEnd(rig, lease, check)
  expect([await rig.closed(), rig.channel.inEnd]).toEqual(['closed', 'closeNotify'])
})

test('Connection whose TLS peer has ended gives all that came before, however late', async () => {
  const { rig, lease, check } = await ended(() => {})
  await until('its socket was gone', () => rig.socket?.closed === true)
  await boundPassed()
  expect([rig.channel.closed, rig.channel.inEnd]).toEqual(['open', 'open'])
  await readToEnd(rig, lease, check)
  expect([await rig.closed(), rig.channel.inEnd]).toEqual(['closed', 'closeNotify'])
})

test('Connection whose TLS peer has ended is gone within its bound once its holder has asked to close', async () => {
  const { rig } = await ended(() => {})
  rig.shut('close')
  expect(await rig.closed()).toBe('closed')
})
