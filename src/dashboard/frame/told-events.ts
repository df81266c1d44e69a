/** The events that a person should hear of as they happen; all others only show in the figures. */
import type { ServiceEvent } from '../service/event-lines.ts'
import type { Notices } from './notices.ts'

/** By kind and reason; what is not here is not told. Verbs of this page are told by whoever did them. */
export function tellEvent({ kind, reason, target, worker }: ServiceEvent, notices: Notices): void {
  if (kind === 'breaker' && reason === 'open')
    notices.bad(`The breaker of ${target ?? 'a target'} is open: callers are refused until a dial succeeds.`)
  else if (kind === 'breaker' && reason === 'closed')
    notices.good(`The breaker of ${target ?? 'a target'} is closed again.`)
  else if (kind === 'worker' && reason === 'lost')
    notices.bad(
      `I/O worker ${worker ?? ''} was lost, and its connections with it. Another one takes its place.`,
    )
  else if (kind === 'reload') notices.good('A new configuration holds.')
}
