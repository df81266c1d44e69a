/** How long a body may keep the service waiting. */
import { LIMITS } from '../../base/limits.ts'

export interface BodyPace {
  /** Milliseconds of waiting that every body is granted. */
  readonly waitMs: number
  /** So many bytes received grant one second more. */
  readonly bytesPerSecond: number
}

export const BODY_PACE: BodyPace = {
  waitMs: LIMITS.bodyWaitMs,
  bytesPerSecond: LIMITS.bodyRateBytesPerSecond,
}

/** Milliseconds of waiting that a body is granted of which so many bytes have come. */
export function grantedMs(bytes: number, { waitMs, bytesPerSecond }: BodyPace): number {
  return waitMs + (bytes / bytesPerSecond) * 1_000
}
