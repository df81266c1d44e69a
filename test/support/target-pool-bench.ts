/** A TargetPool on a fake connector and a clock that stands still until the test moves it. */
import type { SockpoolError } from '../../src/base/errors.ts'
import { normaliseTarget } from '../../src/config/target.ts'
import type { TargetInput } from '../../src/config/target-input.ts'
import { dialOf } from '../../src/pool/target/dial-of.ts'
import type { PermitsOf } from '../../src/pool/target/permits.ts'
import { PoolNews, TargetNews } from '../../src/pool/target/pool-news.ts'
import type { Slot } from '../../src/pool/target/slot.ts'
import { TargetPool } from '../../src/pool/target/target-pool.ts'
import { TargetTally } from '../../src/pool/target/target-tally.ts'
import { WaiterCount } from '../../src/pool/target/waiter-count.ts'
import { FakeConnector, settle } from './fake-connector.ts'

export class TargetPoolBench {
  readonly connector: FakeConnector = new FakeConnector()
  readonly pool: TargetPool
  readonly lost: string[] = []
  readonly faults: unknown[] = []
  readonly news: PoolNews = new PoolNews()
  readonly tally: TargetTally = new TargetTally()
  nowMs = 1_000
  /** How often the pool has asked for the time. */
  clockReads = 0
  /** Told of each caller in the moment it has its connection. */
  onServed: (asked: Asked) => void = () => {}
  /** 0 is the longest life and no jitter; below 1. */
  random = 0
  waiting = 0

  constructor(pool: TargetInput['pool'], waitersMax = 1_000, more: TargetInput = {}, permitsOf?: PermitsOf) {
    const place = more.hosts ? {} : { host: '127.0.0.1', port: 1 }
    const target = normaliseTarget({ ...place, reuse: 'clean', ...(pool && { pool }), ...more })
    this.pool = new TargetPool({
      name: 'bench',
      target,
      dial: dialOf(target, 'operator', ''),
      connector: this.connector,
      waiterCount: new WaiterCount(waitersMax, { hold: () => this.waiting++, release: () => this.waiting-- }),
      now: () => {
        this.clockReads++
        return this.nowMs
      },
      random: () => this.random,
      origin: 'named',
      tidings: new TargetNews(this.news, 'bench'),
      tally: this.tally,
      permitsOf,
      onLost: how => this.lost.push(how),
      onFault: error => this.faults.push(error),
    })
  }

  /** Asks for a connection; what becomes of it, and how it stands now. */
  ask(options: { tenant?: string; weight?: number; waitMs?: number; signal?: AbortSignal } = {}): Asked {
    const { tenant = '', weight, waitMs = 60_000, signal } = options
    const asked: Asked = { slot: null, error: null }
    void this.pool
      .lease({ tenant, weight, waitMs, ...(signal && { signal }) }, (slot, connection) => {
        connection.hold({ rung: () => {}, broke: () => {} })
        asked.slot = slot
        this.onServed(asked)
      })
      .catch(error => {
        asked.error = error
      })
    return asked
  }

  /** Asks, and lets the dial that it takes succeed. */
  async lease(tenant = ''): Promise<Slot> {
    const asked = this.ask({ tenant })
    await settle()
    if (asked.slot === null) this.connector.pending[0]?.succeed()
    await settle()
    if (asked.slot === null) throw new Error(`no lease: ${asked.error}`)
    return asked.slot
  }

  /** Releases with a clean verdict. */
  async giveBack(slot: Slot): Promise<unknown> {
    const verdict = this.pool.release(slot, null)
    for (const connection of this.connector.alive) connection.judge('clean')
    return await verdict
  }
}

export type Asked = {
  slot: Slot | null
  error: SockpoolError | null
}
