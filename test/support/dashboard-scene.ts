/** A service with something to see: targets in several states, callers at work, leases that are held. */

import type { AddressInfo } from 'node:net'
import { createServer, type Server } from 'node:net'
import { hashToken } from '../../src/config/token-file.ts'
import { Api } from './api.ts'
import { type ServiceFixture, startServiceFixture } from './service-fixture.ts'

export const OPS_TOKEN = 'ops-of-the-scene'
export const SHOP_TOKEN = 'shop-of-the-scene'

export type DashboardScene = {
  readonly service: ServiceFixture
  /** The caller that is no admin. */
  readonly shop: Api
  /** Has callers at work until the scene ends: `count` of them. */
  work(count: number): void
}

export type SceneOptions = {
  readonly dashboard: string
  readonly finally: (undo: () => Promise<void>) => void
  /** Milliseconds that a peer takes for an answer; default: at once. */
  readonly answerMs?: () => number
  /** Default: any free one. */
  readonly port?: number
}

export async function startDashboardScene(options: SceneOptions): Promise<DashboardScene> {
  const { dashboard, finally: whenDone, answerMs = () => 0, port = 0 } = options
  const peer = await startPeer(answerMs)
  whenDone(() => closePeer(peer.server))
  const place = { host: '127.0.0.1', port: peer.port, frame: 'line' }
  const service = await startServiceFixture({
    dashboard,
    finally: whenDone,
    config: {
      listen: `127.0.0.1:${port}`,
      limits: { drainTimeout: '1s' },
      auth: {
        tokens: [
          { name: 'ops', sha256: hashToken(OPS_TOKEN), targets: ['*'], admin: true },
          { name: 'shop', sha256: hashToken(SHOP_TOKEN), targets: ['orders', 'cache'] },
        ],
      },
      targets: {
        orders: { ...place, pool: { min: 1, max: 6 } },
        cache: { ...place, pool: { max: 8 }, multiplex: { connections: 2, inFlight: 64, match: 'order' } },
        ledger: { ...place, pool: { max: 4 } },
        archive: { host: '127.0.0.1', port: await closedPort(), breaker: { failures: 1, openFor: '10m' } },
      },
    },
  })
  const ops = new Api(service.url, OPS_TOKEN)
  const shop = new Api(service.url, SHOP_TOKEN)
  let isOver = false
  const workers: Promise<void>[] = []
  whenDone(async () => {
    isOver = true
    await Promise.allSettled(workers)
  })
  const work = async (target: string): Promise<void> => {
    // One message of the target's own frame: so callers may share a connection.
    const json = { target, write: { text: 'a line\n' } }
    while (!isOver) await shop.post('/v1/exchange', { json }).catch(() => {})
  }
  return {
    service: {
      ...service,
      api: ops,
      get leases() {
        return service.leases
      },
    },
    shop,
    work: count => {
      for (let at = 0; at < count; at++) workers.push(work(at % 3 === 0 ? 'cache' : 'orders'))
    },
  }
}

/** Answers each line with itself. */
async function startPeer(
  answerMs: () => number,
): Promise<{ readonly server: Server; readonly port: number }> {
  const server = createServer(socket => {
    let rest = ''
    let last = Promise.resolve()
    socket.setEncoding('utf8').on('error', () => {})
    socket.on('data', (text: string) => {
      const lines = (rest + text).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) {
        const ms = answerMs()
        // In order, however long each takes.
        last = last
          .then(() => (ms === 0 ? undefined : new Promise<void>(resolve => setTimeout(resolve, ms))))
          .then(() => void socket.write(`${line}\n`))
      }
    })
  })
  return { server, port: await listening(server) }
}

async function listening(server: Server): Promise<number> {
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

async function closePeer(server: Server): Promise<void> {
  await new Promise(resolve => server.close(resolve))
}

/** Nobody listens there. */
async function closedPort(): Promise<number> {
  const server = createServer()
  const port = await listening(server)
  await closePeer(server)
  return port
}
