import { SockpoolError } from '../base/errors.ts'

/** FRAME_BROKEN. `what` names the fault and repeats no byte of the peer. */
export function frameBroken(frame: string, what: string): SockpoolError {
  return new SockpoolError('FRAME_BROKEN', `the bytes are no message of ${frame}: ${what}`)
}
