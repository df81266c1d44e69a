/**
 * What a request of a front door needs of the connection that answers it. Clients were written for a connection of their
 * own: what would fail on one that changes hands with each message pins theirs instead.
 *
 *   plain     any connection, also one that others share
 *   held      one to itself until it is answered, or known to have no answer
 *   blocking  as held, for as long as the peer likes
 *   pin       one to itself from then on: the connection is not what it was, or its answers are no messages of their own
 *   quit      none: the client leaves
 *   refused   none: a server would take it for an attack and close
 */
import type { CallerMessage } from '../../frames/frame.ts'

export type RequestNeed = 'plain' | 'held' | 'blocking' | 'pin' | 'quit' | 'refused'

/** A closed set, as each is the label of a count: the command's name, or what several have in common. */
export const PIN_REASONS = [
  'asking',
  'auth',
  'blocking',
  'client',
  'connect',
  'debug',
  'discard',
  'exec',
  'failover',
  'hello',
  'monitor',
  'multi',
  'other',
  'psubscribe',
  'psync',
  'punsubscribe',
  'readonly',
  'readwrite',
  'replconf',
  'reset',
  'script',
  'select',
  'shutdown',
  'ssubscribe',
  'subscribe',
  'sunsubscribe',
  'sync',
  'unsubscribe',
  'unwatch',
  'wait',
  'waitaof',
  'watch',
] as const

export type PinReason = (typeof PIN_REASONS)[number]

const REASONS: ReadonlySet<string> = new Set(PIN_REASONS)

/**
 * Passing, and yet about what the connection has said before: on another one the answer would be of nothing, and count
 * replicas that have confirmed nothing.
 */
const OF_THE_PAST: ReadonlySet<string> = new Set(['WAIT', 'WAITAOF'])

/** `frame`: its name. */
export function needOf(
  frame: string,
  { command, answers, isExclusive, isPassing }: CallerMessage,
): RequestNeed {
  if (!isExclusive) return answers === 1 ? 'plain' : 'held'
  if (isPassing === true) {
    if (command !== null && OF_THE_PAST.has(command)) return 'pin'
    return answers === 0 ? 'held' : 'blocking'
  }
  if (frame === 'resp') {
    if (command === 'QUIT') return 'quit'
    if (command === null || command === 'POST') return 'refused'
  }
  return frame === 'memcached' && command === 'quit' ? 'quit' : 'pin'
}

export function pinReasonOf({ command }: CallerMessage): PinReason {
  const name = command?.toLowerCase() ?? ''
  return isReason(name) ? name : 'other'
}

function isReason(name: string): name is PinReason {
  return REASONS.has(name)
}
