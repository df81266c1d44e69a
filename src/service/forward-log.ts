/** What is logged of forwards. */
import type { Logger } from 'pino'
import type { ForwardEvent } from '../pool/forward/forwards.ts'

export function logForward(log: Logger, event: ForwardEvent): void {
  switch (event.kind) {
    case 'refused':
      log.warn(
        { forward: event.forward, clients: event.clients },
        'clients of a forward were disconnected: they got no connection of its target',
      )
      return
    case 'failed':
      log.error({ forward: event.forward, err: event.error }, 'a forward does not listen')
      return
    default:
      event satisfies never
  }
}
