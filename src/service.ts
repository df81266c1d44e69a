/**
 * The composition root of the service: joins config, pool, parse workers and the HTTP app, listens, and takes it
 * all down again in order.
 */

import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { type Logger, pino } from 'pino'
import { descriptorLimit, shareDescriptors } from './base/descriptors.ts'
import { errorText } from './base/error-text.ts'
import { LIMITS } from './base/limits.ts'
import { stderrLog } from './base/stderr-log.ts'
import type { Config, Token } from './config/config.ts'
import { normaliseTarget, type Target } from './config/target.ts'
import { hashToken } from './config/token-file.ts'
import { ListenRules } from './egress/listen-rules.ts'
import { localAddresses } from './egress/local-addresses.ts'
import { buildApp } from './http/app.ts'
import { LiveDoor } from './http/door/live-door.ts'
import type { AppDeps, MetricsPort, ReloadReport } from './http/ports.ts'
import { joinPool, type ServiceTraits } from './library/create-pool.ts'
import type { PoolOptions } from './library/pool-options.ts'
import type { Pool } from './pool/pool.ts'
import { announcedTargets } from './service/announced-targets.ts'
import { logEvent } from './service/event-log.ts'
import { checkCertificate, type HttpThreads, headerBytesMaxOf } from './service/http-threads.ts'
import { type HttpListening, httpThreadsOf, listen, makeThreads, servedParts } from './service/listening.ts'
import { LiveConfig } from './service/live-config.ts'
import type { Metering } from './service/metering.ts'
import { type MetricsListener, openMetricsListener } from './service/metrics-listener.ts'
import { ServedForwards } from './service/served-forwards.ts'
import type { ServiceFleet } from './service/service-fleet.ts'
import { Surroundings } from './service/surroundings.ts'
import type { DemoUpstream } from './threads/demo-upstream.ts'
import type { OtlpTraces } from './tracing/otlp.ts'

export type Service = {
  /** `http://127.0.0.1:7070`, `https://…` with `http.tls`, or `unix:/path` */
  readonly url: string
  /** The token made at start; null where tokens are configured or none is asked for. */
  readonly token: string | null
  /** Leases that are held now: what `close` waits for. */
  readonly leases: number
  /** For how many milliseconds `close` waits for them. */
  readonly drainTimeoutMs: number
  /**
   * Reads the configuration anew and has it hold, in one step; logs what came of it. Errors: INVALID_REQUEST with every
   * fault, and nothing has changed; DRAINING.
   */
  reload(): ReloadReport
  /** Resolves where another start takes the name of this instance in its fleet: it is to be closed, and not to start again. */
  readonly replaced: Promise<void>
  /** Refuses new leases, waits for the held ones up to `limits.drainTimeout`, and closes everything. */
  close(): Promise<void>
}

type App = ReturnType<typeof buildApp>

export type ServiceOptions = {
  /** Adds the targets `demo` and `demo-tls`, an embedded upstream. */
  readonly demo: boolean
  /** The configuration as its sources say it now; default: the same again. Errors: ConfigError. */
  readonly reread?: () => Config
  /** The folder of the dashboard's built files; default: that of the package. */
  readonly dashboard?: string
}

/** Starts the service. Errors: that of `listen` as it is; INVALID_REQUEST for rules and targets. */
export async function startService(
  config: Config,
  { demo: isDemo, reread, dashboard = ownDashboard() }: ServiceOptions,
): Promise<Service> {
  // What is wrong with them is told before anything is there that had to be closed.
  const listenRules = new ListenRules(config.ingress.listen)
  const log = pino({ name: 'sockpool', level: config.logLevel }, stderrLog())
  const httpThreads = httpThreadsOf(config, log)
  const shares = shareDescriptors(descriptorLimit(), threadsOf(config, httpThreads))
  const { token, made } = ownToken(config)
  const sources = { config, listenRules, made, reread: reread ?? (() => config) }
  const around = await Surroundings.open(config, { isDemo, log, version: version() })
  const { demo, fleet, metering } = around
  const added = demo ? demoTargets(demo) : {}
  const traits = { ...traitsOf(config, shares.dials), metered: metering.traits, ...fleet.traits }
  const { deny, ...joined } = await around.orClose(() =>
    joinPool(poolOptionsOf(config, added, log, metering), traits),
  )
  const { pool } = joined
  const live = new LiveConfig({ ...sources, targets: added, pool, log })
  const draining = new AbortController()
  const parts: Parts = { pool, live, around, app: null, threads: null, scraped: null }
  let listens: HttpListening['own'] = []
  const denyOwn = (): void => deny([...localAddresses(), ...listens, ...pool.forwards.addresses])
  const forwards = new ServedForwards({ pool, limits: config.limits, onMoved: denyOwn })
  try {
    const metrics = metering.metrics({ ...joined, ...measured(parts) })
    await forwards.open(config.forwards)
    const { signal } = draining
    const common = { connectionsMax: shares.http, draining: signal, isClosing: () => signal.aborted }
    if (httpThreads > 1) parts.threads = makeThreads({ ...common, ...threadParts(parts, log) })
    fleet.tellMembers(hosts => parts.threads?.replaceMembers(hosts))
    const own = { ...appDeps(live, pool, forwards, parts.threads, metrics), ...fleet.port, dashboard }
    const deps = { ...own, ...common, ...metering.counting }
    const door = new LiveDoor(deps)
    const app = buildListener(deps, door)
    parts.app = app
    parts.scraped = await openMetricsListener(config, metrics)
    const listening = await listen(app, parts.threads, config, door)
    listens = [...listening.own, ...(parts.scraped?.own ?? [])]
    denyOwn()
    live.serves({ ...servedParts(app, parts.threads, door, parts.scraped), forwards })
    await begun(pool, fleet)
    return serviceOf(listening.url, token, parts, closer(parts, draining))
  } catch (error) {
    await closeAll(parts)
    throw error
  }
}

/**
 * The I/O workers run, as far as there is time for that: whoever hears where the service listens may ask at once whether it is ready.
 * It is there for a fleet from then on.
 */
async function begun(pool: Pool, fleet: ServiceFleet): Promise<void> {
  const untilMs = performance.now() + LIMITS.startReadyMs
  while (!pool.ready && performance.now() < untilMs) await delay(LIMITS.startLookMs)
  await fleet.join(pool)
}

/** Closes once, however often it is asked to. */
function closer(parts: Parts, draining: AbortController): Service['close'] {
  let closed: Promise<void> | null = null
  return () => {
    draining.abort()
    closed ??= closeAll(parts)
    return closed
  }
}

/** What there is to close, as far as the start has come. */
type Parts = {
  readonly pool: Pool
  readonly live: LiveConfig
  readonly around: Surroundings
  app: App | null
  threads: HttpThreads | null
  /** The listener of the metrics alone. */
  scraped: MetricsListener | null
}

/** What the metrics read besides the pool. */
function measured(parts: Parts) {
  const { fleet } = parts.around
  return { threads: () => parts.threads, instances: () => fleet.meters, version: version() }
}

function threadParts({ live, pool, around: { traces, metering } }: Parts, log: Logger) {
  const onLost = (): void => metering.counts.countLost('http')
  return { live, pool, log, onLost, telemetry: sentFrom(traces) }
}

type OwnDeps = Omit<AppDeps, 'connectionsMax' | 'draining' | 'isClosing'>

function appDeps(
  live: LiveConfig,
  pool: Pool,
  forwards: ServedForwards,
  threads: HttpThreads | null,
  metrics: MetricsPort,
): OwnDeps {
  const { listen, http, limits, logLevel } = live.config
  return {
    pool,
    auth: live.auth,
    listen: listen.kind === 'fd' ? null : listen,
    hosts: http.hosts,
    origins: http.origins,
    tls: http.tls ?? false,
    limits,
    headerBytesMax: headerBytesMaxOf(live.config),
    version: version(),
    metrics,
    reload: async () => {
      const report = live.reload()
      await forwards.settled
      return report
    },
    mayListen: place => live.listenRules.admits(place),
    accessLog: () => live.config.http.accessLog,
    log: { level: logLevel, stream: stderrLog() },
    ...(threads !== null && {
      tallies: threads.tallies,
      relaySecret: threads.secret,
      httpRows: () => threads.rows(),
    }),
  }
}

function serviceOf(
  url: string,
  token: string | null,
  { pool, live, around: { fleet } }: Parts,
  close: Service['close'],
): Service {
  return {
    url,
    token,
    get leases() {
      return pool.stats().leases
    },
    get drainTimeoutMs() {
      return live.config.limits.drainTimeoutMs
    },
    reload: () => live.reload(),
    replaced: fleet.replaced,
    close,
  }
}

/** Of parse workers: inputs, messages, calls, and processes, which need fewer descriptors. */
const PARSE_KINDS = 4

/** All that may run at once: the main thread, the I/O workers, the parse workers, a demo's, and HTTP's own. */
function threadsOf({ ioWorkers, parse }: Config, httpThreads: number): number {
  return 2 + ioWorkers + PARSE_KINDS * parse.workers + (httpThreads === 1 ? 0 : httpThreads)
}

function poolOptionsOf(
  config: Config,
  added: Readonly<Record<string, Target>>,
  log: Logger,
  metering: Metering,
): PoolOptions {
  return {
    ioWorkers: config.ioWorkers,
    parseWorkers: config.parse.workers,
    parseIsolation: config.parse.isolation,
    formats: config.parse.formats,
    targets: announcedTargets({ ...added, ...config.targets }, config.forwards),
    egress: config.egress,
    limits: { leases: config.limits.leases, waiters: config.limits.waiters },
    onEvent: event => {
      metering.heard(event)
      logEvent(log, event)
    },
  }
}

function traitsOf({ limits }: Config, connectionsMax: number): ServiceTraits {
  const parseBytesMax = limits.bodyBytes
  return { defaultTtl: 'target', connectionsMax, parseBytesMax }
}

/** Errors of the operator's certificate are told as what they are. */
function buildListener(deps: AppDeps, door: LiveDoor): App {
  try {
    // Where threads speak TLS, this app does not.
    if (deps.tls !== false && deps.relaySecret !== undefined) checkCertificate(deps.tls)
    return buildApp(deps, door)
  } catch (error) {
    if (deps.tls === false) throw error
    const reason = errorText(error)
    throw new Error(`http.tls: the certificate or its key cannot be used: ${reason}`, { cause: error })
  }
}

async function closeAll(parts: Parts): Promise<void> {
  const { app, threads, pool, live, scraped, around } = parts
  // Holders need the API to finish and release, so it answers until the leases have ended.
  await pool.close({ drainMs: live.config.limits.drainTimeoutMs })
  await around.fleet.close()
  await threads?.close()
  if (app !== null) await closeServer(app)
  await scraped?.close()
  await around.close()
}

/** With the pool closed nothing waits any more but clients, and one that never completes its request waits for ever. */
async function closeServer(app: App): Promise<void> {
  const cut = setTimeout(() => app.server.closeAllConnections(), LIMITS.httpCloseMs)
  try {
    await app.close()
  } finally {
    clearTimeout(cut)
  }
}

/** What the main thread cannot send, the others need not try. */
function sentFrom(traces: OtlpTraces | null): Config['telemetry'] {
  return { traces: traces === null ? 'off' : 'otlp' }
}

/** The token that is made where callers need one and none was configured, and what is kept of it; else null. */
function ownToken({ auth }: Config): { readonly token: string | null; readonly made: Token | null } {
  if (auth?.tokens.length !== 0) return { token: null, made: null }
  const token = randomBytes(32).toString('base64url')
  return { token, made: { name: 'generated', sha256: hashToken(token), targets: ['*'], admin: true } }
}

function demoTargets({ plain, tls }: DemoUpstream): Record<string, Target> {
  const { host, port, ca, servername } = tls
  return {
    demo: normaliseTarget({ ...plain, reuse: 'clean' }),
    'demo-tls': normaliseTarget({ host, port, tls: { ca, servername }, reuse: 'clean' }),
  }
}

/** Where the build puts it, found from the source and from the bundle alike. */
function ownDashboard(): string {
  return fileURLToPath(new URL('../dist/dashboard', import.meta.url))
}

/** From the package's own manifest, which lies one folder above both the source and the bundle. */
export function version(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
  const own = typeof manifest === 'object' && manifest && 'version' in manifest ? manifest.version : ''
  return String(own)
}
