/**
 * What a configuration that was read anew changes of the one that runs. A part of it can hold only from a start on: it
 * stays as it is, and is told by its path.
 */
import { isDeepStrictEqual } from 'node:util'
import { formatAddress } from './address.ts'
import type { Config, Token } from './config.ts'

/** How many of one kind there are of each sort. */
export type ChangeCounts = {
  readonly added: number
  readonly changed: number
  readonly removed: number
  readonly unchanged: number
}

export type ConfigChange = {
  /** What runs from now on. */
  readonly config: Config
  /** Keys that say something else, and need a restart for it. */
  readonly ignored: readonly string[]
  readonly targets: ChangeCounts
  readonly tokens: ChangeCounts
  /** Told apart by where they listen. */
  readonly forwards: ChangeCounts
}

/**
 * The keys that need a restart, and what stands behind each. `http.tls` can hold another certificate, key or authority,
 * while the listener goes on to speak TLS or not, and to ask for certificates or not.
 */
const FIXED: readonly { readonly path: string; readonly of: (config: Config) => unknown }[] = [
  { path: 'listen', of: config => config.listen },
  { path: 'ioWorkers', of: config => config.ioWorkers },
  { path: 'parse.workers', of: config => config.parse.workers },
  { path: 'parse.isolation', of: config => config.parse.isolation },
  { path: 'parse.formats', of: config => config.parse.formats },
  { path: 'http.threads', of: config => config.http.threads },
  { path: 'http.tls', of: config => config.http.tls !== null },
  { path: 'http.tls.clientCa', of: config => config.http.tls?.clientCa !== undefined },
  { path: 'metrics.listen', of: config => config.metrics.listen },
  { path: 'limits.bodyBytes', of: config => config.limits.bodyBytes },
  { path: 'limits.operationTimeout', of: config => config.limits.operationTimeoutMs },
  { path: 'fleet', of: config => config.fleet },
  { path: 'telemetry.traces', of: config => config.telemetry.traces },
]

export function configChange(running: Config, next: Config): ConfigChange {
  const differs = FIXED.filter(({ of }) => !isDeepStrictEqual(of(running), of(next))).map(({ path }) => path)
  return {
    config: runnable(running, next),
    // Whoever takes TLS off takes its authorities along.
    ignored: differs.filter(path => path !== 'http.tls.clientCa' || !differs.includes('http.tls')),
    targets: counts(running.targets, next.targets),
    tokens: counts(byName(running.auth?.tokens), byName(next.auth?.tokens)),
    forwards: counts(byPlace(running.forwards), byPlace(next.forwards)),
  }
}

/** The next one, with what needs a restart as it runs. A new key of the config has to be put on either side here. */
function runnable(running: Config, next: Config): Config {
  const { targets, egress, ingress, limits, http, forwards } = next
  const { listen, ioWorkers, parse, fleet, metrics, telemetry, logLevel } = running
  const { bodyBytes, operationTimeoutMs } = running.limits
  return {
    listen,
    ioWorkers,
    parse,
    ingress,
    forwards,
    fleet,
    metrics,
    telemetry,
    logLevel,
    targets,
    egress,
    // That no token is asked for is said by a flag, which no file changes.
    auth: running.auth && next.auth,
    http: { ...http, threads: running.http.threads, tls: tlsOf(running.http.tls, http.tls) },
    limits: { ...limits, bodyBytes, operationTimeoutMs },
  }
}

type Tls = Config['http']['tls']

function tlsOf(running: Tls, next: Tls): Tls {
  if (running === null || next === null) return running
  const asksBoth = (running.clientCa === undefined) === (next.clientCa === undefined)
  if (asksBoth) return next
  const { cert, key } = next
  return running.clientCa === undefined ? { cert, key } : { cert, key, clientCa: running.clientCa }
}

function byName(tokens: readonly Token[] = []): Readonly<Record<string, Token>> {
  return Object.fromEntries(tokens.map(token => [token.name, token]))
}

function byPlace(forwards: Config['forwards']): Readonly<Record<string, unknown>> {
  return Object.fromEntries(forwards.map(forward => [formatAddress(forward.listen), forward]))
}

function counts(
  before: Readonly<Record<string, unknown>>,
  after: Readonly<Record<string, unknown>>,
): ChangeCounts {
  const count = { added: 0, changed: 0, removed: 0, unchanged: 0 }
  for (const [name, value] of Object.entries(after)) {
    if (!Object.hasOwn(before, name)) count.added++
    else if (isDeepStrictEqual(before[name], value)) count.unchanged++
    else count.changed++
  }
  count.removed = Object.keys(before).filter(name => !Object.hasOwn(after, name)).length
  return count
}
