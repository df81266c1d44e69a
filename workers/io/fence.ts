/**
 * The fence between the leases of one connection: what the words of the channel ask of the connection, judged by the
 * epoch that its state is about. A connection adopts the epoch of a new lease once, and leaves it once. It need not see
 * every step: a lease may begin and end between two looks. But while it serves a lease, or looks at one that was released,
 * nobody may begin the next one: an epoch that says so is a fault of ours.
 */
import { SockpoolError } from '../../src/base/errors.ts'
import type { SHUT } from '../../src/channel/values.ts'
import { type ConnectionState, isLease } from './connection-life.ts'

/** A state that is about an epoch. */
export type EpochState = Extract<ConnectionState, { readonly epoch: number }>

export type Ask =
  | 'nothing'
  /** A lease has begun. */
  | 'serve'
  /** The lease has ended, and asks for the release check. */
  | 'check'
  /** The holder asks to close, once all is sent. */
  | 'close'
  /** The lease has ended in the middle of something that it cannot come back from. */
  | 'drop'
  /** The connection is to end at once. */
  | 'abort'

/** What is asked. Errors: CHANNEL_CORRUPT, where the epoch cannot be. */
export function ask(state: EpochState, epoch: number, shut: keyof typeof SHUT): Ask {
  if (shut === 'abort') return 'abort'
  const steps = (epoch - state.epoch) | 0
  if (state.at === 'closing' || state.at === 'draining') return steps === 0 ? 'nothing' : 'drop'
  if (steps < 0 || steps > stepsMax(state))
    throw new SockpoolError('CHANNEL_CORRUPT', `the epoch went from ${state.epoch} to ${epoch}`)
  switch (state.at) {
    case 'fresh':
    case 'idle':
      if (shut === 'close') return 'close'
      return steps === 2 ? 'check' : steps === 1 ? 'serve' : 'nothing'
    case 'seated':
    case 'leased':
      if (shut === 'close') return 'close'
      return steps === 1 ? 'check' : 'nothing'
    case 'spliced':
      // Its lease ends by a message of this thread's own, or by an abort.
      return steps === 1 || shut === 'close' ? 'drop' : 'nothing'
    case 'hushed':
      if (steps === 1) return 'drop'
      return shut === 'close' ? 'close' : 'nothing'
    case 'dialog':
    case 'checking':
    case 'lingering':
    case 'finishing':
      return 'nothing'
    default:
      return state satisfies never
  }
}

/** How many steps the epoch may be ahead of the one that the state is about. */
function stepsMax({ at, epoch }: EpochState): number {
  switch (at) {
    case 'fresh':
    case 'idle':
      return 2
    case 'leased':
    case 'seated':
    case 'hushed':
    case 'spliced':
      return 1
    case 'lingering':
    case 'finishing':
      return isLease(epoch) ? 1 : 0
    default:
      return 0
  }
}
