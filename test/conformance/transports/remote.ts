/**
 * A lease of a running service, by `connectPool`: bytes go over a WebSocket, through the service and its I/O worker. The
 * connection served another lease before.
 */
import { connectPool } from '../../../src/client/connect-pool.ts'
import type { RemotePool } from '../../../src/client/remote-pool.ts'
import type { LeaseOptions } from '../../../src/pool/lease/lease-options.ts'
import type { StreamReader } from '../../../src/streams/reading/stream-reader.ts'
import type { StreamWriter } from '../../../src/streams/writing/stream-writer.ts'
import { type ServiceFixture, startServiceFixture } from '../../support/service-fixture.ts'
import type { TransportName } from '../exemptions.ts'
import { onCaseFinished, runCase, type Surface } from '../surface.ts'
import type { Transport } from '../transport.ts'
import { PeerServer } from './peer-server.ts'
import { socketLink } from './socket-link.ts'
import { type Leased, warmLease } from './warm-lease.ts'

export const remote: Surface = remoteSurface('remote', false)
export const remoteTls: Surface = remoteSurface('remote tls', true)

type Running = {
  readonly server: PeerServer
  readonly service: ServiceFixture
  readonly undos: (() => Promise<void>)[]
}

function remoteSurface(name: TransportName, isTls: boolean): Surface {
  let running: Running | null = null
  return {
    name,
    start: async () => {
      running = await startRunning(isTls)
    },
    run: async entry => {
      if (running === null) throw new Error('it was not started')
      await runCase(entry, transportOf(running))
    },
    stop: async () => {
      for (const undo of running?.undos.toReversed() ?? []) await undo()
      await running?.server.close()
    },
  }
}

async function startRunning(isTls: boolean): Promise<Running> {
  const server = await PeerServer.start(isTls)
  const undos: (() => Promise<void>)[] = []
  const place = { host: '127.0.0.1', port: server.port, reuse: 'clean' }
  const tls = isTls ? { tls: { ca: './ca.pem', servername: 'localhost' } } : {}
  const service = await startServiceFixture({
    config: { targets: { it: { ...place, ...tls } }, egress: { allow: ['127.0.0.0/8'] } },
    files: isTls ? { 'ca.pem': server.ca } : {},
    finally: undo => void undos.push(undo),
  })
  return { server, service, undos }
}

function transportOf({ server, service: { url, token } }: Running): Transport {
  // One for each case, as it keeps connections to the service.
  const connect = (): RemotePool => {
    const pool = connectPool(url, token === null ? {} : { token })
    onCaseFinished(() => pool.close())
    return pool
  }
  return {
    open: async options => {
      const pool = connect()
      onCaseFinished(() => untilUnused(pool))
      onCaseFinished(() => server.clear())
      const { lease, served } = await warmLease(own => leaseOf(pool, own), server, options ?? {})
      return socketLink(lease.reader, lease.writer, served)
    },
    dial: async refusing => await connect().lease({ host: '127.0.0.1', port: refusing }),
  }
}

/** No case may leave a lease or a connection to the next one. */
async function untilUnused(pool: RemotePool): Promise<void> {
  for (;;) {
    const { leases, connections } = await pool.stats()
    if (leases + Object.values(connections).reduce((sum, count) => sum + count, 0) === 0) return
  }
}

/** What breaks a connection is told as asyncio tells it. */
async function leaseOf(
  pool: RemotePool,
  options: LeaseOptions = {},
): Promise<Leased<StreamReader, StreamWriter>> {
  const lease = await pool.lease('it', { onReset: 'raise', ...options })
  onCaseFinished(() => lease.discard())
  const { reader, writer, reused, connection } = lease
  return { reader, writer, reused, localPort: connection.localPort, release: () => lease.release() }
}
