/** Services that share a cap by an engine of the test's own: each is a process, over one upstream that counts who is connected. */
import { onTestFinished } from 'vitest'
import { scriptOf } from '../../src/fleet/script.ts'
import { openEngine } from './fleet-engine.ts'
import type { OwnRedis } from './own-redis.ts'
import { type ServiceProcess, startServiceProcess } from './service-process.ts'
import { echo, refusingPort, startTestServer, type TestServer } from './test-server.ts'

/** The target of all of them. */
export const CAPPED = 'cache'

export class CountedUpstream {
  readonly server: TestServer
  /** Most connections that it ever had at once. */
  most = 0

  private constructor(server: TestServer) {
    this.server = server
  }

  static async start(): Promise<CountedUpstream> {
    let counted: CountedUpstream | null = null
    const server = await startTestServer(
      socket => {
        echo(socket)
        // A connection that has ended is told of in the same turn as the one that takes its place, in any order.
        setImmediate(() => counted?.count())
      },
      { tolerant: true },
    )
    counted = new CountedUpstream(server)
    return counted
  }

  /** Connections that have not ended. */
  get open(): number {
    return [...this.server.sockets].filter(({ readableEnded, destroyed }) => !readableEnded && !destroyed)
      .length
  }

  count(): void {
    this.most = Math.max(this.most, this.open)
  }
}

export type FleetScene = {
  readonly redis: OwnRedis
  readonly upstream: CountedUpstream
  readonly cap: number
  /** More of `fleet` in the configuration. */
  readonly fleet?: object
  readonly pool?: object
}

/** Starts an instance; it ends with its test, well, unless the test has ended it. */
export async function startInstance(name: string, scene: FleetScene): Promise<ServiceProcess> {
  const { redis, upstream, cap, fleet = {}, pool = {} } = scene
  const { host, port } = upstream.server
  const listen = `127.0.0.1:${await refusingPort()}`
  const service = await startServiceProcess({
    listen,
    args: ['--no-auth'],
    config: {
      targets: { [CAPPED]: { host, port, reuse: 'clean', pool: { max: 20, ...pool } } },
      fleet: { url: redis.url, name, advertise: `http://${listen}`, caps: { [CAPPED]: cap }, ...fleet },
    },
  })
  onTestFinished(async () => {
    const code = await Promise.race([service.exited, Promise.resolve(null)])
    if (code === null) await service.stop()
  })
  return service
}

const SETTLE = scriptOf('testSettle', 1, "return redis.call('HSET', KEYS[1], 'made', 0)")

/** The engine's record of the cap is no new one: nobody waits until it is known who claims what. */
export async function settleCap(redis: OwnRedis): Promise<void> {
  const engine = await openEngine(redis.url)
  await engine.ask(SETTLE, [`permits:${CAPPED}`], [])
  engine.close()
}

/** What `/readyz` says of the fleet. */
export async function fleetState({ api }: Pick<ServiceProcess, 'api'>): Promise<string> {
  const { fleet } = JSON.parse((await api.get('/readyz')).text) as { fleet: string }
  return fleet
}
