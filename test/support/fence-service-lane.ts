/**
 * As LibraryLane, for leases that are held over HTTP: a service with a token for each tenant. What no route tells or does is
 * asked of its pool: every lease that it makes is known here.
 */
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import type { Lease } from '../../src/library/index.ts'
import { Pool } from '../../src/pool/pool.ts'
import { type Api, type HeldLease, jsonOf } from './api.ts'
import type { EndName } from './fence-cells.ts'
import { ChannelLog, logChannels } from './fence-channels.ts'
import { type Lane, leftOf, type Opened, type Stranger } from './fence-lane.ts'
import { FencePeers, PATIENCE_MS } from './fence-peers.ts'
import { RestEnds } from './fence-rest-ends.ts'
import { type ServiceFixture, startServiceFixture } from './service-fixture.ts'

/** Whose lease a pool is known by. */
const PRIME = 'prime'

export function tokenOf(tenant: string): string {
  return `a-token-of-${tenant}-long-enough`
}

/** What a service's pool made. */
type Made = { readonly log: ChannelLog; pool: Pool | null; readonly leases: Map<number, Lease> }

const madeBy = new WeakMap<Pool, Made>()
/** Whose the next pool is that leases for the first time. */
let expecting: Made | null = null
let starting: Promise<unknown> = Promise.resolve()

/** Knows the leases of all pools of services; the undo of it. */
export function watchServicePools(): () => void {
  const { lease } = Pool.prototype
  Object.assign(Pool.prototype, {
    async lease(this: Pool, ...args: Parameters<Pool['lease']>): Promise<Lease> {
      const made = madeBy.get(this) ?? expecting
      if (made === null) return await lease.apply(this, args)
      madeBy.set(this, made)
      made.pool = this
      const leased = await logChannels(made.log, () => lease.apply(this, args))
      made.leases.set(leased.connection.localPort, leased)
      return leased
    },
  })
  return () => void Object.assign(Pool.prototype, { lease })
}

/** Errors that services of this process have logged, but for workers that were lost. */
export const logged: string[] = []

/** Keeps what services of this process log from stderr; the undo of it. */
export function watchServiceLogs(): () => void {
  const { writeSync } = fs
  const watched = (...args: Parameters<typeof fs.writeSync>): number => {
    const [fd, data] = args
    if (fd !== 2 || typeof data !== 'string' || !data.startsWith('{"level"')) return writeSync(...args)
    for (const line of data.trim().split('\n')) if (!('worker' in JSON.parse(line))) logged.push(line)
    return Buffer.byteLength(data)
  }
  Object.assign(fs, { writeSync: watched })
  return () => void Object.assign(fs, { writeSync })
}

/** A service before a target `it` with a token for each tenant, and its pool, which is found by a first lease. */
export async function startKnownService(
  parts: { readonly port: number; readonly tenants: readonly string[]; readonly max: number },
  more: Readonly<Record<string, unknown>>,
  undo: (step: () => Promise<void>) => void,
): Promise<{ readonly service: ServiceFixture; readonly pool: Pool; readonly made: Made }> {
  const { port, tenants, max } = parts
  const service = await startServiceFixture({
    flags: { logLevel: 'error' },
    finally: undo,
    config: {
      limits: { drainTimeout: '20ms' },
      auth: {
        tokens: [PRIME, ...tenants].map(name => ({
          name,
          sha256: createHash('sha256').update(tokenOf(name)).digest('hex'),
        })),
      },
      targets: { it: { host: '127.0.0.1', port, reuse: 'clean', pool: { max } } },
      ...more,
    },
  })
  const made: Made = { log: new ChannelLog(), pool: null, leases: new Map() }
  expecting = made
  const primed = await service.api.as(tokenOf(PRIME)).lease('it')
  expecting = null
  await primed.release('?discard=true')
  await made.log.last.givenBack()
  if (made.pool === null) throw new Error('the service has no pool')
  return { service, pool: made.pool, made }
}

/** Knows no more of what the pool leases. */
export function forgetPool(pool: Pool): void {
  madeBy.delete(pool)
}

class RestStranger implements Stranger {
  readonly port: number
  readonly #lease: HeldLease
  readonly #inside: Lease

  constructor(lease: HeldLease, inside: Lease) {
    this.#lease = lease
    this.#inside = inside
    this.port = lease.view.connection.localPort
  }

  get isQuiet(): boolean {
    return this.#inside.writer.buffered === 0
  }

  async say(line: string): Promise<void> {
    const { status, text } = await this.#lease.call('write', { body: line })
    if (status !== 200) throw new Error(`the stranger could not write: ${status} ${text}`)
  }

  async hear(): Promise<string> {
    return (await this.#lease.call(`readline?timeoutMs=${PATIENCE_MS}`)).text
  }

  async release(): Promise<string> {
    const { outcome, reason } = jsonOf<{ outcome: string; reason: string }>(await this.#lease.release())
    return `${outcome}, ${reason}`
  }
}

export class ServiceLane implements Lane {
  readonly peers: FencePeers
  readonly log: ChannelLog
  readonly pool: Pool
  readonly thread = null
  readonly #service: ServiceFixture
  readonly #made: Made
  readonly #undo: (() => Promise<void>)[]
  readonly #loggedBefore = logged.length

  private constructor(
    peers: FencePeers,
    service: ServiceFixture,
    made: Made,
    pool: Pool,
    undo: (() => Promise<void>)[],
  ) {
    this.peers = peers
    this.log = made.log
    this.pool = pool
    this.#service = service
    this.#made = made
    this.#undo = undo
  }

  /** One after another: a pool is known by its first lease. */
  static create(): Promise<ServiceLane> {
    const created = starting.then(() => ServiceLane.#create())
    starting = created.catch(() => 'whoever awaits it hears of it')
    return created
  }

  static async #create(): Promise<ServiceLane> {
    const peers = await FencePeers.listen()
    const undo: (() => Promise<void>)[] = []
    const parts = { port: peers.port, tenants: ['a', 'b'], max: 4 }
    const { service, pool, made } = await startKnownService(parts, {}, step => void undo.unshift(step))
    return new ServiceLane(peers, service, made, pool, undo)
  }

  get faults(): readonly string[] {
    return logged.slice(this.#loggedBefore).map(line => `logged: ${line}`)
  }

  async open(_end: EndName): Promise<Opened> {
    const lease = await this.#as('a').lease('it')
    const { localPort: port } = lease.view.connection
    return { ends: new RestEnds(lease, () => this.#inside(port).ended), port }
  }

  async stranger(tenant: string): Promise<Stranger> {
    const lease = await this.#as(tenant).lease('it', { waitMs: PATIENCE_MS })
    return new RestStranger(lease, this.#inside(lease.view.connection.localPort))
  }

  async warmBorrower(): Promise<void> {
    throw new Error('nobody runs modules over HTTP')
  }

  async kill(port: number): Promise<void> {
    this.#inside(port).kill()
  }

  closePool(): Promise<void> {
    return this.#service.close()
  }

  async close(): Promise<readonly string[]> {
    const left = await leftOf(this)
    for (const step of this.#undo) await step()
    await this.peers.close()
    return [...this.faults, ...left]
  }

  #as(tenant: string): Api {
    return this.#service.api.as(tokenOf(tenant))
  }

  #inside(port: number): Lease {
    const lease = this.#made.leases.get(port)
    if (lease === undefined) throw new Error(`no lease was made on port ${port}`)
    return lease
  }
}
