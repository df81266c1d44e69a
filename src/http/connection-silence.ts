/** How long nothing may pass on a connection, in either direction. */
import { LIMITS } from '../base/limits.ts'
import type { Config } from '../config/config.ts'

/** Milliseconds after which a caller's connection is cut: longer than any wait that a request may ask for. */
export function silenceMaxMs({ operationTimeoutMs }: Pick<Config['limits'], 'operationTimeoutMs'>): number {
  return Math.max(operationTimeoutMs, LIMITS.leaseWaitMsMax) + LIMITS.bodyWaitMs
}
