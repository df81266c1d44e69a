/**
 * Where the service listens: on the main thread's own socket, or on the port that its HTTP threads share, in front of a
 * private socket of the main thread.
 */
import { once } from 'node:events'
import { chmod } from 'node:fs/promises'
import type { Logger } from 'pino'
import { LIMITS } from '../base/limits.ts'
import { stderrLog } from '../base/stderr-log.ts'
import {
  formatAddress,
  type InheritedSocket,
  isLocalOnly,
  localUrl,
  type TcpAddress,
  type UnixAddress,
} from '../config/address.ts'
import type { Config } from '../config/config.ts'
import type { buildApp } from '../http/app.ts'
import type { LiveDoor } from '../http/door/live-door.ts'
import { prepareUnixSocket } from '../http/door/unix-socket.ts'
import type { ListenerTls } from '../http/ports.ts'
import type { Pool } from '../pool/pool.ts'
import { HttpThreads, type HttpThreadsDeps } from './http-threads.ts'
import type { LiveConfig, ServedParts, ServedRules } from './live-config.ts'
import type { MetricsListener } from './metrics-listener.ts'

type App = ReturnType<typeof buildApp>

type ThreadParts = Pick<HttpThreadsDeps, 'connectionsMax' | 'draining' | 'log' | 'onLost' | 'telemetry'> & {
  readonly live: LiveConfig
  readonly pool: Pool
}

/** How many threads serve HTTP: they can share a port, and no other kind of socket. */
export function httpThreadsOf({ http, listen }: Config, log: Logger): number {
  if (http.threads === 1 || listen.kind === 'tcp') return http.threads
  const socket = listen.kind === 'unix' ? 'a unix' : 'an inherited'
  log.warn({ path: 'http.threads' }, `http.threads: on ${socket} socket one thread serves HTTP`)
  return 1
}

/** The threads, which do not run yet. */
export function makeThreads({ live, pool, ...deps }: ThreadParts): HttpThreads {
  const { config, auth } = live
  const { listen } = config
  if (listen.kind !== 'tcp') throw new Error('several threads cannot share a unix socket')
  return new HttpThreads({ ...deps, config, listen, auth, pool: pool.handle, sink: stderrLog() })
}

/** What a reload changes of the listeners: the main thread's own, or that of the threads before it, and that of the metrics. */
export function servedParts(
  app: App,
  threads: HttpThreads | null,
  door: LiveDoor,
  scraped: MetricsListener | null,
): Omit<ServedParts, 'forwards'> {
  const all = {
    replace: (rules: ServedRules): void => {
      door.replace(rules)
      threads?.replace(rules)
      scraped?.replaceHosts(rules.hosts)
    },
  }
  return { door: all, setTls: tls => (threads === null ? showCertificate(app, tls) : threads.setTls(tls)) }
}

/** Connections that are open go on as they began. */
function showCertificate(app: App, { cert, key, clientCa }: ListenerTls): void {
  // What was built to speak TLS is a TLS server, whatever Fastify calls it.
  const server = app.server as unknown as { setSecureContext(options: object): void }
  server.setSecureContext({ cert, key, ...(clientCa !== undefined && { ca: clientCa }) })
}

/** `own`: where this process is not to dial itself. */
export type HttpListening = {
  readonly url: string
  readonly own: readonly { address: string; port: number }[]
}

/** Errors: the system's; an Error where nobody is asked for a token and others than this machine reach the socket. */
export async function listen(
  app: App,
  threads: HttpThreads | null,
  config: Config,
  door: LiveDoor,
): Promise<HttpListening> {
  const { listen: address, http } = config
  if (address.kind === 'fd') return await listenOnInherited(app, address, config, door)
  if (address.kind === 'unix') {
    await prepareUnixSocket(address.path)
    await app.listen({ path: address.path })
    await chmod(address.path, 0o600)
    return { url: `unix:${address.path}`, own: [] }
  }
  const bound = threads === null ? await listenAlone(app, address) : await listenBehind(app, threads)
  const { host } = address
  const url = localUrl({ kind: 'tcp', host, port: bound.port }, http.tls ? 'https' : 'http')
  return { url, own: [bound] }
}

async function listenOnInherited(
  app: App,
  address: InheritedSocket,
  { http, auth }: Config,
  door: LiveDoor,
): Promise<HttpListening> {
  await app.ready()
  // Fastify takes it that each socket has an address, or a path that is known.
  app.server.listen({ fd: address.fd })
  await once(app.server, 'listening')
  const bound = boundAddress(app)
  door.policy.listensAt(bound)
  if (auth === null && !isLocalOnly(bound))
    throw new Error('--no-auth is accepted on loopback and unix-socket listeners only')
  if (bound.kind !== 'tcp') return { url: formatAddress(address), own: [] }
  const { host, port } = bound
  return { url: localUrl(bound, http.tls ? 'https' : 'http'), own: [{ address: host, port }] }
}

/** Node knows no path of a unix socket that was made by others. */
function boundAddress(app: App): TcpAddress | UnixAddress {
  const bound = app.server.address()
  if (typeof bound === 'object' && bound) return { kind: 'tcp', host: bound.address, port: bound.port }
  return { kind: 'unix', path: bound ?? '' }
}

async function listenAlone(app: App, { host, port }: TcpAddress): Promise<{ address: string; port: number }> {
  await app.listen({ host, port })
  const bound = app.server.address()
  return typeof bound === 'object' && bound ? bound : { address: host, port }
}

/** The threads relay from the moment on at which they accept. */
async function listenBehind(app: App, threads: HttpThreads): Promise<{ address: string; port: number }> {
  const path = await threads.prepare()
  await app.listen({ path, backlog: LIMITS.relayBacklog, listenTextResolver: () => 'HTTP threads may come' })
  const bound = await threads.listen(socket => void app.server.emit('connection', socket))
  app.log.info(`Server listening at ${bound.address}, port ${bound.port}`)
  return bound
}
