/** What is logged of a pool. */
import type { Logger } from 'pino'
import type { PoolOptions } from '../library/create-pool.ts'
import { logForward } from './forward-log.ts'

export function logEvent(log: Logger, event: Parameters<NonNullable<PoolOptions['onEvent']>>[0]): void {
  switch (event.kind) {
    case 'decision': {
      const { decision } = event
      if (decision.verdict === 'admitted') log.debug({ decision }, 'dial admitted')
      else log.info({ decision }, 'dial refused')
      return
    }
    case 'leak':
      log.warn(
        event.lease.report,
        'a lease is held for longer than leakDetection allows: its holder may have forgotten to release it',
      )
      return
    case 'leak_over':
      log.warn(event.lease.report, 'a lease that was held for longer than leakDetection allows has ended')
      return
    case 'worker_lost':
      log.error(
        { worker: event.worker, err: event.error },
        'an I/O worker died: its connections are lost, and another worker takes its place',
      )
      return
    case 'fault':
      log.error(
        { err: event.error },
        'serving a connection failed, and it was closed for that; this is a fault of sockpool, please report it',
      )
      return
    case 'clients_dropped':
      log.warn({ clients: event.clients }, 'clients were disconnected: too many wait to be served')
      return
    case 'missed_wake':
      log.error(
        'the pool heard of bytes up to a second late: a wake-up between two threads was missed; this is a fault of sockpool, please report it',
      )
      return
    case 'parse_long':
      log.debug(event.parse, 'a parse takes long')
      return
    case 'lost':
      log.debug({ target: event.target, how: event.how }, 'a leased connection ended')
      return
    case 'forward':
      return logForward(log, event.event)
    default:
      event satisfies never
  }
}
