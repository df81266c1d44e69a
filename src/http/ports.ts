/**
 * What the HTTP app needs of the rest of the system: the few members that it uses of what the pool, the streams and the
 * configuration export. A test satisfies each port with a small fake. All of it runs on the thread that serves HTTP, and
 * none of it touches a target's socket.
 */
import type { ErrorCode } from '../base/errors.ts'
import type { FleetRows, IdOwner } from '../base/fleet-data.ts'
import type { SharedDurations } from '../channel/shared-durations.ts'
import type { SharedTallies } from '../channel/shared-tallies.ts'
import type { ListenAddress } from '../config/address.ts'
import type { Config } from '../config/config.ts'
import type { ConfigChange } from '../config/config-change.ts'
import type { TargetTls } from '../config/target.ts'
import type { ListenPlace } from '../egress/listen-rules.ts'
import type { SessionLeases } from '../pool/forward/session-leases.ts'
import type { Lease } from '../pool/lease/lease.ts'
import type { Pool } from '../pool/pool.ts'
import type { ReloadResult } from '../pool/pool-change.ts'
import type { LeaseListener } from '../pool/server/lease-listener.ts'
import type { PoolNews } from '../pool/target/pool-news.ts'
import type { ConnectionReport, ConnectionStats, PoolStats, TargetStats } from '../pool/target/pool-stats.ts'
import type { HostTarget } from '../pool/target/target-pools.ts'
import type { StreamReader } from '../streams/reading/stream-reader.ts'
import type { StreamWriter } from '../streams/writing/stream-writer.ts'

/** TLS as a caller may describe it. `ca` is PEM text; a caller never sends a key. */
export type CallerTls = Pick<TargetTls, 'servername' | 'ca' | 'alpn' | 'minVersion'>

/** A target as a caller may describe it: a host and a port, never a unix socket. */
export type CallerTarget = Pick<HostTarget, 'host' | 'port'> & { readonly tls?: boolean | CallerTls }

/** The name of a configured target, or a described one. */
export type TargetChoice = string | CallerTarget

export type ReaderPort = Pick<
  StreamReader,
  | 'read'
  | 'readLine'
  | 'readExactly'
  | 'readUntil'
  | 'readFrame'
  | 'ahead'
  | 'atEof'
  | 'exception'
  | 'offset'
  | 'buffered'
  | 'ending'
>

/** How the sending side, or the whole connection, ends. */
type ClosingPort = Pick<StreamWriter, 'canWriteEof' | 'writeEof' | 'close' | 'isClosing' | 'waitClosed'>

export type WriterPort = Pick<StreamWriter, 'writeLines' | 'drain' | 'startTls' | 'offset' | 'abort'> &
  ClosingPort

/** What an answer tells about a lease. */
type LeaseFacts = Pick<
  Lease,
  'id' | 'target' | 'reused' | 'expiresAt' | 'connection' | 'ageMs' | 'idleMs' | 'lastOperation' | 'replay'
>

/** How a lease ends, and how its end is learnt. */
type LeaseEnd = Pick<Lease, 'release' | 'discard' | 'kill' | 'gone' | 'ended'>

export type LeasePort = LeaseFacts &
  LeaseEnd &
  Pick<Lease, 'operation' | 'renew' | 'parseToText'> & {
    readonly reader: ReaderPort
    readonly writer: WriterPort
    readAt<T>(offset: number, read: (reader: ReaderPort) => Promise<T>): Promise<T>
  }

/** Leases, and whole round trips. */
export type LeasingPort = Pick<Pool, 'exchange'> & {
  lease(...request: Parameters<Pool['lease']>): Promise<LeasePort>
}

/** What the app reads of a row about a target. It passes the rest of the row on as it is. */
export type TargetRow = Pick<TargetStats, 'name' | 'tenant' | 'waiters'> & {
  readonly connections: Pick<TargetStats['connections'], 'connecting' | 'idle'>
}

/** What the app reads of a row about a connection. It passes the rest of the row on as it is. */
export type ConnectionRow = Pick<ConnectionStats, 'id' | 'tenant'>

/** What the pool is doing, in rows. */
export type RowsPort = {
  targets(): readonly TargetRow[]
  connections(): readonly ConnectionRow[]
  connection(id: string): ConnectionRow & Pick<ConnectionReport, 'operations'>
  workers(): Promise<readonly object[]>
  stats(): PoolStats
}

/** The clients of local ports for unmodified programs. */
export type ForwardsPort = {
  stats(): readonly object[]
  readonly leases: Pick<SessionLeases, 'rows' | 'kill'>
}

/** What an operator tells the pool to do. */
export type ControlPort = Pick<
  Pool,
  | 'pause'
  | 'resume'
  | 'disable'
  | 'enable'
  | 'drain'
  | 'reconnect'
  | 'waitClose'
  | 'resize'
  | 'kill'
  | 'drainWorker'
>

/** One listener, as its caller sees it. */
export type ListenerPort = Pick<
  LeaseListener,
  'address' | 'backlog' | 'maxConnections' | 'expiresAt' | 'ended' | 'stats' | 'close'
> & {
  accept(...request: Parameters<LeaseListener['accept']>): Promise<LeasePort>
}

/** Listeners of callers. */
export type ListeningPort = {
  listenForLeases(...request: Parameters<Pool['listenForLeases']>): Promise<ListenerPort>
}

export type PoolPort = LeasingPort &
  ListeningPort &
  RowsPort &
  ControlPort &
  Pick<Pool, 'parseToText' | 'parsePart' | 'checkFormat' | 'ready'> & {
    readonly news: Pick<PoolNews, 'listen'>
    readonly forwards: ForwardsPort
  }

/** TLS of the listener, as PEM text. With `clientCa`, every route but the open ones needs a client certificate. */
export type ListenerTls = NonNullable<Config['http']['tls']>

/**
 * `bodyBytes`: bytes of a body that is held in memory, of a reply that is read to its end, and of a message to parse.
 * `operationTimeoutMs`: default and maximum of `timeoutMs`.
 */
export type AppLimits = Pick<Config['limits'], 'bodyBytes' | 'operationTimeoutMs'>

/** What a reload has come to. */
export type ReloadReport = Pick<ConfigChange, 'targets' | 'tokens' | 'forwards' | 'ignored'> & ReloadResult

/** What can be scraped, in one of two notations. */
export type MetricsPort = {
  page(notation: MetricsNotation): Promise<{ readonly contentType: string; readonly text: string }>
}

export const METRICS_NOTATIONS = ['text/plain', 'application/openmetrics-text'] as const
export type MetricsNotation = (typeof METRICS_NOTATIONS)[number]

/** Other instances, as the HTTP side needs them. */
export type FleetPort = {
  readonly name: string
  /** `joined`, or `degraded` while the engine is away. */
  readonly state: 'joined' | 'degraded'
  ownerOf(id: string): IdOwner
  /** An id that tells any of them that it is this instance's, for what is no lease. */
  newId(): string
  /** What the engine knows; while it is away, what it said last. */
  rows(): Promise<FleetRows>
  /** What all members authenticate words to each other with; null until it is known. */
  readonly secret: string | null
  /** What they do that have not heard yet that it has changed, too; none until it is known. */
  readonly secrets: readonly string[]
  /** TLS to other members, as PEM text. */
  readonly tls: NonNullable<Config['fleet']>['tls']
}

/** What the door needs of it. */
export type FleetDoor = Pick<FleetPort, 'name' | 'secrets'>

/** How a call for another instance came out: `ok` where that one has answered, whatever it has answered; else a code. */
export type ForwardResult = 'ok' | Lowercase<ErrorCode>

/** What `buildApp` is given. */
export type AppDeps = DoorDeps & {
  readonly pool: PoolPort
  readonly version: string
  /** The place in its one spelling, where a rule of the operator admits a listener there; else null. Errors: INVALID_REQUEST. */
  readonly mayListen: (place: ListenPlace) => ListenPlace | null
  /** Reads the configuration anew and has it hold. Errors: INVALID_REQUEST with the faults, and nothing has changed. */
  readonly reload: () => ReloadReport | Promise<ReloadReport>
  readonly metrics: MetricsPort
  /** The folder of the dashboard's built files; default: it is answered with a problem that says so. */
  readonly dashboard?: string
  /** Other instances; default: this one stands alone. */
  readonly fleet?: FleetPort
  /** Counts the calls that are another instance's to answer; default: nobody does. */
  readonly forwarded?: { count(result: ForwardResult): void }
  /** Rows of the threads that serve HTTP; default: none. */
  readonly httpRows?: () => readonly object[]
}

/** What every app needs. `auth: null` asks for no token: every caller is the one tenant `local` and an admin. */
export type DoorDeps = Pick<Config, 'auth'> & {
  /** Null where that is not known before it listens: `HostPolicy.listensAt` tells then. */
  readonly listen: ListenAddress | null
  /** `host` or `host:port` forms beside the listener's own that a Host header may name. */
  readonly hosts: readonly string[]
  /** Origins of web pages that may call, as browsers send them: `https://console.example`. */
  readonly origins: readonly string[]
  /** False: the listener speaks plain HTTP. */
  readonly tls: false | ListenerTls
  readonly limits: AppLimits
  /** True from the moment the service drains: no new leases. */
  readonly isClosing: () => boolean
  /** Fires at that moment; default: never. */
  readonly draining?: AbortSignal
  /** Which requests are logged, by the configuration as it holds now. */
  readonly accessLog: () => Config['http']['accessLog']
  readonly log: {
    readonly level: string
    readonly stream?: { write(line: string): void }
    /** What the ids of requests begin with, where several apps write one log; default: `req`. */
    readonly requestIds?: string
  }
  /** Where several threads serve HTTP: what each tenant has in use on all of them. */
  readonly tallies?: SharedTallies
  /** Where other threads accept the connections: the secret by which their word on a caller is known. */
  readonly relaySecret?: string
  /** Other instances, whose words on callers hold; default: there are none. */
  readonly fleet?: FleetDoor
  /** Hosts under which members of the fleet are reached, which a Host header may name; they change while it runs. Default: none. */
  readonly members?: ReadonlySet<string>
  /** Bytes of a request's headers; default LIMITS.httpHeaderBytesMax. */
  readonly headerBytesMax?: number
  /** HTTP connections at once; default LIMITS.httpConnectionsMax. */
  readonly connectionsMax?: number
  /** Counts how long requests take, by method, route and status; default: nobody does. */
  readonly durations?: SharedDurations
  /** Monotonic milliseconds; default: `performance.now`. */
  readonly now?: () => number
}
