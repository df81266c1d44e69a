/**
 * A target: where to connect and how. This is the shape the pool takes, plain data that can cross a thread, and
 * built afresh field by field: nothing of a caller's own object ever reaches a dial.
 */

import { DEFAULTS } from '../base/defaults.ts'
import { SockpoolError } from '../base/errors.ts'
import type { FrameSpec } from '../frames/frame-spec.ts'
import type { HostPort } from './address.ts'
import { childPath, complete } from './complete.ts'
import type { ConfigFault } from './config-error.ts'
import { checkDialogs } from './dialog-check.ts'
import { fileUrl } from './file-url.ts'
import { interpret } from './interpret.ts'
import { checkMultiplex, type MultiplexDraft, type MultiplexSettings, multiplexOf } from './multiplex.ts'
import { plainCopy } from './plain-copy.ts'
import { checkPreset, type PresetChoice, presetFrame, presetParts } from './presets/presets.ts'
import { field, isRecord } from './schema-node.ts'
import { flatDialog, type TargetDialog, type TargetDialogModule } from './target-dialog.ts'
import { type BALANCES, libraryTargetSchema, type REUSE_RULES } from './target-schema.ts'
import type { TargetTls } from './target-tls.ts'

export type { TargetTls } from './target-tls.ts'

export type Balance = (typeof BALANCES)[number]

export type Reuse = (typeof REUSE_RULES)[number]

/** The pool's bounds: counts of connections, durations in milliseconds. */
export type PoolSettings = {
  readonly min: number
  readonly max: number
  readonly idleTimeoutMs: number
  readonly maxLifetimeMs: number
  /** 0 does not wait. */
  readonly waitTimeoutMs: number
  readonly leaseTtlMs: number
  readonly connectTimeoutMs: number
  /** Leases that one connection serves; 0: no bound. */
  readonly maxUses: number
  /** Idle for longer, a connection is probed before it is lent. */
  readonly probeAfterMs: number
  /** How often an idle connection is probed; 0: only before it is lent. */
  readonly keepaliveMs: number
  /** Dials under way at once. */
  readonly maxConnecting: number
}

/** When a target that fails is left alone. */
export type BreakerSettings = {
  /** Dials and dialogs in a row that failed. */
  readonly failures: number
  /** Milliseconds until one dial may try again. */
  readonly openForMs: number
}

export type Target = {
  /** At least one, as written; which address of which host is dialled is the dialler's choice. */
  readonly hosts: readonly HostPort[]
  /** Means nothing to a single host. */
  readonly balance: Balance
  readonly tls: false | TargetTls
  readonly pool: PoolSettings
  readonly breaker: false | BreakerSettings
  readonly onConnect?: TargetDialog | TargetDialogModule
  readonly probe?: TargetDialog
  readonly onRelease?: TargetDialog
  readonly frame?: FrameSpec
  readonly multiplex?: MultiplexSettings
  readonly reuse: Reuse
  readonly leakDetectionMs?: number
}

/** A target as the schema has interpreted it: units are settled, hosts and tls still have their spellings. */
export type TargetDraft = Omit<Target, 'hosts' | 'tls' | 'reuse' | 'breaker' | 'balance' | 'multiplex'> & {
  readonly host?: string
  readonly port?: number
  readonly hosts?: readonly HostPort[]
  readonly balance?: Balance
  readonly tls?: boolean | TargetTls
  readonly breaker?: boolean | BreakerSettings
  readonly reuse?: Reuse
  readonly multiplex?: MultiplexDraft
  readonly preset?: PresetChoice
}

const BREAKER: BreakerSettings = {
  failures: DEFAULTS.breakerFailures,
  openForMs: DEFAULTS.breakerOpenForMs,
}

type Report = (path: string, message: string) => void

/**
 * The faults of a completed target that no single field shows. The input may be faulty in other ways, which are
 * not reported here.
 */
export function checkTarget(target: unknown, path: string, report: Report): void {
  const [host, port, hosts] = ['host', 'port', 'hosts'].map(key => field(target, key))
  if (hosts !== undefined) {
    if (host !== undefined) report(childPath(path, 'host'), 'cannot stand beside hosts; use one of them')
    if (port !== undefined)
      report(childPath(path, 'port'), 'cannot stand beside hosts, which name their ports')
  } else if (host === undefined) report(childPath(path, 'host'), 'is required: a host and a port, or hosts')
  else if (port === undefined) report(childPath(path, 'port'), 'is required beside host')
  const [cert, key] = ['cert', 'key'].map(part => field(field(target, 'tls'), part))
  if (cert !== undefined && key === undefined) report(childPath(path, 'tls.key'), 'is required beside cert')
  if (key !== undefined && cert === undefined) report(childPath(path, 'tls.cert'), 'is required beside key')
  const [min, max] = ['min', 'max'].map(bound => field(field(target, 'pool'), bound))
  if (typeof min === 'number' && typeof max === 'number' && min > max && max >= 1)
    report(childPath(path, 'pool.min'), `must not be above pool.max, which is ${max}`)
  const preset = field(target, 'preset')
  checkPreset(preset, childPath(path, 'preset'), report)
  const frame = field(target, 'frame') ?? presetFrame(preset)
  checkDialogs(target, frame !== undefined, path, report)
  checkMultiplex(target, frame, path, report)
}

/** The target that a faultless draft means. */
export function buildTarget(draft: TargetDraft): Target {
  const { host, port, hosts, balance = 'round-robin', tls = false, breaker = true } = draft
  const { reuse, pool, preset, multiplex, leakDetectionMs } = draft
  const { frame, onConnect, probe, onRelease } = { ...presetParts(preset), ...draft }
  return {
    hosts: hosts ?? (host === undefined || port === undefined ? [] : [{ host, port }]),
    balance,
    tls: tls === true ? {} : tls,
    pool,
    breaker: breaker === true ? BREAKER : breaker,
    ...(onConnect && { onConnect: 'module' in onConnect ? onConnect : flatDialog(onConnect) }),
    ...(probe && { probe: flatDialog(probe) }),
    ...(onRelease && { onRelease: flatDialog(onRelease) }),
    ...(frame && { frame }),
    ...(multiplex && { multiplex: multiplexOf(multiplex) }),
    reuse: reuse ?? (frame || onRelease ? 'clean' : 'never'),
    ...(leakDetectionMs !== undefined && { leakDetectionMs }),
  }
}

/**
 * The target that a library caller's object means.
 *
 * Takes the config file's fields, PEM text in place of file names, and for each duration also its name in
 * milliseconds (`pool.idleTimeoutMs: 60_000` or `pool.idleTimeout: '60s'`). A Target passes through as an equal one.
 * `path` stands in front of the paths of errors; default: none.
 *
 * Errors: INVALID_REQUEST with every fault in `errors`.
 */
export function normaliseTarget(input: unknown, path = ''): Target {
  const faults: ConfigFault[] = []
  // Where the caller said `idleTimeoutMs`, a fault of `idleTimeout` is one of `idleTimeoutMs`.
  const renamed = new Map<string, string>()
  const report = (where: string, message: string): void => {
    const named = renamed.get(where) ?? where
    // What is no data at all is missing besides: the first word on it is the truer one.
    if (!faults.some(fault => fault.path === named)) faults.push({ path: named, message })
  }
  const copy = foldMilliseconds(copyBesideFrame(input, path, report), path, renamed, report)
  const variable = (): undefined => undefined
  const completed = complete(libraryTargetSchema, copy, path, { variable, report })
  const readFile = (): string => ''
  // A program knows where its modules are.
  const resolveFile = (name: string): string | null => fileUrl(name)
  // The schema has no node of the library's form that reads a file, and every faultless result is a draft.
  const draft = interpret(libraryTargetSchema, completed, path, {
    report,
    readFile,
    resolveFile,
    variable,
  }) as TargetDraft
  checkTarget(completed, path, report)
  if (faults.length === 0) return buildTarget(draft)
  const [first] = faults
  const more = faults.length > 1 ? ` (and ${faults.length - 1} more)` : ''
  const message = `${first?.path || 'target'}: ${first?.message}${more}`
  throw new SockpoolError('INVALID_REQUEST', message, { errors: faults })
}

/** A copy of all but the frame: that may hold bytes, and has a judge of its own, which copies it. */
function copyBesideFrame(input: unknown, path: string, report: Report): unknown {
  if (!isRecord(input) || Object.getPrototypeOf(input) !== Object.prototype)
    return plainCopy(input, path, report)
  const { frame, ...rest } = input
  const copy = plainCopy(rest, path, report)
  return isRecord(copy) && frame !== undefined ? { ...copy, frame } : copy
}

const DIALOGS = new Set(['onConnect', 'probe', 'onRelease'])
const DURATIONS = new Set([
  'idleTimeout',
  'maxLifetime',
  'waitTimeout',
  'leaseTtl',
  'connectTimeout',
  'leakDetection',
  'openFor',
  'probeAfter',
  'keepalive',
  'timeout',
  'wait',
])

/** The mappings of a target that hold durations. */
const MAPPINGS = new Set(['pool', 'breaker'])

function foldMilliseconds(
  value: unknown,
  path: string,
  renamed: Map<string, string>,
  report: Report,
): unknown {
  if (!isRecord(value)) return value
  const entries = new Map<string, unknown>()
  for (const [key, own] of Object.entries(value)) {
    const name = key.endsWith('Ms') && DURATIONS.has(key.slice(0, -2)) ? key.slice(0, -2) : key
    const where = childPath(path, key)
    if (entries.has(name) || (name !== key && Object.hasOwn(value, name) && value[name] !== undefined)) {
      report(where, `cannot stand beside ${name}; use one of them`)
      continue
    }
    if (name !== key) {
      renamed.set(childPath(path, name), where)
      if (own !== undefined && typeof own !== 'number') report(where, 'must be a number of milliseconds')
    }
    // A timer knows no fractions of a millisecond.
    const whole = name !== key && typeof own === 'number' && own >= 0 ? Math.ceil(own) : own
    const fold = (value: unknown, at: string): unknown => foldMilliseconds(value, at, renamed, report)
    if (MAPPINGS.has(key)) entries.set(name, fold(own, where))
    else if (DIALOGS.has(key) && Array.isArray(own))
      entries.set(
        name,
        own.map((step, index) => fold(step, childPath(where, String(index)))),
      )
    else entries.set(name, whole)
  }
  return Object.fromEntries(entries)
}
