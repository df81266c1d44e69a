/**
 * Every failure that crosses a public door is a `SockpoolError` with a code of the closed table below.
 * The table is API: the HTTP status and whether a repeat can help stand beside each code, its title in error-titles.ts;
 * docs/errors.md is made from both, and a test holds them together. A code that is retired is never used again.
 */

import { errorText } from './error-text.ts'

export const ERROR_CODES = {
  INVALID_REQUEST: { status: 400, retryable: false },
  INVALID_SEPARATOR: { status: 400, retryable: false },
  FRAME_MISMATCH: { status: 400, retryable: false },
  UNAUTHORIZED: { status: 401, retryable: false },
  FORBIDDEN: { status: 403, retryable: false },
  TARGET_DENIED: { status: 403, retryable: false },
  COMMAND_DENIED: { status: 403, retryable: false },
  HOST_DENIED: { status: 403, retryable: false },
  LEASE_NOT_FOUND: { status: 404, retryable: false },
  TARGET_NOT_FOUND: { status: 404, retryable: false },
  CONNECTION_NOT_FOUND: { status: 404, retryable: false },
  LISTENER_NOT_FOUND: { status: 404, retryable: false },
  FORMAT_NOT_FOUND: { status: 404, retryable: false },
  NOT_FOUND: { status: 404, retryable: false },
  REQUEST_TIMEOUT: { status: 408, retryable: true },
  READ_BUSY: { status: 409, retryable: false },
  WRITE_CLOSED: { status: 409, retryable: false },
  OFFSET_MISMATCH: { status: 409, retryable: false },
  WOULD_DEADLOCK: { status: 409, retryable: false },
  LISTEN_FAILED: { status: 409, retryable: false },
  LEASE_GONE: { status: 410, retryable: false },
  OFFSET_GONE: { status: 410, retryable: false },
  LIMIT_OVERRUN: { status: 413, retryable: false },
  BODY_TOO_LARGE: { status: 413, retryable: false },
  WRITE_OVERFLOW: { status: 413, retryable: true },
  UNSUPPORTED_MEDIA_TYPE: { status: 415, retryable: false },
  PARSE_FAILED: { status: 422, retryable: false },
  PARSE_LIMIT: { status: 422, retryable: false },
  UPGRADE_REQUIRED: { status: 426, retryable: false },
  RATE_LIMITED: { status: 429, retryable: true },
  HEADERS_TOO_LARGE: { status: 431, retryable: false },
  ABORTED: { status: 499, retryable: false },
  POOL_EXHAUSTED: { status: 503, retryable: true },
  QUEUE_FULL: { status: 503, retryable: true },
  TARGET_PAUSED: { status: 503, retryable: true },
  BREAKER_OPEN: { status: 503, retryable: true },
  DRAINING: { status: 503, retryable: true },
  NOT_READY: { status: 503, retryable: true },
  INSTANCE_UNREACHABLE: { status: 503, retryable: true },
  SERVICE_UNREACHABLE: { status: 503, retryable: true },
  INTERNAL: { status: 500, retryable: false },
  UNSUPPORTED: { status: 501, retryable: false },
  INCOMPLETE_READ: { status: 502, retryable: false },
  CONNECTION_RESET: { status: 502, retryable: false },
  CONNECT_REFUSED: { status: 502, retryable: true },
  CONNECT_FAILED: { status: 502, retryable: true },
  DNS_FAILED: { status: 502, retryable: true },
  TLS_FAILED: { status: 502, retryable: false },
  STARTTLS_INJECTION: { status: 502, retryable: false },
  WORKER_LOST: { status: 502, retryable: false },
  DIALOG_FAILED: { status: 502, retryable: true },
  FRAME_BROKEN: { status: 502, retryable: false },
  CHANNEL_CORRUPT: { status: 502, retryable: false },
  READ_TIMEOUT: { status: 504, retryable: true },
  DRAIN_TIMEOUT: { status: 504, retryable: false },
  CONNECT_TIMEOUT: { status: 504, retryable: true },
  WAIT_TIMEOUT: { status: 504, retryable: true },
  PARSE_TIMEOUT: { status: 504, retryable: false },
} as const

export type ErrorCode = keyof typeof ERROR_CODES

/** Why a lease is gone, as `lease_gone` reports it. */
export type GoneReason =
  | 'released'
  | 'expired'
  | 'killed'
  | 'revoked'
  | 'worker_lost'
  | 'reset'
  | 'instance_lost'

/** How many connections of a target a tenant holds. */
export type LeaseHolding = { readonly tenant: string; readonly leases: number }

export type ErrorDetails = {
  /** Bytes of this call that reached the caller. */
  bytesDelivered?: number
  /** Bytes of this call that were accepted for sending. */
  bytesAccepted?: number
  /** Whether the same call may succeed later; default: the code's. */
  retryable?: boolean
  /** The finer cause: a system code such as EHOSTUNREACH, a TLS reason, why a lease is gone. */
  reason?: string
  /** Which step of a dialog failed, from 1. */
  step?: number
  /** Where in the bytes a parse failed. */
  offset?: number
  /** Place in the queue when a wait ended, from 1. */
  position?: number
  /** What the queue's recent pace suggests a waiter would still wait. */
  expectedWaitMs?: number
  /** Who holds what was waited for: those that hold most. */
  holders?: readonly LeaseHolding[]
  /** Bad fields of a request. */
  errors?: ReadonlyArray<{ readonly path: string; readonly message: string }>
  cause?: unknown
}

/** The details that cross a thread or the wire. */
const FIELDS = [
  'bytesDelivered',
  'bytesAccepted',
  'offset',
  'position',
  'expectedWaitMs',
  'reason',
  'step',
  'holders',
  'errors',
] as const

/**
 * The one error of sockpool.
 *
 * `code` is a key of ERROR_CODES; `details` holds what applies of counts and reasons and is spread onto the
 * error as own properties, so that `structuredClone` of `toJSON()` and JSON keep them.
 */
export class SockpoolError extends Error {
  readonly code: ErrorCode
  readonly retryable: boolean
  readonly bytesDelivered?: number
  readonly bytesAccepted?: number
  readonly reason?: string
  readonly step?: number
  readonly offset?: number
  readonly position?: number
  readonly expectedWaitMs?: number
  readonly holders?: readonly LeaseHolding[]
  readonly errors?: ReadonlyArray<{ readonly path: string; readonly message: string }>

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, 'cause' in details ? { cause: details.cause } : undefined)
    this.name = 'SockpoolError'
    this.code = code
    const { cause: _cause, retryable, ...rest } = details
    this.retryable = retryable ?? ERROR_CODES[code].retryable
    for (const [key, value] of Object.entries(rest))
      if (value !== undefined) Object.assign(this, { [key]: value })
  }

  get status(): number {
    return ERROR_CODES[this.code].status
  }

  /** Adds what only a caller further up knows, and returns the same error. */
  add(details: Omit<ErrorDetails, 'cause' | 'retryable'>): this {
    return Object.assign(this, details)
  }

  /** Says that so many bytes of the call may have reached the peer, after which no repeat of it is safe. */
  addAccepted(bytes: number): this {
    return Object.assign(this, { bytesAccepted: bytes, retryable: bytes === 0 && this.retryable })
  }

  /** The fields that cross a thread or the wire; never the cause, which may name internals. */
  toJSON(): ErrorFields {
    const { code, message, retryable } = this
    const set = FIELDS.map(name => [name, this[name]]).filter(([, value]) => value !== undefined)
    return { code, message, retryable, ...Object.fromEntries(set) }
  }

  /** Adopts a foreign error at the edge; a SockpoolError passes through. */
  static from(error: unknown, code: ErrorCode = 'INTERNAL'): SockpoolError {
    if (error instanceof SockpoolError) return error
    const message = errorText(error)
    return new SockpoolError(code, message, { cause: error })
  }
}

export function hasCode(error: unknown, code: ErrorCode): error is SockpoolError {
  return error instanceof SockpoolError && error.code === code
}

/** What `toJSON` gives: the shape in which an error crosses a thread. */
export type ErrorFields = {
  code: ErrorCode
  message: string
  retryable: boolean
  partial?: Uint8Array
  expected?: number | null
  consumed?: number
} & Omit<ErrorDetails, 'cause' | 'retryable'>

/**
 * The stream ended before a read was complete.
 *
 * `partial` holds what had come, `expected` the wanted count, or null where a separator was awaited.
 * Source: asyncio.IncompleteReadError.
 */
export class IncompleteReadError extends SockpoolError {
  readonly partial: Buffer
  readonly expected: number | null

  /** `message`: default, asyncio's. */
  constructor(
    partial: Uint8Array,
    expected: number | null,
    details: ErrorDetails = {},
    message = `${partial.length} bytes read on a total of ${expected ?? 'undefined'} expected bytes`,
  ) {
    super('INCOMPLETE_READ', message, details)
    this.name = 'IncompleteReadError'
    this.partial = Buffer.from(partial.buffer, partial.byteOffset, partial.length)
    this.expected = expected
  }

  override toJSON(): ErrorFields {
    return { ...super.toJSON(), partial: this.partial, expected: this.expected }
  }
}

/**
 * The limit was reached before the separator ended the read.
 *
 * `consumed` bytes can be taken with `readExactly(consumed)` without cutting a separator in two.
 * Source: asyncio.LimitOverrunError.
 */
export class LimitOverrunError extends SockpoolError {
  readonly consumed: number

  constructor(message: string, consumed: number, details: ErrorDetails = {}) {
    super('LIMIT_OVERRUN', message, details)
    this.name = 'LimitOverrunError'
    this.consumed = consumed
  }

  override toJSON(): ErrorFields {
    return { ...super.toJSON(), consumed: this.consumed }
  }
}

/** Rebuilds the error that `toJSON` took apart, on the other side of a thread or after a round trip through JSON. */
export function reviveError(fields: ErrorFields): SockpoolError {
  const { code, message, partial, expected, consumed, ...details } = fields
  if (code === 'INCOMPLETE_READ' && partial)
    return new IncompleteReadError(bytesOf(partial), expected ?? null, details, message)
  if (code === 'LIMIT_OVERRUN' && consumed !== undefined)
    return new LimitOverrunError(message, consumed, details)
  return new SockpoolError(code, message, details)
}

/** JSON makes `{type: 'Buffer', data: [...]}` of a Buffer. */
function bytesOf(partial: Uint8Array | { readonly data: readonly number[] }): Uint8Array {
  return partial instanceof Uint8Array ? partial : Uint8Array.from(partial.data)
}

/** An error of its own with the same fields, for a caller that adds to it; the original is its cause. */
export function copyError(error: SockpoolError, retryable: boolean = error.retryable): SockpoolError {
  const copy = reviveError({ ...error.toJSON(), retryable })
  copy.name = error.name
  copy.cause = error
  return copy
}

/**
 * An assertion: a broken one is a fault of ours, never a condition of the world. On hot paths the message is a
 * function, so that nothing is put together for an assertion that holds.
 */
export function invariant(condition: boolean, message: string | (() => string)): asserts condition {
  if (condition) return
  throw new Error(`invariant broken: ${typeof message === 'string' ? message : message()}`)
}
