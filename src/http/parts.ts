/**
 * What the HTTP app needs from the rest of the system, as interfaces of its own: the pool, its leases and their
 * streams satisfy them as they are, and a test satisfies them with small fakes. Everything here runs on the
 * thread that serves HTTP and touches no socket of a target.
 */
import type { GoneReason } from '../base/errors.ts'

export interface WaitOptions {
  readonly signal?: AbortSignal
  readonly timeoutMs?: number
}

export interface ReadOptions extends WaitOptions {
  /** Bytes; of `read` to the end: LIMIT_OVERRUN past it, and nothing is removed. */
  readonly limit?: number
}

export interface LeaseReader {
  read(n?: number, options?: ReadOptions): Promise<Buffer>
  readLine(options?: ReadOptions): Promise<Buffer>
  readExactly(n: number, options?: ReadOptions): Promise<Buffer>
  readUntil(separators: Uint8Array[], options?: ReadOptions): Promise<Buffer>
  atEof(): boolean
  /** Bytes taken so far by this lease. */
  readonly offset: number
}

export interface LeaseWriter {
  write(data: Uint8Array): void
  writeLines(list: readonly Uint8Array[]): void
  drain(options?: WaitOptions): Promise<void>
  canWriteEof(): boolean
  writeEof(): void
  close(): void
  isClosing(): boolean
  waitClosed(options?: WaitOptions): Promise<void>
  startTls(options?: AdHocTls & WaitOptions): Promise<void>
  /** Bytes accepted so far by this lease. */
  readonly offset: number
}

export interface TlsFacts {
  readonly protocol: string
  readonly cipher: string
  readonly alpnProtocol: string | null
  readonly authorized: boolean
  readonly servername: string | null
}

export interface ConnectionFacts {
  readonly id: string
  readonly localAddress: string
  readonly localPort: number
  readonly remoteAddress: string
  readonly remotePort: number
  readonly tls: TlsFacts | null
}

export interface ReleaseVerdict {
  readonly outcome: 'reused' | 'closed'
  readonly reason: string
}

export interface Lease {
  /** 256 random bits as base64url: whoever names it and has the token holds the lease. */
  readonly id: string
  readonly target: string
  readonly reused: boolean
  readonly expiresAt: Date | null
  readonly connection: ConnectionFacts
  readonly reader: LeaseReader
  readonly writer: LeaseWriter
  readonly ageMs: number
  readonly idleMs: number
  readonly lastOperation: string | null
  /** Why it ended, or null while it is held; `ended` resolves with the same and never rejects. */
  readonly gone: GoneReason | null
  readonly ended: Promise<GoneReason>
  /** Runs one operation: the lease does not expire meanwhile, and its ttl is renewed before and after. */
  operation<T>(name: string, run: () => Promise<T>): Promise<T>
  renew(ttlMs?: number): Date | null
  release(): Promise<ReleaseVerdict>
  discard(): Promise<ReleaseVerdict>
  parse(format: string, options?: object, wait?: WaitOptions): Promise<{ value: unknown; offset: number }>
}

/** A target that a caller describes; every field was checked and copied one by one. */
export interface AdHocTarget {
  host: string
  port: number
  tls?: boolean | AdHocTls
}

export interface AdHocTls {
  servername?: string
  /** PEM text. */
  ca?: string
  alpn?: string[]
  minVersion?: 'TLSv1.2' | 'TLSv1.3'
}

/** How one reply ends. */
export type ReadSpec =
  | { readonly line: true }
  | { readonly until: Uint8Array[] }
  | { readonly exactly: number }
  | { readonly eof: true }
  | { readonly none: true }

export interface LeaseRequest {
  readonly waitMs?: number
  readonly ttlMs?: number
  readonly signal?: AbortSignal
  readonly tenant?: string
}

export interface ExchangeRequest extends WaitOptions {
  readonly write: Uint8Array
  readonly read: ReadSpec
  readonly tenant?: string
  /** Bytes that a read to EOF may gather; past it LIMIT_OVERRUN. */
  readonly limit?: number
}

export interface ExchangeReply {
  readonly data: Buffer
  readonly reused: boolean
  /** Stream offset of the first byte of `data`. */
  readonly offset: number
  readonly eof: boolean
}

/** Rows that the pool counts; fields beyond these are passed on as they are. */
export interface TargetRow {
  readonly name: string
  /** Whose it is; absent for the targets of the configuration, which tokens select by name. */
  readonly tenant?: string | null
  readonly connections?: { readonly connecting: number; readonly idle: number }
  readonly waiters?: number
}

export interface ConnectionRow {
  readonly id: string
  readonly tenant?: string | null
}

export interface Pool {
  lease(target: string | AdHocTarget, request: LeaseRequest): Promise<Lease>
  exchange(target: string | AdHocTarget, request: ExchangeRequest): Promise<ExchangeReply>
  parse(format: string, bytes: Uint8Array, options?: object, wait?: WaitOptions): Promise<unknown[]>
  targets(): readonly TargetRow[]
  connections(): readonly ConnectionRow[]
  workers(): Promise<readonly object[]>
  stats(): object
  readonly ready: boolean
}

/** One configured bearer token, of which only the hash is kept. */
export interface Token {
  /** The tenant: leases and connections belong to this name. */
  readonly name: string
  /** SHA-256 of the token, in hex. */
  readonly sha256: string
  /** Globs over target names; `*` alone also admits ad-hoc targets. */
  readonly targets: readonly string[]
  readonly admin: boolean
  /** Default: none. */
  readonly limits?: TokenLimits
}

/** Bounds of one token; what is absent is bounded by the service's own limits only. */
export interface TokenLimits {
  readonly requestsPerSecond?: number
  /** Requests at once after a pause; default: `requestsPerSecond`. */
  readonly burst?: number
  /** Leases held at once, those that are being acquired and running exchanges included. */
  readonly leases?: number
  /** Requests that wait for a lease at once; an exchange counts until it is answered. */
  readonly waiters?: number
  /** Connections open or being opened at once; those that are closing count no more. */
  readonly connections?: number
  /** Described targets in use at once. */
  readonly targets?: number
}

/** TLS of the listener, as PEM text. */
export interface ListenerTls {
  readonly cert: string
  readonly key: string
  /** Who signs client certificates; where set, every route but the open ones needs one. */
  readonly clientCa?: string
}

/** Where the service listens; with port 0 the real port is taken from each connection. */
export type ListenAddress =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string }

export interface AppLimits {
  /** Bytes of a body that is held in memory, and of a reply that is read to its end. */
  readonly bodyBytes: number
  /** Milliseconds: default and maximum of `timeoutMs`. */
  readonly operationTimeoutMs: number
}

export interface AppParts {
  readonly pool: Pool
  /** `null`: no authentication; every caller is the one tenant `local` and an admin. */
  readonly auth: { readonly tokens: readonly Token[] } | null
  readonly listen: ListenAddress
  /** `host` or `host:port` forms beside the listener's own that a Host header may name. */
  readonly hosts: readonly string[]
  /** Origins of web pages that may call, as browsers send them: `https://console.example`. */
  readonly origins: readonly string[]
  /** False: the listener speaks plain HTTP. */
  readonly tls: false | ListenerTls
  readonly limits: AppLimits
  readonly version: string
  /** True from the moment the service drains: no new leases. */
  readonly isClosing: () => boolean
  readonly log: { readonly level: string; readonly stream?: { write(line: string): void } }
  /** Monotonic milliseconds; default: `performance.now`. */
  readonly now?: () => number
}
