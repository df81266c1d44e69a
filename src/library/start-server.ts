/** asyncio's start_server and start_unix_server: listeners in the I/O workers, a reader and a writer for each client. */
import { SockpoolError } from '../base/errors.ts'
import { LIMITS } from '../base/limits.ts'
import { normaliseServerTls, type ServerTlsInput } from '../config/tls-options.ts'
import type { Pool } from '../pool/pool.ts'
import type { ConnectionHandler, Server } from '../pool/server/server.ts'
import type { ListenOptions } from '../pool/server/servers.ts'
import { positiveLimit } from '../streams/reading/read-options.ts'
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
  if (typeof handler !== 'function') throw invalid('handler', 'must be a function')
  const options = isPath(where) ? ((portOrOptions ?? {}) as UnixServerOptions) : hostOptions
  const { limit, maxConnections, startServing, onError } = options
  if (limit !== undefined) positiveLimit(limit)
  const spec = isPath(where) ? unixSpec(where.path, options) : hostSpec(where, portOrOptions, hostOptions)
  if (maxConnections !== undefined) count('maxConnections', maxConnections, 1)
  const pool = options.pool ?? (await defaultPool())
  return await pool.listen(handler, spec, { limit, maxConnections, startServing, onError })
}

function isPath(where: unknown): where is { readonly path: string } {
  return typeof where === 'object' && where !== null && 'path' in where
}

function hostSpec(
  host: string | readonly string[] | null | undefined,
  port: unknown,
  options: ServerOptions,
): ListenSpec {
  const named = typeof host === 'string' ? [host] : (host ?? [''])
  if (!Array.isArray(named) || named.length > LIMITS.listenHostsMax || !named.every(isHost))
    throw invalid('host', `must be a host, or up to ${LIMITS.listenHostsMax} of them`)
  const hosts = named.length === 0 ? [''] : [...new Set(named)]
  return {
    where: { kind: 'tcp', hosts, port: count('port', port, 0, 65_535) },
    ...common(options),
    reusePort: options.reusePort === true,
  }
}

function unixSpec(path: string, options: UnixServerOptions): ListenSpec {
  return {
    where: { kind: 'unix', path: checkedPath(path), cleanup: options.cleanupSocket !== false },
    ...common(options),
    reusePort: false,
  }
}

function common({ backlog, tls, handshakeTimeoutMs }: ServerOptions) {
  return {
    backlog: count('backlog', backlog ?? LIMITS.listenBacklog, 1),
    tls: tls === undefined ? null : normaliseServerTls(tls),
    handshakeTimeoutMs: count(
      'handshakeTimeoutMs',
      handshakeTimeoutMs ?? LIMITS.tlsHandshakeTimeoutMs,
      1,
      LIMITS.durationMsMax,
    ),
  }
}

function isHost(host: unknown): boolean {
  return typeof host === 'string' && host.length <= 253 && !/[\0-\x20/]/.test(host)
}

function count(path: string, value: unknown, min: number, max = 2 ** 31 - 1): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value
  throw invalid(path, `must be a whole number from ${min} to ${max}`)
}

function invalid(path: string, message: string): SockpoolError {
  return new SockpoolError('INVALID_REQUEST', `${path}: ${message}`, { errors: [{ path, message }] })
}
