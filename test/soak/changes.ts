/**
 * A pool under load is reloaded, drained, reconnected, resized, and loses its I/O workers, one by an operator's word and one by its
 * death: no call fails but those that were on the dead one, and afterwards the pool counts what its peer counts.
 */

import type { TargetInput } from '../../src/config/target-input.ts'
import { createPool } from '../../src/library/create-pool.ts'
import type { Pool } from '../../src/pool/pool.ts'
import { ioWorkersOf } from '../support/io-workers.ts'
import { until } from '../support/until.ts'
import { CHANGED, ChangeCallers, type ChangedTarget, WORKER_DEATH } from './change-callers.ts'
import { Findings, type PlayReport, type PlayWatch } from './findings.ts'
import { LawWatch, sizeOf } from './law-watch.ts'
import type { LinePeerSpec, PeerCounts } from './line-peer.ts'
import { OwnThreads } from './own-threads.ts'
import { PeerThread } from './peer-thread.ts'

export type ChangesScale = {
  readonly seed: number
  /** How often all changes are made, one after another. */
  readonly rounds: number
  /** Calls a second; Infinity: as many as go. */
  readonly perSecond: number
  /** Calls that are served between two changes. */
  readonly callsBetween: number
}

const PEER = new URL('./line-peer.ts', import.meta.url)
const HOST = '127.0.0.1'
const WORKERS = 2
/** Milliseconds in which a change is done, and the pool and its peer count the same. */
const STEP_MS = 30_000
/** By target, the places of its port among the peer's; `main` moves from one to another. */
const PORTS: Readonly<Record<ChangedTarget, readonly number[]>> = { main: [0, 1], shared: [2], refusing: [3] }

export async function changes(scale: ChangesScale, watched: PlayWatch = () => {}): Promise<PlayReport> {
  const findings = new Findings()
  findings.set('seed', scale.seed)
  const threads = new OwnThreads()
  const spec: LinePeerSpec = { host: HOST, ports: 4, answerMs: 2, greeting: null }
  const { peers, said: ports } = await PeerThread.start<readonly number[]>(PEER, spec)
  const pool = await createPool({ ioWorkers: WORKERS, targets: targetsAt(ports, 0) })
  const watch = new LawWatch(pool, findings)
  const callers = new ChangeCallers(pool, findings, scale)
  const run = new Changes({ pool, peers, ports, threads, findings, callers, scale })
  try {
    callers.begin()
    for (let round = 0; round < scale.rounds && !findings.hasViolations; round++) {
      watched(round, scale.rounds)
      await run.round(round)
    }
  } catch (error) {
    findings.violate(`at ${callers.step}: ${String(error)}`)
  } finally {
    await callers.end()
    watch.stop()
    await pool.close()
    await peers.close()
    threads.stop()
  }
  return findings.report('changes')
}

/** `main` lies at one of two ports. */
function targetsAt(ports: readonly number[], mainAt: number, max = 8): Record<ChangedTarget, TargetInput> {
  const at = (index: number) => ({ host: HOST, port: ports[index] ?? 0, frame: 'line' }) as const
  return {
    main: { ...at(mainAt), pool: { max, min: 2 } },
    shared: { ...at(2), pool: { max: 3 }, multiplex: { connections: 2, inFlight: 8 } },
    refusing: { ...at(3), pool: { max: 4 } },
  }
}

type ChangesDeps = {
  readonly pool: Pool
  readonly peers: PeerThread
  readonly ports: readonly number[]
  readonly threads: OwnThreads
  readonly findings: Findings
  readonly callers: ChangeCallers
  readonly scale: ChangesScale
}

class Changes {
  readonly #deps: ChangesDeps

  constructor(deps: ChangesDeps) {
    this.#deps = deps
  }

  async round(round: number): Promise<void> {
    const { pool, ports } = this.#deps
    const bounds = { timeoutMs: STEP_MS }
    const id = round % WORKERS
    const steps: Readonly<Record<string, () => unknown>> = {
      'a reload of the same': () => pool.reload({ targets: targetsAt(ports, round % 2) }),
      'a reload with another size': () => pool.reload({ targets: targetsAt(ports, round % 2, 5) }),
      'a reload with another place': () => pool.reload({ targets: targetsAt(ports, (round + 1) % 2) }),
      'a drain': () => pool.drain('refusing', bounds),
      'its end': () => pool.enable('refusing'),
      'a disable': () => pool.disable('refusing'),
      'the end of that': () => pool.enable('refusing'),
      'a pause': () => pool.pause('main', { ...bounds, wait: true }).then(() => pool.resume('main')),
      'a reconnect': () => this.#reconnect(bounds),
      'a smaller size': () => pool.resize('main', { min: 1, max: 1 }),
      'a larger size': () => pool.resize('main', { min: 4, max: 12 }),
      'a drained worker': () => pool.drainWorker(id, bounds),
      [WORKER_DEATH]: () => this.#kill(id),
    }
    for (const [step, make] of Object.entries(steps)) await this.#change(step, make)
  }

  async #reconnect(bounds: { readonly timeoutMs: number }): Promise<void> {
    const { pool } = this.#deps
    for (const target of ['main', 'shared'] as const) {
      await pool.reconnect(target)
      await pool.waitClose(target, bounds)
    }
  }

  async #change(step: string, make: () => unknown): Promise<void> {
    const { findings, callers, scale } = this.#deps
    const servedBefore = this.#served
    callers.step = step
    const startedMs = performance.now()
    await make()
    findings.most(`ms of ${step}`, performance.now() - startedMs)
    await until('calls are served', () => this.#served >= servedBefore + scale.callsBetween, STEP_MS)
    await this.#agrees(step)
    findings.count('changes')
  }

  get #served(): number {
    const { findings } = this.#deps
    return CHANGED.reduce((sum, target) => sum + findings.of(`${target}: served`), 0)
  }

  /** Ends an I/O worker from outside, and notes what it has until it is gone. */
  async #kill(id: number): Promise<void> {
    const { pool, threads, callers } = this.#deps
    const row = (await ioWorkersOf(pool)).find(worker => worker.id === id)
    let isGone = false
    const noteUntilGone = (): boolean => {
      for (const { id: connection, worker } of pool.connections())
        if (worker === id) callers.onLostWorker.add(connection)
      return isGone
    }
    const killed = threads.kill(row?.threadId ?? -1).finally(() => {
      isGone = true
    })
    await until('the worker is gone', noteUntilGone, STEP_MS)
    await killed
    await until('the worker was replaced', () => pool.ready, STEP_MS)
  }

  /** At a moment in which nothing is on its way, the pool has the connections that its peer has. */
  async #agrees(step: string): Promise<void> {
    const { pool, peers, findings } = this.#deps
    let told = ''
    for (const untilMs = performance.now() + STEP_MS; performance.now() < untilMs; ) {
      const before = this.#figures()
      const counts = await peers.ask<readonly PeerCounts[]>({ kind: 'counts' })
      findings.count('looks at both counts')
      if (JSON.stringify(this.#figures()) !== JSON.stringify(before)) continue
      const differing = pool.targets().filter(row => {
        const open = PORTS[row.name as ChangedTarget].reduce(
          (sum, port) => sum + (counts[port]?.open ?? 0),
          0,
        )
        return sizeOf(row) !== open || row.connections.connecting + row.connections.closing > 0
      })
      if (differing.length === 0) return
      told = JSON.stringify({ rows: differing, counts })
    }
    findings.violate(`after ${step} the pool and its peer never agree: ${told}`)
  }

  /** What stands still while no connection comes or goes. */
  #figures(): unknown {
    return this.#deps.pool.targets().map(row => [sizeOf(row), row.opened, row.closed])
  }
}
