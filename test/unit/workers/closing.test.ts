/** Every close has one bound, whatever the peer does. */
import type { Socket } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { IoConnectionRig, type RigLease } from '../../support/io-connection-rig.ts'
import { startTestServer } from '../../support/test-server.ts'
import { until } from '../../support/until.ts'

const BOUND_MS = 300
/** A peer that drips does so many times within the bound. */
const DRIP_MS = 15

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
