/** One forward and the pool behind it, without the HTTP API: what `sockpool forward` runs by itself. */
import { pino } from 'pino'
import { stderrLog } from '../base/stderr-log.ts'
import type { Config } from '../config/config.ts'
import type { ForwardConfig } from '../config/forward.ts'
import { joinPool } from '../library/create-pool.ts'
import { announcedTargets } from './announced-targets.ts'
import { logEvent } from './event-log.ts'

export type ForwardService = {
  /** Where it listens, with the real port. */
  readonly listen: string
  /** Clients that are served now: what `close` waits for. */
  readonly leases: number
  /** Listens no more, gives its clients up to `limits.drainTimeout`, and closes everything. */
  close(): Promise<void>
}

/** Errors: LISTEN_FAILED, DNS_FAILED, INVALID_REQUEST. */
export async function startForwardService(config: Config, forward: ForwardConfig): Promise<ForwardService> {
  const { ioWorkers, targets, egress, limits } = config
  const log = pino({ name: 'sockpool', level: config.logLevel }, stderrLog())
  const { pool } = joinPool(
    {
      ioWorkers,
      parseWorkers: 1,
      targets: announcedTargets(targets, [forward]),
      egress,
      limits: { leases: limits.leases, waiters: limits.waiters },
      onEvent: event => logEvent(log, event),
    },
    { defaultTtl: 'target', parseBytesMax: limits.bodyBytes },
  )
  pool.forwards.serveMode('message', pool.messages.handler({ timeoutMs: limits.operationTimeoutMs }))
  try {
    const [opened] = await pool.forwards.open([forward])
    return {
      listen: opened?.listen ?? '',
      get leases() {
        return pool.stats().leases
      },
      close: () => pool.close({ drainMs: limits.drainTimeoutMs }),
    }
  } catch (error) {
    await pool.close()
    throw error
  }
}
