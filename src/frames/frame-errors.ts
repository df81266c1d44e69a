/** The two errors of a cutter. Neither says anything of the bytes: they may be a secret. */
import { LimitOverrunError, SockpoolError } from '../base/errors.ts'

/** FRAME_BROKEN: the bytes are no message of the frame. `what` names the fault, and repeats no byte. */
export function frameBroken(name: string, what: string, cause?: unknown): SockpoolError {
  const details = cause === undefined ? {} : { cause }
  return new SockpoolError('FRAME_BROKEN', `${name}: ${what}`, details)
}

/** LIMIT_OVERRUN: the message is longer than `max` bytes. `consumed`: how many of them were there to see that by. */
export function frameOverrun(name: string, max: number, consumed: number): LimitOverrunError {
  return new LimitOverrunError(`${name}: the message is longer than ${max} bytes`, consumed)
}
