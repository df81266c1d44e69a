/**
 * One configuration out of its sources: flags > environment > file > defaults, merged key by key (lists are
 * replaced, not joined), validated once, and frozen. Nothing outside config/ reads a source of its own.
 */
import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { dirname, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { formatAddress, isLocalOnly } from './address.ts'
import { complete } from './complete.ts'
import type { Config, LogLevel, Token } from './config.ts'
import { ConfigError, type ConfigFault } from './config-error.ts'
import { readConfigFile } from './config-file.ts'
import { type Environment, environmentLayer, type Layer, processEnvironment } from './environment.ts'
import { fileUrl } from './file-url.ts'
import type { FleetConfig } from './fleet.ts'
import { checkFleet } from './fleet-schema.ts'
import { buildForward, checkForwards, type ForwardDraft } from './forward.ts'
import { fromText } from './from-text.ts'
import { interpret } from './interpret.ts'
import { parseListenRule } from './listen-rule.ts'
import { configSchema } from './schema.ts'
import { field, isRecord, type SchemaNode } from './schema-node.ts'
import { buildTarget, checkTarget, type TargetDraft } from './target.ts'
import { readTokenFile } from './token-file.ts'

/** What the command line says, as text where a key takes text. */
export type ConfigFlags = {
  readonly listen?: string
  readonly ioWorkers?: string
  readonly parseWorkers?: string
  readonly allow?: readonly string[]
  readonly tokenFile?: string
  readonly noAuth?: boolean
  readonly logLevel?: LogLevel
}

export type ConfigSources = {
  /** The config file; default: none. It is never searched for. */
  readonly file?: string
  readonly flags?: ConfigFlags
  /** Default: this process's. */
  readonly environment?: Environment
  /** Whether SOCKPOOL_ variables count; default true. `env:NAME` references are followed either way. */
  readonly overrides?: boolean
  /** What is wrong with an egress rule, or null; the grammar is egress's own. Default: all pass. */
  readonly checkRule?: (rule: string) => string | null
  /** What is wrong with the host of a rule where to listen, or null; addresses are egress's own too. Default: all pass. */
  readonly checkHost?: (host: string) => string | null
}

/** A configuration in both of its forms. */
export type LoadedConfig = {
  readonly config: Config
  /** The same in the form of the file, with every default filled in. Holds secrets. */
  readonly effective: Readonly<Record<string, unknown>>
  readonly schema: SchemaNode
}

/**
 * The configuration that the sources mean, deeply frozen.
 *
 * Errors: ConfigError with every fault of every source.
 */
export function loadConfig(sources: ConfigSources = {}): Config {
  return loadEffective(sources).config
}

/** As `loadConfig`, with the form of the file beside it. */
export function loadEffective(sources: ConfigSources = {}): LoadedConfig {
  const { file, flags = {}, environment = processEnvironment(), overrides = true } = sources
  const schema = configSchema(availableParallelism())
  const written = file === undefined ? {} : readConfigFile(file)
  const named = field(written, 'targets')
  const names = isRecord(named) ? Object.keys(named) : []
  const layers: Layer[] = [
    { tree: written, origins: new Map(file === undefined ? [] : [['', file]]) },
    ...(overrides ? [environmentLayer(schema, environment, names)] : []),
    flagLayer(schema, flags),
  ]
  const faults: ConfigFault[] = []
  const report = (path: string, message: string): void => {
    // The first fault of a key says it all: what follows from it would only mislead.
    if (faults.some(fault => fault.path === path)) return
    const source = originOf(layers, path)
    faults.push(source === undefined ? { path, message } : { path, message, source })
  }
  const merged = layers.reduce<unknown>((below, { tree }) => merge(below, tree), {})
  const variable = (name: string, node: SchemaNode): unknown => {
    const text = environment[name]
    return text === undefined ? undefined : fromText(node, text)
  }
  const effective = complete(schema, merged, '', { variable, report })
  const placeOf = (name: string, path: string): string =>
    resolve(originOf(layers, path) === file && file ? dirname(file) : '.', name)
  const readFile = (name: string, path: string): string => readFileSync(placeOf(name, path), 'utf8')
  // Every faultless result has the draft's shape: the schema says so, key by key.
  const draft = interpret(schema, effective, '', {
    report,
    readFile,
    resolveFile: (name, path) =>
      URL.canParse(name) ? fileUrl(name) : pathToFileURL(placeOf(name, path)).href,
    variable: name => environment[name],
  }) as Draft
  checkAll(effective, report, sources)
  const fileTokens =
    flags.tokenFile === undefined ? [] : collect(faults, () => readTokenFile(String(flags.tokenFile)))
  // Where an inherited socket listens is not known before it is taken.
  if (flags.noAuth && draft.listen && draft.listen.kind !== 'fd' && !isLocalOnly(draft.listen)) {
    const message = `is accepted on loopback and unix-socket listeners only, and listen is ${formatAddress(draft.listen)}`
    faults.push({ source: '--no-auth', path: '', message })
  }
  const tokens = faults.length === 0 ? joinTokens(draft.auth.tokens, fileTokens, report) : []
  if (faults.length > 0 || !isRecord(effective)) throw new ConfigError(faults)
  return { config: deepFreeze(build(draft, tokens, flags)), effective, schema }
}

type Draft = Omit<Config, 'auth' | 'http' | 'targets' | 'forwards' | 'fleet' | 'logLevel'> & {
  readonly auth: { readonly tokens: readonly Token[] }
  readonly http: Omit<Config['http'], 'tls'> & { readonly tls?: NonNullable<Config['http']['tls']> }
  readonly targets: Readonly<Record<string, TargetDraft>>
  readonly forwards: readonly ForwardDraft[]
  readonly fleet?: FleetConfig
}

function build(draft: Draft, tokens: readonly Token[], flags: ConfigFlags): Config {
  const targets = Object.entries(draft.targets).map(([name, target]) => [name, buildTarget(target)] as const)
  return {
    ...draft,
    auth: flags.noAuth ? null : { tokens },
    http: { ...draft.http, tls: draft.http.tls ?? null },
    targets: Object.fromEntries(targets),
    forwards: draft.forwards.map(buildForward),
    fleet: draft.fleet ?? null,
    logLevel: flags.logLevel ?? 'info',
  }
}

function flagLayer(schema: SchemaNode, flags: ConfigFlags): Layer {
  const { listen, ioWorkers, parseWorkers, allow } = flags
  const { ioWorkers: workers } = schema.properties ?? {}
  const number = (text: string): unknown => (workers ? fromText(workers, text) : text)
  const tree = {
    ...(listen !== undefined && { listen }),
    ...(ioWorkers !== undefined && { ioWorkers: number(ioWorkers) }),
    ...(parseWorkers !== undefined && { parse: { workers: number(parseWorkers) } }),
    ...(allow !== undefined && { egress: { allow } }),
  }
  const said: [string, string, unknown][] = [
    ['listen', '--listen', listen],
    ['ioWorkers', '--io-workers', ioWorkers],
    ['parse.workers', '--parse-workers', parseWorkers],
    ['egress.allow', '--allow', allow],
  ]
  const origins = said
    .filter(([, , value]) => value !== undefined)
    .map(([path, name]) => [path, name] as const)
  return { tree, origins: new Map(origins) }
}

function merge(below: unknown, above: unknown): unknown {
  if (above === undefined || above === null) return below
  if (!isRecord(below) || !isRecord(above)) return above
  const keys = new Set([...Object.keys(below), ...Object.keys(above)])
  return Object.fromEntries([...keys].map(key => [key, merge(field(below, key), field(above, key))]))
}

/** Who set a path: the source of the nearest key at or above it, the strongest layer first among equals. */
function originOf(layers: readonly Layer[], path: string): string | undefined {
  const parts = path === '' ? [] : path.split('.')
  for (let length = parts.length; length >= 0; length--) {
    const prefix = parts.slice(0, length).join('.')
    const layer = layers.findLast(({ origins }) => origins.has(prefix))
    if (layer) return layer.origins.get(prefix)
  }
  return undefined
}

type Report = (path: string, message: string) => void

// What one key cannot show by itself. Runs on the file's form, so that one fault does not hide another.
function checkAll(effective: unknown, report: Report, { checkRule, checkHost }: ConfigSources): void {
  const targets = field(effective, 'targets')
  for (const [name, target] of Object.entries(isRecord(targets) ? targets : {}))
    checkTarget(target, `targets.${name}`, report)
  checkForwards(field(effective, 'forwards'), targets, report)
  checkFleet(field(effective, 'fleet'), targets, report)
  for (const [index, token] of entriesOf(field(field(effective, 'auth'), 'tokens'))) {
    const limits = field(token, 'limits')
    if (field(limits, 'burst') !== undefined && field(limits, 'requestsPerSecond') === undefined)
      report(`auth.tokens.${index}.limits.requestsPerSecond`, 'is required beside burst')
  }
  const listen = field(effective, 'listen')
  const isUnix = typeof listen === 'string' && listen.startsWith('unix:')
  if (isUnix && field(field(effective, 'http'), 'tls') !== undefined)
    report('http.tls', 'cannot stand beside a unix socket, which no network reaches')
  for (const [index, rule] of entriesOf(field(field(effective, 'egress'), 'allow'))) {
    const fault = typeof rule === 'string' && rule !== '' ? (checkRule?.(rule) ?? null) : null
    if (fault !== null) report(`egress.allow.${index}`, fault)
  }
  for (const [index, rule] of entriesOf(field(field(effective, 'ingress'), 'listen'))) {
    const host = parseListenRule(rule)?.host
    const fault = host === undefined ? null : (checkHost?.(host) ?? null)
    if (fault !== null) report(`ingress.listen.${index}`, fault)
  }
}

function entriesOf(value: unknown): Iterable<[number, unknown]> {
  return (Array.isArray(value) ? value : []).entries()
}

function collect<T>(faults: ConfigFault[], read: () => readonly T[]): readonly T[] {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    faults.push(...error.errors)
    return []
  }
}

function joinTokens(configured: readonly Token[], fromFile: readonly Token[], report: Report): Token[] {
  const tokens = [...configured, ...fromFile].map(token => ({ ...token, sha256: token.sha256.toLowerCase() }))
  for (const [index, { name }] of tokens.entries())
    if (tokens.findIndex(other => other.name === name) !== index)
      report('auth.tokens', `must not name ${JSON.stringify(name)} twice`)
  return tokens
}

/** All but bytes, which cannot be frozen. */
function deepFreeze<T>(value: T): T {
  if (ArrayBuffer.isView(value)) return value
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    for (const inner of Object.values(value)) deepFreeze(inner)
  }
  return value
}
