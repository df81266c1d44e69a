/** asyncio's start_server and start_unix_server: listeners in the I/O workers, a reader and a writer for each client. */
import { LIMITS } from '../base/limits.ts'
import {
  countOption,
  durationOption,
  flagOption,
  invalidOption,
  optionsObject,
  requireFunction,
} from '../base/options.ts'
import { normaliseServerTls, type ServerTlsInput } from '../config/tls-options.ts'
import { Pool } from '../pool/pool.ts'
import type { ConnectionHandler, Server } from '../pool/server/server.ts'
import type { ListenOptions } from '../pool/server/servers.ts'
import { limitOption } from '../streams/reading/read-options.ts'
import type { ListenSpec } from '../threads/protocol.ts'
import { defaultPool } from './default-pool.ts'
import { checkedPath } from './described-target.ts'

export type ServerOptions = ListenOptions & {
  /** The pool in whose I/O workers the server lives; default: that of `openConnection`. */
  readonly pool?: Pool | undefined
  /** Speaks TLS with this certificate; PEM as text or bytes. */
  readonly tls?: ServerTlsInput | undefined
  /** Milliseconds a client has for the TLS handshake; default 60,000. */
  readonly handshakeTimeoutMs?: number | undefined
  /** Connections that the kernel keeps until they are accepted; default 100. */
  readonly backlog?: number | undefined
  /**
   * Every I/O worker of the pool listens, and the system spreads the clients over them; others may then bind the
   * same port too. Default: one worker listens. LISTEN_FAILED where the system has no SO_REUSEPORT.
   */
  readonly reusePort?: boolean | undefined
}

export type UnixServerOptions = Omit<ServerOptions, 'reusePort'> & {
  /** Remove the socket's file at the end, unless it is another's by then; default: true. */
  readonly cleanupSocket?: boolean | undefined
}

/** The kernel's count is an int. */
const BACKLOG_MAX = 2 ** 31 - 1

/**
 * Starts a server. `handler` is called once for each client; an error in it closes that client's connection and is
 * reported (`onError`, or a process warning), one named AbortError closes it without a word.
 *
 * `host`: a name, an address, or several; empty or absent: all interfaces. IPv6 sockets take IPv6 alone. An address
 * that this machine does not have is skipped. `port`: 0 picks a free one; `server.address` tells.
 * `path`: a unix socket; one that nobody serves any more is replaced. The directory must be writable.
 * Errors: LISTEN_FAILED (`reason`: EADDRINUSE, EACCES…; nothing stays bound), DNS_FAILED, INVALID_REQUEST.
 * A serving server and its clients keep the process alive. Source: asyncio.start_server, start_unix_server.
 */
export function startServer(
  handler: ConnectionHandler,
  host: string | readonly string[] | null | undefined,
  port: number,
  options?: ServerOptions,
): Promise<Server>
export function startServer(
  handler: ConnectionHandler,
  where: { readonly path: string },
  options?: UnixServerOptions,
): Promise<Server>
export async function startServer(
  handler: ConnectionHandler,
  where: string | readonly string[] | null | undefined | { readonly path: string },
  portOrOptions?: number | UnixServerOptions,
  hostOptions: ServerOptions = {},
): Promise<Server> {
  requireFunction('handler', handler)
  const options: AllOptions = { ...optionsObject(isPath(where) ? optionsOf(portOrOptions) : hostOptions) }
  const spec = isPath(where) ? unixSpec(where.path, options) : hostSpec(where, portOrOptions, options)
  const { limit, maxConnections, startServing, onError, pool } = options
  if (onError !== undefined) requireFunction('onError', onError)
  if (pool !== undefined && !(pool instanceof Pool))
    throw invalidOption('pool', 'must be a pool of this thread')
  const judged: ListenOptions = {
    limit: limitOption(limit),
    maxConnections: countOption('maxConnections', maxConnections, 1),
    startServing: flagOption('startServing', startServing),
    onError,
  }
  return await (pool ?? (await defaultPool())).listen(handler, spec, judged)
}

type AllOptions = ServerOptions & UnixServerOptions

/** What stands in the place of the port where there is none. */
function optionsOf(options: unknown): object {
  return (options === undefined ? {} : options) as object
}

function isPath(where: unknown): where is { readonly path: string } {
  return typeof where === 'object' && where !== null && 'path' in where
}

function hostSpec(
  host: string | readonly string[] | null | undefined,
  port: unknown,
  options: AllOptions,
): ListenSpec {
  const named = typeof host === 'string' ? [host] : (host ?? [''])
  if (!Array.isArray(named) || named.length > LIMITS.listenHostsMax || !named.every(isHost))
    throw invalidOption('host', `must be a host, or up to ${LIMITS.listenHostsMax} of them`)
  const hosts = named.length === 0 ? [''] : [...new Set(named)]
  return {
    where: { kind: 'tcp', hosts, port: countOption('port', (port ?? null) as number, 0, 65_535) },
    ...common(options),
    reusePort: flagOption('reusePort', options.reusePort) === true,
  }
}

function unixSpec(path: string, options: AllOptions): ListenSpec {
  return {
    where: {
      kind: 'unix',
      path: checkedPath(path),
      cleanup: flagOption('cleanupSocket', options.cleanupSocket) !== false,
    },
    ...common(options),
    reusePort: false,
  }
}

function common({ backlog, tls, handshakeTimeoutMs }: AllOptions) {
  return {
    backlog: countOption('backlog', backlog, 1, BACKLOG_MAX) ?? LIMITS.listenBacklog,
    tls: tls === undefined ? null : normaliseServerTls(tls),
    handshakeTimeoutMs:
      durationOption('handshakeTimeoutMs', handshakeTimeoutMs, 1) ?? LIMITS.tlsHandshakeTimeoutMs,
  }
}

function isHost(host: unknown): boolean {
  return typeof host === 'string' && host.length <= 253 && !/[\0-\x20/]/.test(host)
}
