/**
 * A peer is down while thousands wait for it: it is dialled no more often than it may be, everybody is answered by the deadline,
 * and when it comes back it meets no herd. Down in three ways: it refuses, and the pool has a breaker or none; or it hangs.
 */

import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { SockpoolError } from '../../src/base/errors.ts'
import type { TargetInput } from '../../src/config/target-input.ts'
import { createPool } from '../../src/library/create-pool.ts'
import type { Pool } from '../../src/pool/pool.ts'
import { Random } from '../support/fence-random.ts'
import { ioWorkersOf } from '../support/io-workers.ts'
import { until } from '../support/until.ts'
import { brokenDialsMax, hangingDialsMax, refusedDialsMax } from './dial-bound.ts'
import { Findings, type PlayReport, type PlayWatch } from './findings.ts'
import { LawWatch } from './law-watch.ts'
import type { LinePeerOrder, LinePeerSpec, PeerCounts } from './line-peer.ts'
import { PeerThread } from './peer-thread.ts'

export type OutageScale = {
  readonly seed: number
  readonly downMs: number
  readonly waiters: number
  /** Milliseconds beyond its deadline in which a caller must be answered. */
  readonly lateMs: number
  /** Milliseconds that the breaker is open for, and that a dial may take. */
  readonly openForMs: number
  readonly connectTimeoutMs: number
}

type Way = 'refuses' | 'breaks' | 'hangs'

const PEER = new URL('./line-peer.ts', import.meta.url)
/** Another address than clients come from, so that no dial meets itself while nobody listens. */
const HOST = process.platform === 'linux' ? '127.0.0.2' : '127.0.0.1'
const MAX = 20
const MAX_CONNECTING = 4
const FAILURES = 5
const WELCOME = 'WELCOME\n'
const GREET_MS = 20
/** Beyond the outage, the patience of those who are to see its end; it is longer than the longest backoff. */
const RECOVERY_MS = 12_000
/** What a caller may be told instead of being served. */
const ENDS: Readonly<Record<Way, ReadonlySet<string>>> = {
  refuses: new Set(['CONNECT_REFUSED', 'CONNECT_FAILED', 'WAIT_TIMEOUT', 'QUEUE_FULL']),
  breaks: new Set(['CONNECT_REFUSED', 'CONNECT_FAILED', 'WAIT_TIMEOUT', 'QUEUE_FULL', 'BREAKER_OPEN']),
  hangs: new Set(['CONNECT_TIMEOUT', 'CONNECT_FAILED', 'DIALOG_FAILED', 'WAIT_TIMEOUT', 'QUEUE_FULL']),
}

const WAYS = ['refuses', 'breaks', 'hangs'] as const

export async function outage(scale: OutageScale, watched: PlayWatch = () => {}): Promise<PlayReport> {
  const findings = new Findings()
  findings.set('seed', scale.seed)
  for (const [index, way] of WAYS.entries()) {
    watched(index, WAYS.length)
    await new Outage(scale, way, findings).run()
  }
  return findings.report('outage')
}

class Outage {
  readonly #scale: OutageScale
  readonly #way: Way
  readonly #findings: Findings
  readonly #random: Random
  #isBack = false
  #backMs = 0

  constructor(scale: OutageScale, way: Way, findings: Findings) {
    this.#scale = scale
    this.#way = way
    this.#findings = findings
    this.#random = Random.of(scale.seed, way.length)
  }

  async run(): Promise<void> {
    const spec: LinePeerSpec = {
      host: HOST,
      ports: 1,
      answerMs: 1,
      greeting: { welcome: WELCOME, ms: GREET_MS },
    }
    const { peers, said } = await PeerThread.start<readonly number[]>(PEER, spec)
    const it = this.#target(said[0] ?? 0)
    const pool = await createPool({ ioWorkers: 1, targets: { it }, limits: { waiters: 10_000 } })
    const watch = new LawWatch(pool, this.#findings, MAX_CONNECTING)
    // What nobody on this thread could have been quicker than, whoever's doing it was.
    const delay = monitorEventLoopDelay({ resolution: 5 })
    delay.enable()
    try {
      await this.#ask(pool, 5_000)
      await this.#play(pool, peers)
    } finally {
      delay.disable()
      this.#set('ms that the thread stood still', delay.max / 1e6)
      watch.stop()
      await pool.close()
      await peers.close()
    }
  }

  #target(port: number): TargetInput {
    const { openForMs, connectTimeoutMs } = this.#scale
    return {
      ...{ host: HOST, port, frame: 'line' },
      onConnect: [{ send: 'HELLO\n' }, { expect: WELCOME }],
      pool: { max: MAX, maxConnecting: MAX_CONNECTING, connectTimeoutMs },
      breaker: this.#way === 'breaks' ? { failures: FAILURES, openForMs } : false,
    }
  }

  async #play(pool: Pool, peers: PeerThread): Promise<void> {
    const { downMs, waiters } = this.#scale
    const order = (what: LinePeerOrder): Promise<readonly PeerCounts[]> => peers.ask(what)
    const gate = new SharedArrayBuffer(4)
    const before = await dialledBy(pool)
    const startedMs = performance.now()
    await order(this.#way === 'hangs' ? { kind: 'hang', gate } : { kind: 'down' })
    // A connection that is cut may be leased until its end is seen.
    await until('what was cut is gone', () => pool.stats().connections.idle === 0)
    const callers = Array.from({ length: waiters }, (_, number) => this.#caller(pool, number))
    await sleep(downMs)
    const dialled = (await dialledBy(pool)) - before
    const tookMs = performance.now() - startedMs
    const opened = openedOf(pool)
    this.#isBack = true
    this.#backMs = performance.now()
    if (this.#way === 'hangs') {
      Atomics.store(new Int32Array(gate), 0, 1)
      Atomics.notify(new Int32Array(gate), 0)
    } else {
      await order({ kind: 'begin' })
      await order({ kind: 'up' })
    }
    await Promise.all(callers)
    this.#set('seconds of recovery', (performance.now() - this.#backMs) / 1_000)
    const [counts] = await order({ kind: 'counts' })
    this.#findings.atMost(`${this.#way}: dials`, dialled, this.#dialsMax(tookMs))
    this.#judge(openedOf(pool) - opened, counts)
  }

  #dialsMax(ms: number): number {
    const { openForMs, connectTimeoutMs } = this.#scale
    switch (this.#way) {
      case 'refuses':
        return refusedDialsMax(ms, MAX_CONNECTING)
      case 'breaks':
        return brokenDialsMax(ms, MAX_CONNECTING, { failures: FAILURES, openForMs })
      case 'hangs':
        return hangingDialsMax(ms, MAX_CONNECTING, connectTimeoutMs)
      default:
        return this.#way satisfies never
    }
  }

  #judge(opened: number, counts: PeerCounts | undefined): void {
    const findings = this.#findings
    const name = (what: string): string => `${this.#way}: ${what}`
    findings.atMost(name('opened after recovery'), opened, MAX)
    if (findings.of(name('served after recovery')) === 0) findings.violate(name('nobody was served again'))
    // What came to a peer that hangs lies in its queue, the dead beside the living.
    if (this.#way === 'hangs' || counts === undefined) return
    findings.atMost(name('accepted after recovery'), counts.accepted, MAX)
    findings.atMost(name('greeted at once'), counts.greetingMost, MAX_CONNECTING)
    findings.atMost(
      name('before the first was greeted'),
      counts.early,
      this.#way === 'breaks' ? 1 : MAX_CONNECTING,
    )
  }

  /** Waits once, or with a breaker calls again until it is served by a peer that is back. */
  async #caller(pool: Pool, number: number): Promise<void> {
    const { downMs, openForMs } = this.#scale
    const share = this.#random.next()
    // A half have one deadline, some see the end of it, and the others give up at any time.
    const waitMs =
      number % 2 === 0 ? downMs / 2 : number % 5 === 0 ? downMs + RECOVERY_MS : downMs * (0.1 + share)
    if (this.#way !== 'breaks') return void (await this.#call(pool, waitMs))
    for (let isServed = false; !isServed; ) {
      isServed = await this.#call(pool, waitMs)
      if (!isServed) await sleep(this.#random.next() * Math.min(1_000, openForMs))
      if (this.#isBack && performance.now() - this.#backMs > 2 * RECOVERY_MS)
        return this.#findings.violate('a caller is never served again')
    }
  }

  /** True where it was served after the outage. */
  async #call(pool: Pool, waitMs: number): Promise<boolean> {
    const startedMs = performance.now()
    let outcome = 'served'
    try {
      const lease = await pool.lease('it', { waitMs })
      this.#answered(outcome, performance.now() - startedMs, waitMs)
      try {
        lease.writer.write(`${waitMs}\n`)
        const line = await lease.reader.readUntil('\n', { timeoutMs: 10_000 })
        if (line.toString() !== `${waitMs}\n`) this.#findings.violate(`another's line: ${line}`)
      } finally {
        await lease.release()
      }
      if (!this.#isBack) return false
      this.#count('served after recovery')
      return true
    } catch (error) {
      outcome = error instanceof SockpoolError ? error.code : String(error)
      this.#answered(outcome, performance.now() - startedMs, waitMs)
      if (!ENDS[this.#way].has(outcome)) this.#findings.violate(`${this.#way}: ${String(error)}`)
      return false
    }
  }

  #answered(outcome: string, tookMs: number, waitMs: number): void {
    const { lateMs } = this.#scale
    const overMs = tookMs - waitMs
    this.#count(outcome)
    this.#findings.most(`${this.#way}: ms beyond a deadline`, overMs)
    const isEarly = outcome === 'WAIT_TIMEOUT' && overMs < -lateMs
    if (overMs > lateMs || isEarly)
      this.#findings.violate(`${this.#way}: ${outcome} after ${tookMs} ms of ${waitMs}`)
  }

  async #ask(pool: Pool, waitMs: number): Promise<void> {
    if (!(await this.#call(pool, waitMs)) && this.#findings.of(`${this.#way}: served`) !== 1)
      this.#findings.violate(`${this.#way}: nobody was served before`)
  }

  #count(what: string): void {
    this.#findings.count(`${this.#way}: ${what}`)
  }

  #set(what: string, value: number): void {
    this.#findings.set(`${this.#way}: ${what}`, value)
  }
}

async function dialledBy(pool: Pool): Promise<number> {
  const rows = await ioWorkersOf(pool)
  return rows.reduce((sum, { dialled }) => sum + dialled, 0)
}

function openedOf(pool: Pool): number {
  return pool.targets().reduce((sum, { opened }) => sum + opened, 0)
}
