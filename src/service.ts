/**
 * The composition root of the service: joins config, pool, parse workers and the HTTP app, listens, and takes it
 * all down again in order.
 */

import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { chmod } from 'node:fs/promises'
import { pino } from 'pino'
import { descriptorLimit, shareDescriptors } from './base/descriptors.ts'
import { errorText } from './base/error-text.ts'
import { LIMITS } from './base/limits.ts'
import { stderrLog } from './base/stderr-log.ts'
import { formatAddress, isLocalOnly, type ListenAddress, localUrl } from './config/address.ts'
import type { Config, Token } from './config/config.ts'
import { normaliseTarget, type Target } from './config/target.ts'
import { hashToken } from './config/token-file.ts'
import { ListenRules } from './egress/listen-rules.ts'
import { localAddresses } from './egress/local-addresses.ts'
import { buildApp } from './http/app.ts'
import { LiveDoor } from './http/door/live-door.ts'
import { prepareUnixSocket } from './http/door/unix-socket.ts'
import type { AppDeps, ListenerTls, ReloadReport } from './http/ports.ts'
import { joinPool, type ServiceTraits } from './library/create-pool.ts'
import type { Pool } from './pool/pool.ts'
import { announcedTargets } from './service/announced-targets.ts'
import { logEvent } from './service/event-log.ts'
import { LiveConfig } from './service/live-config.ts'
import { ServedForwards } from './service/served-forwards.ts'
import { type DemoUpstream, startDemoUpstream } from './threads/demo-upstream.ts'

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
  /** Refuses new leases, waits for the held ones up to `limits.drainTimeout`, and closes everything. */
  close(): Promise<void>
}

type App = ReturnType<typeof buildApp>

export type ServiceOptions = {
  /** Adds the targets `demo` and `demo-tls`, an embedded upstream. */
  readonly demo: boolean
  /** The configuration as its sources say it now; default: the same again. Errors: ConfigError. */
  readonly reread?: () => Config
}

/** Starts the service. Errors: that of `listen` as it is; INVALID_REQUEST for rules and targets. */
export async function startService(
  config: Config,
  { demo: isDemo, reread }: ServiceOptions,
): Promise<Service> {
  // What is wrong with them is told before anything is there that had to be closed.
  const listenRules = new ListenRules(config.ingress.listen)
  const demo = isDemo ? await startDemoUpstream() : null
  const log = pino({ name: 'sockpool', level: config.logLevel }, stderrLog())
  const shares = shareDescriptors(descriptorLimit(), threadsOf(config))
  const added = demo ? demoTargets(demo) : {}
  const { pool, deny } = joinPool(
    {
      ioWorkers: config.ioWorkers,
      parseWorkers: config.parse.workers,
      targets: announcedTargets({ ...added, ...config.targets }, config.forwards),
      egress: config.egress,
      limits: { leases: config.limits.leases, waiters: config.limits.waiters },
      onEvent: event => logEvent(log, event),
    },
    traitsOf(config, shares.dials),
  )
  const token = config.auth?.tokens.length === 0 ? randomBytes(32).toString('base64url') : null
  const made = token === null ? null : generated(token)
  const parts = { config, listenRules, made, targets: added, pool, log }
  const live = new LiveConfig({ ...parts, reread: reread ?? (() => config) })
  const draining = new AbortController()
  let app: App | null = null
  const denyOwn = (): void => deny([...localAddresses(), ...ownListener(app), ...pool.forwards.addresses])
  const forwards = new ServedForwards({ pool, limits: config.limits, onMoved: denyOwn })
  try {
    await forwards.open(config.forwards)
    const deps = appDeps(live, pool, forwards, shares.http, draining.signal)
    const door = new LiveDoor(deps)
    app = buildListener(deps, door)
    const built = app
    const url = await listen(built, config, door)
    denyOwn()
    live.serves({ door, forwards, setTls: tls => showCertificate(built, tls) })
    let closed: Promise<void> | null = null
    const close = (): Promise<void> => {
      draining.abort()
      closed ??= closeAll(built, pool, demo, live)
      return closed
    }
    return serviceOf(url, token, pool, live, close)
  } catch (error) {
    await closeAll(app, pool, demo, live)
    throw error
  }
}

function appDeps(
  live: LiveConfig,
  pool: Pool,
  forwards: ServedForwards,
  connectionsMax: number,
  draining: AbortSignal,
): AppDeps {
  const { listen, http, limits, logLevel } = live.config
  return {
    pool,
    auth: live.auth,
    listen: listen.kind === 'fd' ? null : listen,
    hosts: http.hosts,
    origins: http.origins,
    tls: http.tls ?? false,
    limits,
    connectionsMax,
    version: version(),
    isClosing: () => draining.aborted,
    draining,
    reload: async () => {
      const report = live.reload()
      await forwards.settled
      return report
    },
    mayListen: place => live.listenRules.admits(place),
    accessLog: () => live.config.http.accessLog,
    log: { level: logLevel, stream: stderrLog() },
  }
}

function serviceOf(
  url: string,
  token: string | null,
  pool: Pool,
  live: LiveConfig,
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
    close,
  }
}

/** Connections that are open go on as they began. */
function showCertificate(app: App, { cert, key, clientCa }: ListenerTls): void {
  // What was built to speak TLS is a TLS server, whatever Fastify calls it.
  const server = app.server as unknown as { setSecureContext(options: object): void }
  server.setSecureContext({ cert, key, ...(clientCa !== undefined && { ca: clientCa }) })
}

/** All that may run at once: the main thread, the I/O workers, three kinds of parse workers, and a demo's. */
function threadsOf({ ioWorkers, parse }: Config): number {
  return 2 + ioWorkers + 3 * parse.workers
}

function traitsOf({ limits }: Config, connectionsMax: number): ServiceTraits {
  const parseBytesMax = limits.bodyBytes
  return { defaultTtl: 'target', connectionsMax, parseBytesMax }
}

/** Errors of the operator's certificate are told as what they are. */
function buildListener(deps: AppDeps, door: LiveDoor): App {
  try {
    return buildApp(deps, door)
  } catch (error) {
    if (deps.tls === false) throw error
    const reason = errorText(error)
    throw new Error(`http.tls: the certificate or its key cannot be used: ${reason}`, { cause: error })
  }
}

async function closeAll(
  app: App | null,
  pool: Pool,
  demo: DemoUpstream | null,
  live: LiveConfig,
): Promise<void> {
  // Holders need the API to finish and release, so it answers until the leases have ended.
  await pool.close({ drainMs: live.config.limits.drainTimeoutMs })
  if (app !== null) await closeServer(app)
  await demo?.close()
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

/** Errors: the system's; an Error where nobody is asked for a token and others than this machine reach the socket. */
async function listen(app: App, { listen: address, http, auth }: Config, door: LiveDoor): Promise<string> {
  const scheme = http.tls ? 'https' : 'http'
  if (address.kind === 'fd') {
    await app.ready()
    // Fastify takes it that each socket has an address, or a path that is known.
    app.server.listen({ fd: address.fd })
    await once(app.server, 'listening')
    const bound = boundAddress(app)
    door.policy.listensAt(bound)
    if (auth === null && !isLocalOnly(bound))
      throw new Error('--no-auth is accepted on loopback and unix-socket listeners only')
    return bound.kind === 'tcp' ? localUrl(bound, scheme) : formatAddress(address)
  }
  if (address.kind === 'tcp') {
    await app.listen({ host: address.host, port: address.port })
    const bound = app.server.address()
    const port = typeof bound === 'object' && bound ? bound.port : address.port
    return localUrl({ kind: 'tcp', host: address.host, port }, scheme)
  }
  await prepareUnixSocket(address.path)
  await app.listen({ path: address.path })
  await chmod(address.path, 0o600)
  return `unix:${address.path}`
}

/** Node knows no path of a unix socket that was made by others. */
function boundAddress(app: App): ListenAddress {
  const bound = app.server.address()
  if (typeof bound === 'object' && bound) return { kind: 'tcp', host: bound.address, port: bound.port }
  return { kind: 'unix', path: bound ?? '' }
}

function ownListener(app: App | null): { address: string; port: number }[] {
  const bound = app?.server.address()
  return typeof bound === 'object' && bound ? [{ address: bound.address, port: bound.port }] : []
}

function generated(token: string): Token {
  return { name: 'generated', sha256: hashToken(token), targets: ['*'], admin: true }
}

function demoTargets({ plain, tls }: DemoUpstream): Record<string, Target> {
  const { host, port, ca, servername } = tls
  return {
    demo: normaliseTarget({ ...plain, reuse: 'clean' }),
    'demo-tls': normaliseTarget({ host, port, tls: { ca, servername }, reuse: 'clean' }),
  }
}

/** From the package's own manifest, which lies one folder above both the source and the bundle. */
export function version(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
  const own = typeof manifest === 'object' && manifest && 'version' in manifest ? manifest.version : ''
  return String(own)
}
