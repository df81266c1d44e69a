/**
 * Which problems a route may answer. What follows from where a route stands, the door before it and the lease in its path,
 * is said here once for all routes; a row of a route table names what is its own.
 */
import type { ErrorCode } from '../../base/errors.ts'

/** Of a request that is none, whichever route it names. */
const OF_ALL: readonly ErrorCode[] = ['INVALID_REQUEST', 'REQUEST_TIMEOUT', 'HEADERS_TOO_LARGE', 'INTERNAL']
/** Of whoever may not come in, or asks too much. */
const OF_THE_DOOR: readonly ErrorCode[] = ['UNAUTHORIZED', 'HOST_DENIED', 'RATE_LIMITED', 'QUEUE_FULL']
/** Of bodies. */
const OF_BODIES: readonly ErrorCode[] = ['BODY_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE']
/** Of the lease that the path names. */
const OF_A_LEASE: readonly ErrorCode[] = ['LEASE_NOT_FOUND', 'LEASE_GONE']
/** Of what another instance may hold. */
const OF_THE_OWNER: readonly ErrorCode[] = ['INSTANCE_UNREACHABLE']

/** The verbs of an operator. */
export const ADMIN_PROBLEMS: readonly ErrorCode[] = ['FORBIDDEN']

/** Of a connection that has ended: what broke it, a start of TLS too, is told to the calls that come after. */
const LOST: readonly ErrorCode[] = [
  'CONNECTION_RESET',
  'WORKER_LOST',
  'CHANNEL_CORRUPT',
  'TLS_FAILED',
  'STARTTLS_INJECTION',
  'CONNECT_TIMEOUT',
]

/** Of whoever is to get a connection. */
export const ACQUIRE_PROBLEMS: readonly ErrorCode[] = [
  'FORBIDDEN',
  'TARGET_DENIED',
  'TARGET_NOT_FOUND',
  'POOL_EXHAUSTED',
  'TARGET_PAUSED',
  'BREAKER_OPEN',
  'DRAINING',
  'CONNECT_REFUSED',
  'CONNECT_FAILED',
  'DNS_FAILED',
  'TLS_FAILED',
  'STARTTLS_INJECTION',
  'DIALOG_FAILED',
  'WORKER_LOST',
  'CHANNEL_CORRUPT',
  'CONNECT_TIMEOUT',
  'WAIT_TIMEOUT',
]

/** Of any read of a lease. */
export const READ_PROBLEMS: readonly ErrorCode[] = [
  'READ_BUSY',
  'OFFSET_MISMATCH',
  'OFFSET_GONE',
  'READ_TIMEOUT',
  ...LOST,
]

/** Of any write on a lease. */
export const WRITE_PROBLEMS: readonly ErrorCode[] = [
  'WRITE_CLOSED',
  'WRITE_OVERFLOW',
  'DRAIN_TIMEOUT',
  ...LOST,
]

/** What the document says of a route that bears on its problems. */
export type RouteFacts = {
  readonly method: string
  readonly path: string
  /** Whether it answers anyone. */
  readonly isOpen: boolean
  /** Whether it takes a body of any content type. */
  readonly takesAnyType: boolean
  /** What its row names. */
  readonly own: readonly ErrorCode[]
}

/** All problems that a route may answer. */
export function problemsOf({ method, path, isOpen, takesAnyType, own }: RouteFacts): readonly ErrorCode[] {
  const hasBody = method !== 'get' && method !== 'head'
  const bodies = OF_BODIES.filter(code => code !== 'UNSUPPORTED_MEDIA_TYPE' || !takesAnyType)
  return [
    ...new Set([
      ...OF_ALL,
      ...(isOpen ? [] : OF_THE_DOOR),
      ...(hasBody ? bodies : []),
      ...(path.startsWith('/v1/leases/{id}') ? OF_A_LEASE : []),
      ...(isOwned(path) ? OF_THE_OWNER : []),
      ...own,
    ]),
  ]
}

/** Whether any instance of a fleet answers for what the path names, whichever holds it. */
export function isOwned(path: string): boolean {
  return /^\/v1\/(?:leases|listeners)\/\{id\}/.test(path)
}
