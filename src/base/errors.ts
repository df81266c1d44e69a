/**
 * Every failure that crosses a public door is a `SockpoolError` with a code of the closed table below.
 * The table is API: the HTTP status, the title and whether a repeat can help stand beside each code, the
 * README repeats it and a test holds the two together. A code that is retired is never used again.
 */

type Row = { readonly status: number; readonly title: string; readonly retryable: boolean }

const row = (status: number, title: string, retryable = false): Row => ({ status, title, retryable })

export const ERROR_CODES = {
  INVALID_REQUEST: row(400, 'The request is malformed'),
  INVALID_SEPARATOR: row(400, 'The separator cannot be used'),
  UNAUTHORIZED: row(401, 'A valid token is required'),
  FORBIDDEN: row(403, 'The token does not allow this'),
  TARGET_DENIED: row(403, 'The target may not be dialled'),
  HOST_DENIED: row(403, 'The Host or Origin is not allowed'),
  LEASE_NOT_FOUND: row(404, 'No such lease'),
  TARGET_NOT_FOUND: row(404, 'No such target'),
  CONNECTION_NOT_FOUND: row(404, 'No such connection'),
  LISTENER_NOT_FOUND: row(404, 'No such listener'),
  FORMAT_NOT_FOUND: row(404, 'No such format'),
  NOT_FOUND: row(404, 'No such route'),
  READ_BUSY: row(409, 'Another read is waiting on this lease'),
  WRITE_CLOSED: row(409, 'The writing side is closed'),
  OFFSET_MISMATCH: row(409, 'The offset lies beyond the stream'),
  WOULD_DEADLOCK: row(409, 'The wait could never end'),
  LEASE_GONE: row(410, 'The lease has ended'),
  OFFSET_GONE: row(410, 'The offset lies before the replay window'),
  LIMIT_OVERRUN: row(413, 'The limit was reached before the separator'),
  BODY_TOO_LARGE: row(413, 'The body is too large'),
  WRITE_OVERFLOW: row(413, 'The write buffer is full', true),
  PARSE_FAILED: row(422, 'The bytes are not of this format'),
  PARSE_LIMIT: row(422, 'The value exceeds a parse limit'),
  RATE_LIMITED: row(429, 'Too many requests', true),
  ABORTED: row(499, 'The caller gave up'),
  POOL_EXHAUSTED: row(503, 'No connection is free', true),
  QUEUE_FULL: row(503, 'A bound was reached', true),
  TARGET_PAUSED: row(503, 'The target is paused', true),
  BREAKER_OPEN: row(503, 'The target is failing', true),
  DRAINING: row(503, 'The service is draining', true),
  INTERNAL: row(500, 'A fault of the service itself'),
  INCOMPLETE_READ: row(502, 'The stream ended before the read was complete'),
  CONNECTION_RESET: row(502, 'The connection was reset'),
  CONNECT_REFUSED: row(502, 'The connection was refused', true),
  CONNECT_FAILED: row(502, 'The connection could not be made', true),
  DNS_FAILED: row(502, 'The name could not be resolved', true),
  TLS_FAILED: row(502, 'The TLS handshake failed'),
  STARTTLS_INJECTION: row(502, 'Plaintext arrived before the TLS handshake'),
  WORKER_LOST: row(502, 'The I/O worker of this connection died', true),
  DIALOG_FAILED: row(502, 'The dialog on the connection failed', true),
  CHANNEL_CORRUPT: row(502, 'The shared memory of the connection is corrupt'),
  READ_TIMEOUT: row(504, 'The read did not finish in time', true),
  DRAIN_TIMEOUT: row(504, 'The peer did not take the bytes in time'),
  CONNECT_TIMEOUT: row(504, 'The connection was not made in time', true),
  WAIT_TIMEOUT: row(504, 'No connection became free in time', true),
  PARSE_TIMEOUT: row(504, 'The parse did not finish in time'),
} as const satisfies Record<string, Row>

export type ErrorCode = keyof typeof ERROR_CODES

/** Why a lease is gone, as `lease_gone` reports it. */
export type GoneReason = 'released' | 'expired' | 'killed' | 'worker_lost' | 'reset'

export type ErrorDetails = {
  /** Bytes of this call that reached the caller. */
  bytesDelivered?: number
  /** Bytes of this call that were accepted for sending. */
  bytesAccepted?: number
  /** Whether the same call may succeed later; default: the code's. */
  retryable?: boolean
  /** The finer cause: a system code such as EHOSTUNREACH, a TLS reason, why a lease is gone. */
  reason?: string
  /** Which step of a dialog failed, from 0. */
  step?: number
  /** Where in the bytes a parse failed. */
  offset?: number
  /** Place in the queue when a wait ended, from 1. */
  position?: number
  /** What the queue's recent pace suggests a waiter would still wait. */
  expectedWaitMs?: number
  /** Bad fields of a request. */
  errors?: ReadonlyArray<{ readonly path: string; readonly message: string }>
  cause?: unknown
}

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
  readonly errors?: ReadonlyArray<{ readonly path: string; readonly message: string }>

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, 'cause' in details ? { cause: details.cause } : undefined)
    this.name = 'SockpoolError'
    this.code = code
    const { cause: _cause, retryable, ...rest } = details
    this.retryable = retryable ?? ERROR_CODES[code].retryable
    for (const [key, value] of Object.entries(rest)) if (value !== undefined) Object.assign(this, { [key]: value })
  }

  get status(): number {
    return ERROR_CODES[this.code].status
  }

  /** The fields that cross a thread or the wire; never the cause, which may name internals. */
  toJSON(): ErrorFields {
    const { code, message, retryable, bytesDelivered, bytesAccepted, reason, step, offset, position } = this
    const { expectedWaitMs, errors } = this
    const own = { bytesDelivered, bytesAccepted, reason, step, offset, position, expectedWaitMs, errors }
    const set = Object.entries(own).filter(([, value]) => value !== undefined)
    return { code, message, retryable, ...Object.fromEntries(set) }
  }

  /** Adopts a foreign error at the edge; a SockpoolError passes through. */
  static from(error: unknown, code: ErrorCode = 'INTERNAL'): SockpoolError {
    if (error instanceof SockpoolError) return error
    const message = error instanceof Error ? error.message : String(error)
    return new SockpoolError(code, message, { cause: error })
  }
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

  constructor(partial: Uint8Array, expected: number | null, details: ErrorDetails = {}) {
    const total = expected === null ? 'undefined' : String(expected)
    super('INCOMPLETE_READ', `${partial.length} bytes read on a total of ${total} expected bytes`, details)
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

/** Rebuilds the error that `toJSON` took apart on the other side of a thread. */
export function reviveError(fields: ErrorFields): SockpoolError {
  const { code, message, partial, expected, consumed, ...details } = fields
  if (code === 'INCOMPLETE_READ' && partial) return new IncompleteReadError(partial, expected ?? null, details)
  if (code === 'LIMIT_OVERRUN' && consumed !== undefined)
    return new LimitOverrunError(message, consumed, details)
  return new SockpoolError(code, message, details)
}

/** An assertion: a broken one is a fault of ours, never a condition of the world. */
export function invariant(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(`invariant broken: ${message}`)
}
