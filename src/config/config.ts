/** The configuration as the rest of sockpool reads it: whole, checked, in one unit each, and frozen. */
import type { Isolation } from '../base/isolation.ts'
import type { ListenAddress, ServeAddress } from './address.ts'
import type { FleetConfig } from './fleet.ts'
import type { ForwardConfig } from './forward.ts'
import type { ListenRule } from './listen-rule.ts'
import type { Target } from './target.ts'

export const ACCESS_LOGS = ['off', 'errors', 'all'] as const
export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const
export const TRACES = ['off', 'otlp'] as const
export type AccessLog = (typeof ACCESS_LOGS)[number]
export type LogLevel = (typeof LOG_LEVELS)[number]

/** A bearer token. Only its SHA-256 is kept, in lower-case hex. */
export type Token = {
  readonly name: string
  readonly sha256: string
  /** Patterns of target names; `*` stands for any run of characters. */
  readonly targets: readonly string[]
  readonly admin: boolean
  /** Its share of a target's connections while others wait too; default: 1. */
  readonly weight?: number
  /** What is absent has no bound of its own. */
  readonly limits?: TokenLimits
  /** Whether it may scrape the metrics, as an admin may; default: no. */
  readonly metrics?: boolean
}

/** How much one token may do at once. */
export type TokenLimits = {
  readonly requestsPerSecond?: number
  /** Default: `requestsPerSecond`. */
  readonly burst?: number
  readonly leases?: number
  readonly waiters?: number
  /** Connections open or being opened. */
  readonly connections?: number
  /** Described targets in use. */
  readonly targets?: number
}

export type Config = {
  readonly listen: ServeAddress
  readonly ioWorkers: number
  readonly parse: {
    readonly workers: number
    readonly isolation: Isolation
    /** The `file:` URLs of modules, by the names of their formats. */
    readonly formats: Readonly<Record<string, string>>
  }
  /** null: no token is asked for. No tokens: the service makes one at start. */
  readonly auth: { readonly tokens: readonly Token[] } | null
  readonly http: {
    readonly hosts: readonly string[]
    readonly origins: readonly string[]
    readonly threads: number
    /** Which requests are logged. */
    readonly accessLog: AccessLog
    /** PEM text. */
    readonly tls: { readonly cert: string; readonly key: string; readonly clientCa?: string } | null
  }
  readonly egress: { readonly allow: readonly string[]; readonly dnsServers: readonly string[] }
  readonly ingress: { readonly listen: readonly ListenRule[] }
  readonly limits: {
    readonly leases: number
    readonly waiters: number
    readonly bodyBytes: number
    readonly operationTimeoutMs: number
    readonly drainTimeoutMs: number
  }
  /** By name. Ask with `Object.hasOwn`. */
  readonly targets: Readonly<Record<string, Target>>
  readonly forwards: readonly ForwardConfig[]
  /** Other instances, and what is shared with them; null: this one stands alone. */
  readonly fleet: FleetConfig | null
  /** Where the metrics are served without a token, beside the API; default: nowhere. */
  readonly metrics: { readonly listen?: ListenAddress }
  /** Where spans go. */
  readonly telemetry: { readonly traces: (typeof TRACES)[number] }
  readonly logLevel: LogLevel
}
