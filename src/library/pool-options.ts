/** What a program says of its pool, and that as it was judged: all of it before a thread is started. */

import { DEFAULTS } from '../base/defaults.ts'
import type { Decision } from '../base/egress-data.ts'
import { ISOLATIONS, type Isolation } from '../base/isolation.ts'
import { LIMITS } from '../base/limits.ts'
import { choiceOption, countOption, invalidOption, optionsObject, requireFunction } from '../base/options.ts'
import type { LongParse } from '../base/parse-load.ts'
import type { RingSizes } from '../channel/slab.ts'
import { FORMAT_NAME, FORMAT_NAME_RULE } from '../config/schema.ts'
import type { TargetInput } from '../config/target-input.ts'
import { FORMAT_NAMES } from '../parse/formats/registry.ts'
import type { PoolEvent } from '../pool/pool-deps.ts'
import { chosenWorkerFile, ownWorkerFile, type WorkerFileInput } from './worker-files.ts'

export type PoolOptions = {
  /** I/O workers; default 1. */
  readonly ioWorkers?: number | undefined
  /** Parse workers of each kind at the most; default 1. */
  readonly parseWorkers?: number | undefined
  /** What bytes are decoded in: a thread, a process of its own, or, which is the default, by what they are. */
  readonly parseIsolation?: Isolation | undefined
  /** Formats of your own, by name: the modules that export their `decode`. */
  readonly formats?: Readonly<Record<string, URL | string>> | undefined
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
  /** The parse of a complete input takes long: told each second of it. */
  | { readonly kind: 'parse_long'; readonly parse: LongParse }
  /** Clients of servers were disconnected, because too many waited for their handshake or handler already. */
  | { readonly kind: 'clients_dropped'; readonly clients: number }
  | { readonly kind: 'decision'; readonly decision: Decision }

export type JudgedPool = {
  readonly ioWorkers: number
  readonly parseWorkers: number
  readonly parseIsolation: Isolation
  /** The `file:` URLs of modules. */
  readonly formats: Readonly<Record<string, string>>
  readonly targets: NonNullable<PoolOptions['targets']>
  readonly egress: PoolOptions['egress']
  readonly leasesMax: number
  readonly waitersMax: number
  readonly adHocMax: number
  readonly rings: RingSizes
  readonly ioWorkerFile: URL
  readonly parseWorkerFile: URL | undefined
  readonly onEvent: PoolOptions['onEvent']
}

/** Each option judged and read once; what a target says is judged by its own schema. Errors: INVALID_REQUEST. */
export function judgedPool(options: PoolOptions): JudgedPool {
  const {
    ioWorkers,
    parseWorkers,
    parseIsolation,
    formats,
    targets,
    egress,
    limits,
    adHocMax,
    rings,
    onEvent,
  } = optionsObject(options)
  const { ioWorkerFile, parseWorkerFile } = options
  const { leases, waiters } = limits === undefined ? {} : optionsObject(limits, 'limits')
  if (onEvent !== undefined) requireFunction('onEvent', onEvent)
  return {
    ioWorkers: countOption('ioWorkers', ioWorkers, 1, LIMITS.workersMax) ?? 1,
    parseWorkers: countOption('parseWorkers', parseWorkers, 1, LIMITS.workersMax) ?? DEFAULTS.parseWorkers,
    parseIsolation: choiceOption('parseIsolation', parseIsolation, ISOLATIONS) ?? DEFAULTS.parseIsolation,
    formats: formats === undefined ? {} : judgedFormats(optionsObject(formats, 'formats')),
    targets: targets === undefined ? {} : { ...optionsObject(targets, 'targets') },
    egress: egress === undefined ? undefined : judgedEgress(egress),
    leasesMax: countOption('limits.leases', leases, 1) ?? DEFAULTS.leasesMax,
    waitersMax: countOption('limits.waiters', waiters, 1) ?? DEFAULTS.waitersMax,
    adHocMax: countOption('adHocMax', adHocMax, 1, LIMITS.channelsMax) ?? DEFAULTS.poolMax,
    rings: judgedRings(rings === undefined ? {} : optionsObject(rings, 'rings')),
    ioWorkerFile:
      ioWorkerFile === undefined
        ? ownWorkerFile('ioWorkerFile', 'io-worker')
        : chosenWorkerFile('ioWorkerFile', ioWorkerFile),
    // A program that parses nothing needs no such file.
    parseWorkerFile:
      parseWorkerFile === undefined ? undefined : chosenWorkerFile('parseWorkerFile', parseWorkerFile),
    onEvent,
  }
}

/** Names that are free, and files that are there. */
function judgedFormats(formats: NonNullable<PoolOptions['formats']>): JudgedPool['formats'] {
  const entries = Object.entries(formats).map(([name, module]): [string, string] => {
    const path = `formats.${name}`
    if (!new RegExp(FORMAT_NAME).test(name)) throw invalidOption(path, `must have ${FORMAT_NAME_RULE}`)
    if (FORMAT_NAMES.includes(name))
      throw invalidOption(path, 'is the name of a format that comes with sockpool')
    return [name, chosenWorkerFile(path, module).href]
  })
  return Object.fromEntries(entries)
}

/** The rules themselves are judged where they are read. */
export function judgedEgress(egress: NonNullable<PoolOptions['egress']>): NonNullable<PoolOptions['egress']> {
  const { allow, dnsServers = [] } = optionsObject(egress, 'egress')
  return { allow: texts('egress.allow', allow), dnsServers: texts('egress.dnsServers', dnsServers) }
}

function texts(path: string, list: readonly string[]): readonly string[] {
  if (Array.isArray(list) && list.every(text => typeof text === 'string')) return [...list]
  throw invalidOption(path, 'must be a list of strings')
}

function judgedRings(rings: Partial<RingSizes>): RingSizes {
  const { inboundBytes: inbound, outboundBytes: outbound, wideBytes: wide } = rings
  const size = (path: string, bytes: number | undefined, min: number): number | undefined =>
    countOption(path, bytes, min, LIMITS.ringBytesMax)
  const inboundBytes = size('rings.inboundBytes', inbound, 1) ?? LIMITS.inboundRingBytes
  const outboundBytes = size('rings.outboundBytes', outbound, 1) ?? LIMITS.outboundRingBytes
  const wideBytes = size('rings.wideBytes', wide, 0) ?? (inbound === undefined ? LIMITS.wideRingBytes : 0)
  if (wideBytes % inboundBytes !== 0)
    throw invalidOption('rings.wideBytes', 'must be a multiple of inboundBytes')
  return { inboundBytes, outboundBytes, wideBytes }
}
