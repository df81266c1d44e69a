/** What callers hear where the instance that holds their lease or listener does not answer for it. */
import { exhausted, isExhaustion, isOutOfDescriptors } from '../../base/descriptors.ts'
import { type ErrorCode, SockpoolError } from '../../base/errors.ts'
import type { IdOwner } from '../../base/fleet-data.ts'
import { goneError } from '../leases/caller-lease.ts'
import type { ForwardResult } from '../ports.ts'
import { NOTHING_MOVED } from '../problems.ts'
import type { CallHeaders } from './call-headers.ts'

/** What an id names. */
export type HeldKind = 'lease' | 'listener'

/** Milliseconds after which a call may find its owner again whose connection failed just now. */
const RETRY_MS = 1_000

/** Methods that come to the same when they come twice. */
const REPEATABLE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'PATCH', 'DELETE'])

/** So does a read or a write that says at which byte of the stream it begins. */
const AT_OFFSET = /[?&]offset=/

/** A stream of lines takes them from the lease: it comes to the same only where it says behind which line it goes on. */
const TAKES_LINES = /^\/v1\/leases\/[^/?]+\/lines(?:\?|$)/

/** It does not answer now, and was sent nothing. */
export function unreachable({
  name,
  retryAfterMs,
}: Pick<Extract<IdOwner, { kind: 'unreachable' }>, 'name' | 'retryAfterMs'>): SockpoolError {
  return new SockpoolError(
    'INSTANCE_UNREACHABLE',
    `the instance ${name}, which holds this, cannot be reached; nothing was sent to it`,
    { expectedWaitMs: Math.max(0, retryAfterMs), ...NOTHING_MOVED },
  )
}

/** `isSent`: the owner may have got it. */
export type SentCall = {
  readonly isSent: boolean
  readonly method: string
  /** With its query. */
  readonly path: string
  readonly headers: CallHeaders
}

function isRepeatable({ method, path, headers }: SentCall): boolean {
  if (AT_OFFSET.test(path)) return true
  if (TAKES_LINES.test(path)) return (headers['last-event-id'] ?? '') !== ''
  return REPEATABLE.has(method)
}

/** Errors of the way to an owner, before it has answered. */
export function failedCall(name: string, call: SentCall, cause: unknown): SockpoolError {
  const { isSent } = call
  if (cause instanceof SockpoolError) return cause
  const what = `the instance ${name} cannot be called`
  if (!isSent && isExhaustion(cause)) return exhausted(what, cause, NOTHING_MOVED)
  // A look-up of its name fails for want of a descriptor, too, and hides that.
  if (!isSent && isOutOfDescriptors()) return exhausted(what, null, NOTHING_MOVED)
  if (!isSent) return unreachable({ name, retryAfterMs: RETRY_MS })
  return new SockpoolError(
    'INSTANCE_UNREACHABLE',
    `the way to the instance ${name}, which holds this, broke before it answered; what was asked may have been done`,
    { expectedWaitMs: RETRY_MS, retryable: isRepeatable(call) },
  )
}

/** It is gone for good, and what it held with it. */
export function lost(held: HeldKind): SockpoolError {
  switch (held) {
    case 'lease':
      return goneError('instance_lost')
    case 'listener':
      return new SockpoolError('LISTENER_NOT_FOUND', 'this listener has ended: instance_lost', {
        reason: 'instance_lost',
      })
    default:
      return held satisfies never
  }
}

export function tooMany(max: number): SockpoolError {
  return new SockpoolError(
    'QUEUE_FULL',
    `${max} calls for other instances are under way, as many as there may be; call the instance that made the lease`,
    NOTHING_MOVED,
  )
}

export function resultOf(error: SockpoolError): ForwardResult {
  return error.code.toLowerCase() as Lowercase<ErrorCode>
}
