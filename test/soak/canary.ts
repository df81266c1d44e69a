/**
 * Nobody ever gets a byte that is another's: leases and exchanges without end over framed, dialog and multiplexed targets, whose
 * callers give up and whose peers are late, break off, or end. Meanwhile the conservation law holds, and in the end every slot is
 * back.
 */
import { createPool } from '../../src/library/create-pool.ts'
import type { Pool } from '../../src/pool/pool.ts'
import { Random } from '../support/fence-random.ts'
import { until } from '../support/until.ts'
import { CanaryCaller } from './canary-callers.ts'
import type { CanaryPeerReport, CanaryPorts } from './canary-peers.ts'
import { Findings, type PlayReport, type PlayWatch } from './findings.ts'
import { LawWatch } from './law-watch.ts'
import { PeerThread } from './peer-thread.ts'
import { RESET, RESET_ANSWER, type WireName } from './wires.ts'

export type CanaryScale = {
  readonly seed: number
  /** Leases and messages in all. */
  readonly leases: number
  /** Connections that must be there at once. */
  readonly connections: number
}

const PEERS = new URL('./canary-peers.ts', import.meta.url)
/** Milliseconds in which all that is under way is to end. */
const SETTLE_MS = 20_000

type Company = { readonly wire: WireName; readonly callers: number; readonly aloneShare: number }

/** More callers than connections, wherever these are not shared. */
const COMPANIES: readonly Company[] = [
  { wire: 'line', callers: 36, aloneShare: 0.3 },
  { wire: 'dialog', callers: 36, aloneShare: 0.3 },
  { wire: 'resp', callers: 14, aloneShare: 0 },
  { wire: 'resp', callers: 40, aloneShare: 1 },
  { wire: 'modbus', callers: 40, aloneShare: 1 },
]

export async function canary(
  { seed, leases, connections }: CanaryScale,
  watched: PlayWatch = () => {},
): Promise<PlayReport> {
  const findings = new Findings()
  findings.set('seed', seed)
  const { peers, said: ports } = await PeerThread.start<CanaryPorts>(PEERS, {})
  const pool = await openPool(ports, findings)
  const watch = new LawWatch(pool, findings)
  try {
    const startedMs = performance.now()
    await crowd(pool, findings, seed, leases, watched)
    findings.set('seconds', (performance.now() - startedMs) / 1_000)
    await settled(pool, findings, peers)
    watch.look()
  } finally {
    watch.stop()
    await pool.close()
  }
  const report = await lastReport(peers)
  await peers.close()
  judge(findings, report, connections)
  return findings.report('canary')
}

function openPool(ports: CanaryPorts, findings: Findings): Promise<Pool> {
  const host = '127.0.0.1'
  const onRelease = [{ send: RESET }, { expect: RESET_ANSWER }]
  const shared = { connections: 8, inFlight: 16 }
  const match = { offset: 0, bytes: 2 } as const
  return createPool({
    ioWorkers: 2,
    targets: {
      line: { host, port: ports.line, frame: 'line', pool: { max: 26 } },
      dialog: { host, port: ports.dialog, onRelease, pool: { max: 26 } },
      resp: {
        ...{ host, port: ports.resp, frame: 'resp', pool: { max: 18 } },
        multiplex: { ...shared, orphanMs: 300 },
      },
      modbus: {
        ...{ host, port: ports.modbus, frame: 'modbus', pool: { max: 8 } },
        multiplex: { ...shared, match, orphanMs: 200 },
      },
    },
    onEvent: event => {
      if (event.kind === 'lost') findings.count(`lost under a lease: ${event.how}`)
      else if (event.kind !== 'decision') findings.violate(`the pool tells of ${event.kind}`)
    },
  })
}

async function crowd(
  pool: Pool,
  findings: Findings,
  seed: number,
  leases: number,
  watched: PlayWatch,
): Promise<void> {
  let owners = 0
  const nextOwner = (): number | null => {
    if (owners >= leases || findings.hasViolations) return null
    watched(owners, leases)
    return owners++
  }
  const callers = COMPANIES.flatMap(({ wire, callers: count, aloneShare }, company) =>
    Array.from({ length: count }, (_, number) => {
      const random = Random.of(seed, company * 1_000 + number)
      return new CanaryCaller({ pool, target: wire, wire, random, findings, nextOwner }).run(aloneShare)
    }),
  )
  await Promise.all(callers)
  findings.set('owners', owners)
}

/** What is left then lies idle, or is shared; the peers count the same. */
async function settled(pool: Pool, findings: Findings, peers: PeerThread): Promise<void> {
  const busy = (): number => {
    const { leases, waiters, connections } = pool.stats()
    const { connecting, leased, quarantined, closing } = connections
    const shared = pool
      .targets()
      .map(({ multiplex }) => (multiplex?.inFlight ?? 0) + (multiplex?.queued ?? 0))
    const calls = shared.reduce((sum, one) => sum + one, 0)
    return leases + waiters + connecting + leased + quarantined + closing + calls
  }
  await until('everything came back', () => busy() === 0, SETTLE_MS).catch(() =>
    findings.violate(`left: ${JSON.stringify(pool.stats())}`),
  )
  const { idle, multiplexed } = pool.stats().connections
  for (const untilMs = performance.now() + SETTLE_MS; ; ) {
    const { open } = await peers.ask<CanaryPeerReport>('report')
    if (open === idle + multiplexed) break
    if (performance.now() < untilMs) continue
    findings.violate(`the peers have ${open} connections, the pool ${idle + multiplexed}`)
    break
  }
}

/** What the peers tell once no connection is open; or, after a while, all the same. */
async function lastReport(peers: PeerThread): Promise<CanaryPeerReport> {
  for (const untilMs = performance.now() + SETTLE_MS; ; ) {
    const report = await peers.ask<CanaryPeerReport>('report')
    if (report.open === 0 || performance.now() > untilMs) return report
  }
}

function judge(findings: Findings, report: CanaryPeerReport, connections: number): void {
  const { foreign, foreignCount, requests, connections: accepted, open, openMost } = report
  findings.set('requests at the peers', requests)
  findings.set('connections at the peers', accepted)
  findings.set('connections at once at the peers', openMost)
  findings.set('foreign requests', foreignCount)
  for (const told of foreign) findings.violate(`a peer heard what is foreign: ${told}`)
  if (open > 0) findings.violate(`${open} connections are left at the peers`)
  if (findings.of('connections at once') < connections)
    findings.violate(`no more than ${findings.of('connections at once')} connections were there at once`)
}
