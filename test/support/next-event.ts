/** For emitters of foreign libraries, whose own types and habits `events.once` does not fit. */
import type { EventEmitter } from 'node:events'

/** The first argument of the next `name` event. Unlike `once`, an 'error' event meanwhile is not this one's failure. */
export function nextEvent(emitter: object, name: string): Promise<unknown> {
  return new Promise(resolve => (emitter as EventEmitter).once(name, resolve))
}
