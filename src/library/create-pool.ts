/**
 * Joins the parts of a pool: I/O workers, parse workers, targets and egress rules. The library and the service
 * build theirs here, the service with rules for what callers may dial.
 */
import { DEFAULTS } from '../base/defaults.ts'
import type { DecisionReason } from '../base/egress-data.ts'
import type { ParseTally } from '../base/parse-tally.ts'
import { normaliseTarget } from '../config/target.ts'
import { EgressRules } from '../egress/egress-rules.ts'
import { type Authority, admit } from '../egress/judge.ts'
import { Parsers } from '../parse/parsers.ts'
import { Pool } from '../pool/pool.ts'
import type { PoolEvent } from '../pool/pool-deps.ts'
import type { PermitsOf } from '../pool/target/permits.ts'
import { PoolNews } from '../pool/target/pool-news.ts'
import type { TargetTallies } from '../pool/target/target-tally.ts'
import { IoFleet } from '../threads/io-fleet.ts'
import { describedTarget } from './described-target.ts'
import { judgedReload } from './judged-reload.ts'
import { type JudgedPool, judgedPool, type PoolOptions, type WorkerEvent } from './pool-options.ts'

export type { PoolOptions, WorkerEvent } from './pool-options.ts'

/** What only a service sets. */
export type ServiceTraits = {
  readonly defaultTtl: 'target' | 'none'
  /** Connections of all targets at once; default: as many as there are channels. */
  readonly connectionsMax?: number
  /** Bytes of an input to parse, or of one message. */
  readonly parseBytesMax: number
  /** What is counted for whoever scrapes; default: nothing is, and it costs nothing. */
  readonly metered?: {
    readonly tallies: TargetTallies
    readonly parse: ParseTally
    /** A target was refused that a caller described, before anything was dialled. */
    readonly onDenied: (reason: DecisionReason) => void
  }
  /** Who else bounds the pools of named targets; default: nobody does. */
  readonly permitsOf?: PermitsOf
  /** Makes the ids of leases, none of which can be guessed; default: random ones. */
  readonly leaseIds?: () => string
}

/** A pool, and the handle by which its egress rules learn what this process listens on. */
export type JoinedPool = {
  readonly pool: Pool
  readonly deny: (denied: Parameters<EgressRules['setDenied']>[0]) => void
  readonly fleet: Pick<IoFleet, 'figures' | 'missedWakes'>
  readonly parsers: Pick<Parsers, 'stats'>
}

const LIBRARY: ServiceTraits = {
  defaultTtl: 'none',
  parseBytesMax: DEFAULTS.bodyBytesMax,
}

/**
 * A pool of connections that live in I/O workers.
 *
 * Errors: INVALID_REQUEST with every fault of the options in `errors`.
 */
export async function createPool(options: PoolOptions = {}): Promise<Pool> {
  return joinPool(options, LIBRARY).pool
}

export function joinPool(options: PoolOptions, traits: ServiceTraits): JoinedPool {
  const judged = judgedPool(options)
  const { egress, adHocMax, leasesMax, waitersMax } = judged
  const tell = teller(judged.onEvent)
  const targets = Object.fromEntries(
    Object.entries(judged.targets).map(([name, input]) => [name, normaliseTarget(input, `targets.${name}`)]),
  )
  const rules = new EgressRules(egress?.allow ?? [])
  const parsers = parsersOf(judged, traits, tell)
  const news = new PoolNews()
  const fleet = fleetOf(judged, traits, tell, news)
  const pool = new Pool({
    targets,
    fleet,
    parse: parsers,
    closeParse: () => parsers.close(),
    adHoc: described =>
      describedTarget(described, {
        max: adHocMax,
        isOwnAuthority: egress === undefined,
      }),
    adHocAuthority: egress ? 'rules' : 'operator',
    admit: ({ host, port }, tenant) => {
      const authority: Authority = egress ? { kind: 'rules', rules, tenant } : { kind: 'operator' }
      admit({ host, port, authority }, traits.metered?.onDenied)
    },
    leasesMax,
    waitersMax,
    connectionsMax: traits.connectionsMax,
    defaultTtl: traits.defaultTtl,
    judge: reload => judgedReload(reload, { rules: egress ? rules : null, fleet }),
    onEvent: tell,
    news,
    tallies: traits.metered?.tallies,
    permitsOf: traits.permitsOf,
    leaseIds: traits.leaseIds,
  })
  const deny: JoinedPool['deny'] = denied => {
    rules.setDenied(denied)
    fleet.setDenied(rules.data().denied)
  }
  return { pool, deny, fleet, parsers }
}

function parsersOf(
  { parseWorkers, parseIsolation, parseWorkerFile, formats }: JudgedPool,
  { parseBytesMax, metered }: ServiceTraits,
  tell: (event: WorkerEvent) => void,
): Parsers {
  return new Parsers({
    workers: parseWorkers,
    isolation: parseIsolation,
    file: parseWorkerFile,
    bytesMax: parseBytesMax,
    formats,
    onProgress: parse => tell({ kind: 'parse_long', parse }),
    tally: metered?.parse,
  })
}

function fleetOf(
  { ioWorkers, ioWorkerFile, rings, egress }: JudgedPool,
  { connectionsMax, metered }: ServiceTraits,
  tell: (event: WorkerEvent | PoolEvent) => void,
  news: PoolNews,
): IoFleet {
  return new IoFleet({
    workers: ioWorkers,
    egress: { allow: egress?.allow ?? [], denied: [], dnsServers: egress?.dnsServers ?? [] },
    ringSizes: rings,
    workerFile: ioWorkerFile,
    connectionsMax,
    watched: metered === undefined ? 'nothing' : 'loop delay',
    onDecision: decision => tell({ kind: 'decision', decision }),
    onDropped: clients => tell({ kind: 'clients_dropped', clients }),
    onFault: error => tell({ kind: 'fault', error }),
    onMissedWake: () => tell({ kind: 'missed_wake' }),
    onWorkerLost: (worker, error) => {
      news.tell('worker', null, { worker, reason: 'lost' })
      tell({ kind: 'worker_lost', worker, error })
    },
  })
}

/** The program's listener as the pool calls it: what it throws is its own fault, and disturbs nobody's lease. */
function teller(onEvent: PoolOptions['onEvent']): (event: PoolEvent | WorkerEvent) => void {
  return event => {
    try {
      onEvent?.(event)
    } catch (error) {
      process.emitWarning(error instanceof Error ? error : String(error))
    }
  }
}
