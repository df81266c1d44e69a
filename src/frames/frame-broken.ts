import { SockpoolError } from '../base/errors.ts'

/** `what` says what is wrong with the bytes, and never repeats them. */
export function frameBroken(frame: string, what: string): SockpoolError {
  return new SockpoolError('FRAME_BROKEN', `${frame}: ${what}`)
}
