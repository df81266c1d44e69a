/**
 * A tenant with ten times the demand of another does not make it wait: on a target whose connections are leased, and on one
 * whose connections are shared. The callers of both pause and ask, pause and ask; there are ten times as many of the noisy one.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { createPool } from '../../src/library/create-pool.ts'
import type { Pool } from '../../src/pool/pool.ts'
import { quantile } from '../bench/rounds.ts'
import { Random } from '../support/fence-random.ts'
import { Findings, type PlayReport } from './findings.ts'
import { LawWatch } from './law-watch.ts'
import type { LinePeerSpec } from './line-peer.ts'
import { PeerThread } from './peer-thread.ts'

export type NoisyTenantScale = {
  readonly seed: number
  /** Milliseconds of the quiet tenant alone, and of both together. */
  readonly forMs: number
  /** Milliseconds that the peer takes for an answer, and so the time that a connection, or a place on it, is held. */
  readonly holdMs: number
  readonly quietCallers: number
  /** Milliseconds from an answer to the next question of its caller, the mean. */
  readonly pauseMs: number
  /** Milliseconds that the quiet tenant's p99 may be worse than alone, beside one hold time. */
  readonly marginMs: number
  /** Who the noisy callers are; 'noisy' but where a test wants to see the bound broken. */
  readonly noisyTenant: string
}

const PEER = new URL('./line-peer.ts', import.meta.url)
const TIMES = 10
/** Connections of the one target, and places on the connections of the other. */
const PLACES = 10
const PATIENCE_MS = 60_000

type Target = 'exclusive' | 'shared'

export async function noisyTenant(scale: NoisyTenantScale): Promise<PlayReport> {
  const findings = new Findings()
  findings.set('seed', scale.seed)
  const spec: LinePeerSpec = { host: '127.0.0.1', ports: 2, answerMs: scale.holdMs, greeting: null }
  const { peers, said } = await PeerThread.start<readonly number[]>(PEER, spec)
  const place = (index: number) => ({ host: '127.0.0.1', port: said[index] ?? 0, frame: 'line' }) as const
  const pool = await createPool({
    targets: {
      exclusive: { ...place(0), pool: { max: PLACES } },
      shared: { ...place(1), pool: { max: 2 }, multiplex: { connections: 2, inFlight: PLACES / 2 } },
    },
  })
  const watch = new LawWatch(pool, findings)
  // What the waits have of this thread, and of what else the machine does.
  const delay = monitorEventLoopDelay({ resolution: 5 })
  delay.enable()
  try {
    const targets = ['exclusive', 'shared'] as const
    await Promise.all(targets.map(target => compare({ pool, target, scale, findings })))
  } finally {
    delay.disable()
    findings.set('ms that the thread stood still, p99', delay.percentile(99) / 1e6)
    findings.set('ms that the thread stood still, most', delay.max / 1e6)
    watch.stop()
    await pool.close()
    await peers.close()
  }
  return findings.report('noisy-tenant')
}

type Comparison = {
  readonly pool: Pool
  readonly target: Target
  readonly scale: NoisyTenantScale
  readonly findings: Findings
}

async function compare(comparison: Comparison): Promise<void> {
  const { target, scale, findings } = comparison
  const { quietCallers, holdMs, marginMs, noisyTenant: noisy } = scale
  // Warms the code up.
  await crowd(comparison, 'quiet', quietCallers, scale.forMs / 4)
  const solo = await crowd(comparison, 'quiet', quietCallers, scale.forMs)
  const [beside, others] = await Promise.all([
    crowd(comparison, 'quiet', quietCallers, scale.forMs),
    crowd(comparison, noisy, TIMES * quietCallers, scale.forMs),
  ])
  const name = (what: string): string => `${target}: ${what}`
  findings.set(name('quiet calls'), beside.length)
  findings.set(name('noisy calls'), others.length)
  findings.set(name('solo p50 ms'), quantile(solo, 0.5))
  findings.set(name('solo p99 ms'), quantile(solo, 0.99))
  findings.set(name('quiet p50 ms'), quantile(beside, 0.5))
  findings.set(name('noisy p50 ms'), quantile(others, 0.5))
  findings.set(name('noisy p99 ms'), quantile(others, 0.99))
  findings.atMost(name('quiet p99 ms'), quantile(beside, 0.99), quantile(solo, 0.99) + holdMs + marginMs)
}

/** Milliseconds that each call waited: for its lease, or beyond the hold time for its answer. */
async function crowd(
  { pool, target, scale, findings }: Comparison,
  tenant: string,
  callers: number,
  forMs: number,
): Promise<readonly number[]> {
  const untilMs = performance.now() + forMs
  const waits: number[] = []
  const caller = async (number: number): Promise<void> => {
    const random = Random.of(scale.seed, number)
    for (let turn = 0; ; turn++) {
      await sleep(2 * random.next() * scale.pauseMs)
      if (performance.now() > untilMs) return
      const line = `${tenant} ${number} ${turn}\n`
      const startedMs = performance.now()
      const { heard, heldMs, waitedMs } = await ask[target](pool, tenant, line)
      if (heldMs !== null) findings.most(`${target}: longest hold ms`, heldMs)
      waits.push(waitedMs(startedMs, scale.holdMs))
      if (heard !== line) findings.violate(`${target}: ${heard} was heard for ${line}`)
    }
  }
  const done = await Promise.allSettled(Array.from({ length: callers }, (_, number) => caller(number)))
  for (const one of done) if (one.status === 'rejected') findings.violate(`${target}: ${String(one.reason)}`)
  return waits
}

type Asked = {
  readonly heard: string
  /** Milliseconds for which a lease was held; null where nobody has one. */
  readonly heldMs: number | null
  readonly waitedMs: (startedMs: number, holdMs: number) => number
}

const ask: Readonly<Record<Target, (pool: Pool, tenant: string, line: string) => Promise<Asked>>> = {
  exclusive: async (pool, tenant, line) => {
    const lease = await pool.lease('exclusive', { tenant, waitMs: PATIENCE_MS })
    const leasedMs = performance.now()
    lease.writer.write(line)
    const heard = await lease.reader.readUntil('\n', { timeoutMs: PATIENCE_MS })
    const heldMs = performance.now() - leasedMs
    void lease.release()
    return { heard: heard.toString(), heldMs, waitedMs: startedMs => leasedMs - startedMs }
  },
  shared: async (pool, tenant, line) => {
    const { data } = await pool.exchange('shared', { write: line, tenant, timeoutMs: PATIENCE_MS })
    const answeredMs = performance.now()
    const waitedMs = (startedMs: number, holdMs: number): number => answeredMs - startedMs - holdMs
    return { heard: data.toString(), heldMs: null, waitedMs }
  },
}
