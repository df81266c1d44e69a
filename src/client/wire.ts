/**
 * How a program reaches the service: requests, and sockets that speak WebSocket. Two implementations: Node's own HTTP, which
 * also knows unix sockets and certificates, and what every browser and server runtime has in common.
 */

export type WireRequest = {
  readonly method: string
  /** With the query; below the service's address. */
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | Uint8Array | null
  readonly signal: AbortSignal
}

export type WireAnswer = {
  readonly status: number
  /** By its name in lower case; null where the answer has none, or where a browser hides it. */
  header(name: string): string | null
  readonly bytes: Buffer
}

export function jsonOf<T>({ bytes }: WireAnswer): T {
  return JSON.parse(bytes.toString('utf8')) as T
}

/** A request that got no answer. */
export class WireFailure extends Error {
  /** It is known that nothing of the request has reached the service. */
  readonly isUnsent: boolean

  constructor(cause: unknown, isUnsent: boolean) {
    super('the request got no answer', { cause })
    this.name = 'WireFailure'
    this.isUnsent = isUnsent
  }
}

/** Told of what happens on a socket; nothing more after `closed`. */
export type WireEars = {
  opened(): void
  text(text: string): void
  bytes(bytes: Uint8Array): void
  /** Something was heard that is no message: the service is alive. */
  alive(): void
  /** Code 1006: it broke, or never opened. */
  closed(code: number, reason: string): void
}

export interface WireSocket {
  send(data: string | Uint8Array): void
  /** Says good-bye in order; `closed` follows. */
  close(): void
  /** Breaks it; `closed` is not called any more. */
  drop(): void
}

export interface Wire {
  /** Whether `alive` is called for the service's pings: then silence is the end of a socket. */
  readonly hearsPings: boolean
  /** Errors: WireFailure; the signal's reason where it ended the request. */
  request(request: WireRequest): Promise<WireAnswer>
  /** `protocols`: of which the service picks the first. */
  openSocket(path: string, ears: WireEars): WireSocket
  close(): void
}

export type WireTls = {
  readonly ca?: string | Uint8Array | undefined
  readonly cert?: string | Uint8Array | undefined
  readonly key?: string | Uint8Array | undefined
  readonly servername?: string | undefined
}

/** The subprotocol of a lease's stream, and the one that carries the token where a browser can send no header. */
export const STREAM_PROTOCOL = 'sockpool.v1'
export const TOKEN_PROTOCOL = 'token.'
