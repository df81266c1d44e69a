/**
 * Joins the parts of a pool: I/O workers, parse workers, targets and egress rules. The library and the service
 * build theirs here, the service with rules for what callers may dial.
 */

import type { Decision } from '../base/egress-data.ts'
import { SockpoolError } from '../base/errors.ts'
import { DEFAULTS, LIMITS } from '../base/limits.ts'
import type { RingSizes } from '../channel/slab.ts'
import { normaliseTarget } from '../config/target.ts'
import type { TargetInput } from '../config/target-input.ts'
import { EgressRules } from '../egress/egress-rules.ts'
import { type Authority, admit } from '../egress/judge.ts'
import { Parsers } from '../parse/parsers.ts'
import { Pool } from '../pool/pool.ts'
import type { PoolEvent } from '../pool/pool-deps.ts'
import { IoFleet } from '../threads/io-fleet.ts'
import { describedTarget } from './described-target.ts'
import { chosenWorkerFile, ownWorkerFile, type WorkerFileInput } from './worker-files.ts'

export type PoolOptions = {
  /** I/O workers; default 1. */
  readonly ioWorkers?: number | undefined
  /** Parse workers of each kind at the most; default 1. */
  readonly parseWorkers?: number | undefined
  /** By name: what the config file says of a target, durations also as `...Ms`, PEM as text. */
  readonly targets?: Readonly<Record<string, TargetInput>> | undefined
  /**
   * What may be dialled beside the named targets, as rules `HOST[:PORTS]`. Without it the library's caller is its
   * own authority.
   */
  readonly egress?: { readonly allow: readonly string[]; readonly dnsServers?: readonly string[] } | undefined
  readonly limits?: { readonly leases?: number; readonly waiters?: number } | undefined
  /** Connections to one described (ad-hoc) target at the most; default 10. */
  readonly adHocMax?: number | undefined
  /**
   * Bytes of the rings of a connection; default 256 KiB in, 64 KiB out, and 4 MiB for the few wide ones that fast
   * streams move to. Who sets `inboundBytes` and no `wideBytes` has no wide ones.
   */
  readonly rings?: Partial<RingSizes> | undefined
  /**
   * The entry files of the threads, for those who bundle this package: what `sockpool/io-worker` and
   * `sockpool/parse-worker` export. Default: `io-worker.js` and `parse-worker.js` beside the module that runs.
   */
  readonly ioWorkerFile?: WorkerFileInput | undefined
  readonly parseWorkerFile?: WorkerFileInput | undefined
  readonly onEvent?: ((event: PoolEvent | WorkerEvent) => void) | undefined
}

export type WorkerEvent =
  | { readonly kind: 'worker_lost'; readonly worker: number; readonly error: Error | null }
  | { readonly kind: 'missed_wake' }
  /** Clients of servers were disconnected, because too many waited for their handshake or handler already. */
  | { readonly kind: 'clients_dropped'; readonly clients: number }
  | { readonly kind: 'decision'; readonly decision: Decision }

/** What only a service sets. */
export type ServiceTraits = {
  readonly replayBytes: number
  readonly defaultTtl: 'target' | 'none'
  /** Connections of all targets at once; default: as many as there are channels. */
  readonly connectionsMax?: number
  /** Bytes of an input to parse, or of one message. */
  readonly parseBytesMax: number
}

const LIBRARY: ServiceTraits = {
  replayBytes: 0,
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

/** A pool, and the handle by which its egress rules learn what this process listens on. */
export function joinPool(
  options: PoolOptions,
  traits: ServiceTraits,
): { readonly pool: Pool; readonly deny: (denied: Parameters<EgressRules['setDenied']>[0]) => void } {
  const { egress } = options
  const tell = teller(options.onEvent)
  const targets = Object.fromEntries(
    Object.entries(options.targets ?? {}).map(([name, input]) => [
      name,
      normaliseTarget(input, `targets.${name}`),
    ]),
  )
  const rules = new EgressRules(egress?.allow ?? [])
  const parsers = parsersOf(options, traits)
  const fleet = fleetOf(options, traits, tell)
  const pool = new Pool({
    targets,
    fleet,
    parse: parsers,
    closeParse: () => parsers.close(),
    adHoc: described =>
      describedTarget(described, {
        max: options.adHocMax ?? DEFAULTS.poolMax,
        isOwnAuthority: egress === undefined,
      }),
    adHocAuthority: egress ? 'rules' : 'operator',
    admit: ({ host, port }, tenant) => {
      const authority: Authority = egress ? { kind: 'rules', rules, tenant } : { kind: 'operator' }
      admit({ host, port, authority })
    },
    leasesMax: options.limits?.leases ?? DEFAULTS.leasesMax,
    waitersMax: options.limits?.waiters ?? DEFAULTS.waitersMax,
    replayBytes: traits.replayBytes,
    defaultTtl: traits.defaultTtl,
    onEvent: tell,
  })
  const deny: ReturnType<typeof joinPool>['deny'] = denied => {
    rules.setDenied(denied)
    fleet.setDenied(rules.data().denied)
  }
  return { pool, deny }
}

function parsersOf(
  { parseWorkers, parseWorkerFile }: PoolOptions,
  { parseBytesMax }: ServiceTraits,
): Parsers {
  // A program that parses nothing needs no such file.
  const file =
    parseWorkerFile === undefined ? undefined : chosenWorkerFile('parseWorkerFile', parseWorkerFile)
  return new Parsers({ workers: parseWorkers, file, bytesMax: parseBytesMax })
}

function fleetOf(
  options: PoolOptions,
  { connectionsMax }: ServiceTraits,
  tell: (event: WorkerEvent | PoolEvent) => void,
): IoFleet {
  const { ioWorkers = 1, egress, ioWorkerFile } = options
  checkCount('ioWorkers', ioWorkers, LIMITS.workersMax)
  return new IoFleet({
    workers: ioWorkers,
    egress: { allow: egress?.allow ?? [], denied: [], dnsServers: egress?.dnsServers ?? [] },
    ringSizes: ringSizesOf(options.rings ?? {}),
    workerFile:
      ioWorkerFile === undefined
        ? ownWorkerFile('ioWorkerFile', 'io-worker')
        : chosenWorkerFile('ioWorkerFile', ioWorkerFile),
    connectionsMax,
    onDecision: decision => tell({ kind: 'decision', decision }),
    onDropped: clients => tell({ kind: 'clients_dropped', clients }),
    onFault: error => tell({ kind: 'fault', error }),
    onMissedWake: () => tell({ kind: 'missed_wake' }),
    onWorkerLost: (worker, error) => tell({ kind: 'worker_lost', worker, error }),
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

function ringSizesOf(rings: Partial<RingSizes>): RingSizes {
  const { inboundBytes = LIMITS.inboundRingBytes, outboundBytes = LIMITS.outboundRingBytes } = rings
  const wideBytes = rings.wideBytes ?? (rings.inboundBytes === undefined ? LIMITS.wideRingBytes : 0)
  checkCount('rings.inboundBytes', inboundBytes, LIMITS.ringBytesMax)
  checkCount('rings.outboundBytes', outboundBytes, LIMITS.ringBytesMax)
  if (wideBytes !== 0) checkCount('rings.wideBytes', wideBytes, LIMITS.ringBytesMax)
  if (wideBytes % inboundBytes !== 0) refuse('rings.wideBytes', 'must be a multiple of inboundBytes')
  return { inboundBytes, outboundBytes, wideBytes }
}

function checkCount(path: string, value: number, max: number): void {
  if (Number.isInteger(value) && value >= 1 && value <= max) return
  refuse(path, `must be a whole number from 1 to ${max}`)
}

function refuse(path: string, message: string): never {
  throw new SockpoolError('INVALID_REQUEST', `${path}: ${message}`, { errors: [{ path, message }] })
}
