/** What a forward is made of, and the seam for what it does with a client. */
import { LIMITS } from '../../base/limits.ts'
import { formatAddress } from '../../config/address.ts'
import type { ForwardConfig, ForwardMode } from '../../config/forward.ts'
import type { StreamReader } from '../../streams/reading/stream-reader.ts'
import type { StreamWriter } from '../../streams/writing/stream-writer.ts'
import type { IoConnection } from '../../threads/io-connection.ts'
import type { BoundAddress, ListenSpec, MovedBytes } from '../../threads/protocol.ts'

/** A client of a forward whose bytes come here, as for `mode: message`. */
export type ForwardClient = {
  readonly reader: StreamReader
  readonly writer: StreamWriter
  /** Where the two are. */
  readonly connection: IoConnection
  /** To be told of bytes that pass between it and the target by another way than these two. */
  readonly onMoved: (moved: MovedBytes) => void
  /** The target that the forward stands before, as the configuration says it now. */
  readonly target: string
  /** Whose leases and exchanges for this client are: connections never move between tenants. */
  readonly tenant: string
}

/** Serves one client until it is done, and closes the writer itself; what it throws ends that client alone. */
export type ForwardHandler = (client: ForwardClient) => Promise<void>

/** What stands behind each mode but `session`. A forward of a mode without one cannot be opened. */
export type ForwardModes = ReadonlyMap<Exclude<ForwardMode, 'session'>, ForwardHandler>

/** Whose the leases of a forward's clients are. No token is called so: a name of a token has no spaces. */
export function forwardTenant(listen: string): string {
  return `forward ${listen}`
}

export function isForwardTenant(tenant: string): boolean {
  return tenant.startsWith('forward ')
}

/** What has to be bound for it. */
export function listenSpecOf({ listen, mode, tls }: ForwardConfig): ListenSpec {
  return {
    where:
      listen.kind === 'unix'
        ? { kind: 'unix', path: listen.path, cleanup: true }
        : { kind: 'tcp', hosts: [listen.host], port: listen.port },
    backlog: LIMITS.forwardBacklog,
    reusePort: false,
    tls,
    handshakeTimeoutMs: LIMITS.tlsHandshakeTimeoutMs,
    ...(mode === 'session' && { isWatched: true }),
  }
}

/** Where it listens, as the configuration writes it. */
export function boundText(listen: ForwardConfig['listen'], bound: BoundAddress | undefined): string {
  if (listen.kind === 'unix' || bound === undefined) return formatAddress(listen)
  return formatAddress({ ...listen, port: bound.port })
}
