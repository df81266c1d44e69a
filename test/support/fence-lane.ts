/**
 * Where cells of the fence are played, one after another: a pool with one I/O worker, its recording peers, and the
 * channels that it takes. A cell that ends the pool or its worker has a lane to itself.
 */

import type { Worker } from 'node:worker_threads'
import { createPool, type Lease, type Pool } from '../../src/library/index.ts'
import type { EndName } from './fence-cells.ts'
import { ChannelLog, logChannels } from './fence-channels.ts'
import { BORROWER, type Ends, KeptEnds, LeaseEnds, type NearEnds } from './fence-ends.ts'
import { FencePeers, PATIENCE_MS } from './fence-peers.ts'
import { DuplexEnds, WebEnds } from './fence-stream-ends.ts'
import { AttachedEnds, FenceThread } from './fence-thread.ts'
import { ioWorkersOf } from './io-workers.ts'
import { poolCounts } from './open-connections.ts'
import { within } from './service-process.ts'

/** The lease that comes after: one that should hear and say nothing but its own. */
export interface Stranger {
  readonly port: number
  say(line: string): Promise<void>
  hear(): Promise<string>
  /** All that it said is with the kernel. */
  readonly isQuiet: boolean
  /** How its release went. */
  release(): Promise<string>
}

export type Opened = { readonly ends: Ends; readonly port: number }

export interface Lane {
  readonly peers: FencePeers
  readonly log: ChannelLog
  readonly pool: Pool
  /** The attached thread, once there is one. */
  readonly thread: FenceThread | null
  /** What the pool has reported that it should never have to. */
  readonly faults: readonly string[]
  /** Leases for tenant `a`. */
  open(end: EndName): Promise<Opened>
  stranger(tenant: string): Promise<Stranger>
  /** Has the thread of borrowers run. */
  warmBorrower(): Promise<void>
  /** Kills the lease on the connection from this port, from inside. */
  kill(port: number): Promise<void>
  closePool(): Promise<void>
  /** Takes everything down; what was left behind. */
  close(): Promise<readonly string[]>
}

const workers = new Map<number, Worker>()
process.on('worker', worker => {
  workers.set(worker.threadId, worker)
})

/** Ends an I/O worker of the pool as a crash would; resolves when it is gone. */
export async function loseWorker(pool: Pool, index = 0): Promise<void> {
  const rows = await ioWorkersOf(pool)
  const worker = workers.get(rows[index]?.threadId ?? -1)
  if (worker === undefined) throw new Error('the pool has no I/O worker')
  const exited = new Promise(resolve => worker.once('exit', resolve))
  void worker.terminate()
  await exited
}

class LeaseStranger implements Stranger {
  readonly #lease: Lease

  constructor(lease: Lease) {
    this.#lease = lease
  }

  get port(): number {
    return this.#lease.connection.localPort
  }

  get isQuiet(): boolean {
    return this.#lease.writer.buffered === 0
  }

  async say(line: string): Promise<void> {
    this.#lease.writer.write(line)
  }

  async hear(): Promise<string> {
    return String(await this.#lease.reader.readLine({ timeoutMs: PATIENCE_MS }))
  }

  async release(): Promise<string> {
    const { outcome, reason } = await this.#lease.release()
    return `${outcome}, ${reason}`
  }
}

export class LibraryLane implements Lane {
  readonly peers: FencePeers
  readonly log: ChannelLog
  readonly pool: Pool
  readonly faults: string[]
  readonly #leases = new Map<number, Lease>()
  #thread: FenceThread | null = null

  private constructor(peers: FencePeers, log: ChannelLog, pool: Pool, faults: string[]) {
    this.peers = peers
    this.log = log
    this.pool = pool
    this.faults = faults
  }

  static async create(): Promise<LibraryLane> {
    const peers = await FencePeers.listen()
    const log = new ChannelLog()
    const faults: string[] = []
    const target = { host: '127.0.0.1', port: peers.port, reuse: 'clean', pool: { max: 4 } } as const
    const pool = await logChannels(log, () =>
      createPool({
        targets: { it: target },
        onEvent: event => {
          if (event.kind === 'fault') faults.push(`a fault: ${String(event.error)}`)
          if (event.kind === 'missed_wake') faults.push('a missed wake')
        },
      }),
    )
    const lane = new LibraryLane(peers, log, pool, faults)
    // The allocator becomes the log's by its first channel; from an attached thread's request nobody could tell whose.
    await (await lane.#lease('prime')).discard()
    await log.last.givenBack()
    return lane
  }

  get thread(): FenceThread | null {
    return this.#thread
  }

  async open(end: EndName): Promise<Opened> {
    if (end === 'attached' || end === 'attached blocking') {
      const thread = await this.#attached()
      const blocks = end === 'attached blocking'
      const port = await thread.ask<number>({ ask: 'lease', blocks, tenant: 'a' })
      return { ends: new AttachedEnds(thread), port }
    }
    const lease = await this.#lease('a')
    return { ends: endsOf(end, lease), port: lease.connection.localPort }
  }

  async stranger(tenant: string): Promise<Stranger> {
    return new LeaseStranger(await this.#lease(tenant))
  }

  async warmBorrower(): Promise<void> {
    const lease = await this.#lease('prime')
    const peer = await this.peers.from(lease.connection.localPort)
    peer.send('ready\n')
    await lease.run(BORROWER, { part: 'line' })
    const channel = this.log.last
    await lease.discard()
    await channel.givenBack()
  }

  async kill(port: number): Promise<void> {
    this.#leases.get(port)?.kill()
  }

  closePool(): Promise<void> {
    return this.pool.close()
  }

  async close(): Promise<readonly string[]> {
    const left = [...(await leftOf(this))]
    // A lane on which a call waits for ever has a thread that may not answer.
    if (left.length === 0 && this.#thread?.isGone === false) {
      const missed = await this.#thread.ask<number>({ ask: 'missed' })
      if (missed > 0) left.push(`${missed} wakes of the attached thread were missed`)
    }
    await this.#thread?.close()
    await this.peers.close()
    return [...this.faults, ...left]
  }

  async #lease(tenant: string): Promise<Lease> {
    const lease = await logChannels(this.log, () => this.pool.lease('it', { tenant, waitMs: PATIENCE_MS }))
    this.#leases.set(lease.connection.localPort, lease)
    return lease
  }

  /** A thread that is attached; the one of the cell before, if it still is. */
  async #attached(): Promise<FenceThread> {
    if (this.#thread === null || this.#thread.isGone) this.#thread = new FenceThread()
    await this.#thread.attach(this.pool.handle)
    return this.#thread
  }
}

export function endsOf(end: EndName, lease: Lease): NearEnds {
  if (end === 'duplex') return new DuplexEnds(lease)
  if (end === 'web') return new WebEnds(lease)
  return end === 'kept' ? new KeptEnds(lease) : new LeaseEnds(lease)
}

/** Closes a pool; what it leaves behind. */
export async function leftOf(lane: Pick<Lane, 'pool' | 'log' | 'closePool'>): Promise<readonly string[]> {
  try {
    await within(PATIENCE_MS, lane.closePool(), 'the pool did not close')
  } catch (error) {
    return [String(error)]
  }
  const { leases, waiters, connections } = poolCounts(lane.pool)
  const { out } = lane.log
  return leases + waiters + connections + out === 0
    ? []
    : [`left in the pool: ${JSON.stringify({ leases, waiters, connections, channels: out })}`]
}
