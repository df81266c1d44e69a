/**
 * The whole walk: a service whose pool is used by the library, over HTTP and from attached threads at once, its peers in a
 * thread of their own, and I/O workers that are lost now and then.
 */

import { Worker } from 'node:worker_threads'
import { LIMITS } from '../../src/base/limits.ts'
import type { Pool } from '../../src/library/index.ts'
import type { PeerReport } from '../fixtures/threads/fence-walk-peer.ts'
import type { Chapter, ChapterReport } from '../fixtures/threads/fence-walk-thread.ts'
import { type Api, type HeldLease, jsonOf, type LeaseView, problemOf } from './api.ts'
import type { EndName } from './fence-cells.ts'
import type { NearEnds } from './fence-ends.ts'
import { endsOf, loseWorker } from './fence-lane.ts'
import { PATIENCE_MS } from './fence-peers.ts'
import { RestEnds } from './fence-rest-ends.ts'
import { forgetPool, logged, startKnownService, tokenOf } from './fence-service-lane.ts'
import { TENANTS, Walk, type WalkReport, type Weights } from './fence-walk.ts'
import { ioWorkersOf } from './io-workers.ts'
import type { ServiceFixture } from './service-fixture.ts'
import { until } from './until.ts'

const LIBRARY: Weights = {
  ends: { local: 56, kept: 12, 'lent to parse': 8, 'lent to run': 3, duplex: 11, web: 10 },
  moments: { idle: 60, reading: 30, overfull: 1, lent: 30, upgrading: 1.5 },
  endings: {
    release: 40,
    discard: 14,
    dispose: 5,
    kill: 10,
    ttl: 3,
    FIN: 8,
    RST: 8,
    'borrower returned': 8,
    'borrower hung': 0.2,
    'borrower dead': 0.6,
  },
}
const REST: Weights = {
  ends: { REST: 1 },
  moments: { idle: 4, reading: 2, lent: 3, uploading: 4, overfull: 0.3, upgrading: 0.3 },
  endings: { release: 40, discard: 20, FIN: 8, RST: 8 },
}

/** Shares of the leases. */
const REST_SHARE = 0.01
const THREAD_SHARE = 0.06
const THREADS = 2
/** Chapters of each thread; every other one ends with its death. */
const CHAPTERS = 3
/** Leases from one loss of an I/O worker to the next. */
const LEASES_PER_LOSS = 5_000
const CONNECTIONS_MAX = 48

export type WalkOutcome = Pick<WalkReport, 'faults' | 'answered'> & {
  readonly peers: PeerReport
  readonly left: string
  readonly missedWakes: number
  /** What is worth printing. */
  readonly figures: readonly string[]
}

const THREAD_FILE = new URL('../fixtures/threads/fence-walk-thread.ts', import.meta.url)
const PEER_FILE = new URL('../fixtures/threads/fence-walk-peer.ts', import.meta.url)

/** The next message of a thread. */
function said<T>(worker: Worker): Promise<T> {
  return new Promise((resolve, reject) => {
    worker.once('message', resolve)
    worker.once('error', reject)
  })
}

export async function runWalk(
  leases: number,
  seed: number,
  undo: (step: () => Promise<unknown>) => void,
): Promise<WalkOutcome> {
  const startedMs = performance.now()
  const peers = new Worker(PEER_FILE, { execArgv: [] })
  undo(() => peers.terminate())
  const { port } = await said<{ port: number }>(peers)
  const parts = { port, tenants: TENANTS, max: CONNECTIONS_MAX }
  const more = { ioWorkers: 2, parse: { workers: 2 } }
  const { service, pool } = await startKnownService(parts, more, undo)
  forgetPool(pool)
  const walk = new WalkRun({ service, pool, leases, seed })
  const reports = await Promise.all([walk.library(), walk.rest(), ...walk.threads(undo)])
  const left = await leftIn(pool)
  const workers = await ioWorkersOf(pool)
  await service.close()
  const answer = said<PeerReport>(peers)
  peers.postMessage('report')
  const { faults, answered } = merged(reports.map(report => ({ missedWakes: 0, ...report })))
  return {
    answered,
    faults: [...faults, ...logged.splice(0).map(line => `logged: ${line}`)],
    peers: await answer,
    left,
    missedWakes:
      sumOf(workers, row => row.missedWakes) +
      sumOf(reports, row => ('missedWakes' in row ? row.missedWakes : 0)),
    figures: figuresOf(reports, performance.now() - startedMs),
  }
}

class WalkRun {
  readonly #service: ServiceFixture
  readonly #pool: Pool
  readonly #leases: number
  readonly #seed: number
  readonly #lostAt = new Float64Array(new SharedArrayBuffer(8))
  readonly #losses: Promise<void>[] = []
  #opened = 0

  constructor(parts: { service: ServiceFixture; pool: Pool; leases: number; seed: number }) {
    this.#service = parts.service
    this.#pool = parts.pool
    this.#leases = parts.leases
    this.#seed = parts.seed
  }

  async library(): Promise<WalkReport> {
    const leases = Math.round(this.#leases * (1 - REST_SHARE - THREADS * THREAD_SHARE))
    const open = async (end: EndName, tenant: string): Promise<{ ends: NearEnds; port: number }> => {
      if (++this.#opened % LEASES_PER_LOSS === 0) this.#losses.push(this.#lose())
      const lease = await this.#pool.lease('it', { tenant })
      return { ends: endsOf(end, lease), port: lease.connection.localPort }
    }
    const report = await this.#walk({ open, name: 'm', leases, concurrency: 24, weights: LIBRARY })
    await Promise.all(this.#losses)
    return report
  }

  rest(): Promise<WalkReport> {
    const leases = Math.round(this.#leases * REST_SHARE)
    const open = async (_end: EndName, tenant: string): Promise<{ ends: NearEnds; port: number }> => {
      const lease = await leaseOver(this.#service.api.as(tokenOf(tenant)))
      return {
        ends: new RestEnds(lease, () => Promise.reject(new Error('no ttl is set'))),
        port: lease.view.connection.localPort,
      }
    }
    return this.#walk({ open, name: 'r', leases, concurrency: 2, weights: REST })
  }

  threads(undo: (step: () => Promise<unknown>) => void): readonly Promise<ChapterReport>[] {
    return Array.from({ length: THREADS }, (_, index) => this.#thread(index, undo))
  }

  async #thread(index: number, undo: (step: () => Promise<unknown>) => void): Promise<ChapterReport> {
    let worker: Worker | null = null
    const reports: ChapterReport[] = []
    for (let number = 0; number < CHAPTERS; number++) {
      if (worker === null) {
        const started = new Worker(THREAD_FILE, { execArgv: [] })
        undo(() => started.terminate())
        worker = started
      }
      const chapter: Chapter = {
        handle: this.#pool.handle,
        name: `t${index}-${number}-`,
        seed: this.#seed + 100 * (index + 1) + number,
        leases: Math.round((this.#leases * THREAD_SHARE) / CHAPTERS),
        lostAt: this.#lostAt.buffer,
        end: number % 2 === 0 ? 'close' : 'die',
      }
      const report = said<ChapterReport>(worker)
      worker.postMessage(chapter)
      reports.push(await report)
      if (chapter.end === 'die') worker = null
    }
    await worker?.terminate()
    return merged(reports)
  }

  #walk(parts: Omit<ConstructorParameters<typeof Walk>[0], 'seed' | 'lostAt'>): Promise<WalkReport> {
    return new Walk({ ...parts, seed: this.#seed, lostAt: () => this.#lostAt[0] ?? 0 }).run()
  }

  /** Whatever lives until it is gone may be lost with it. */
  async #lose(): Promise<void> {
    this.#lostAt[0] = Number.POSITIVE_INFINITY
    await loseWorker(this.#pool, Math.round(this.#opened / LEASES_PER_LOSS) % 2)
    this.#lostAt[0] = Date.now()
  }
}

/** The problem is thrown as the library would throw it. */
async function leaseOver(api: Api): Promise<HeldLease> {
  const answer = await api.post('/v1/leases', { json: { target: 'it' } })
  if (answer.status === 201) return api.held(jsonOf<LeaseView>(answer))
  const { code, detail } = problemOf(answer)
  throw Object.assign(new Error(detail), { code: code.toUpperCase() })
}

/** What is left in the pool but idle connections, once everything has had its time; empty: nothing. */
async function leftIn(pool: Pool): Promise<string> {
  const left = (): string => {
    const { leases, waiters } = pool.stats()
    const rows = pool.targets().map(({ connections: { idle, max, min: _min, ...counts } }) => ({
      ...counts,
      over: Math.max(0, idle - max),
    }))
    const busy = rows.reduce((sum, row) => sum + Object.values(row).reduce((all, count) => all + count, 0), 0)
    return leases + waiters + busy === 0 ? '' : JSON.stringify({ leases, waiters, rows })
  }
  // A connection that still sends has its time to close, whatever its peer does.
  const withinMs = LIMITS.closeLingerMs + PATIENCE_MS
  await until('everything came back', () => left() === '', withinMs).catch(() => 'it is told by what is left')
  return left()
}

function merged(reports: readonly ChapterReport[]): ChapterReport {
  const kinds: Record<string, { count: number; ms: number }> = {}
  for (const [name, { count, ms }] of reports.flatMap(report => Object.entries(report.kinds))) {
    const before = kinds[name] ?? { count: 0, ms: 0 }
    kinds[name] = { count: before.count + count, ms: before.ms + ms }
  }
  const answered: Record<string, number> = {}
  for (const [row, count] of reports.flatMap(report => Object.entries(report.answered)))
    answered[row] = (answered[row] ?? 0) + count
  return {
    answered,
    leases: sumOf(reports, row => row.leases),
    uses: sumOf(reports, row => row.uses),
    reused: sumOf(reports, row => row.reused),
    lost: sumOf(reports, row => row.lost),
    faults: reports.flatMap(report => report.faults),
    missedWakes: sumOf(reports, row => row.missedWakes),
    kinds,
  }
}

function figuresOf(reports: readonly WalkReport[], ms: number): readonly string[] {
  const { leases, uses, reused, lost, kinds } = merged(reports.map(report => ({ missedWakes: 0, ...report })))
  const rows = Object.entries(kinds)
    .sort(([, one], [, other]) => other.ms - one.ms)
    .map(([name, kind]) => `${name}: ${kind.count}, ${(kind.ms / kind.count).toFixed(1)} ms each`)
  const rate = Math.round((leases * 1_000) / ms)
  return [
    `${leases} leases (${reused} reused, ${lost} lost with a worker), ${uses} late calls, ${Math.round(ms)} ms, ${rate} leases/s`,
    ...rows,
  ]
}

function sumOf<T>(rows: readonly T[], of: (row: T) => number): number {
  return rows.reduce((sum, row) => sum + of(row), 0)
}
