/** What the control words of a channel say: how things end, what is asked for, what was found. */

/** How a direction or a connection ended. */
export const END = {
  open: 0,
  fin: 1,
  closed: 2,
  reset: 3,
  timedOut: 4,
  tls: 5,
  workerLost: 6,
  killed: 7,
  poisoned: 8,
  corrupt: 9,
  expired: 10,
  closeNotify: 11,
  truncated: 12,
  revoked: 13,
} as const
export type EndName = Exclude<keyof typeof END, 'open'>
/** The peer has finished its direction: on plain TCP by FIN, over TLS by its close_notify or by FIN without one. */
export type PeerEnd = 'fin' | 'closeNotify' | 'truncated'

export function isPeerEnd(how: keyof typeof END): how is PeerEnd {
  return how === 'fin' || how === 'closeNotify' || how === 'truncated'
}

export const END_NAMES: readonly (keyof typeof END)[] = Object.keys(END) as Array<keyof typeof END>

/** What the holder asks of the outbound direction once its last byte is sent: flags, of which the strongest counts. */
export const SHUT = { open: 0, finish: 1, close: 2, abort: 4 } as const
export type ShutName = Exclude<keyof typeof SHUT, 'open'>
/** Beside `abort`: the peer is to see a reset, where there is one, and no end. */
export const SHUT_RESET = 8
export const SHUT_BY_STRENGTH: readonly ShutName[] = ['abort', 'close', 'finish']

/**
 * What the I/O worker found when a lease came back. The word holds it beside the epoch that it is about, so that what
 * was found at one release is never taken for another's: epoch × 16 + CHECK.
 */
export const CHECK = {
  none: 0,
  clean: 1,
  unsent: 2,
  unread: 3,
  half_closed: 4,
  error: 5,
  dialog_failed: 6,
  poisoned: 7,
  unanswered: 8,
  policy: 9,
} as const
export type CheckName = Exclude<keyof typeof CHECK, 'none'>
export const CHECK_NAMES: readonly (keyof typeof CHECK)[] = Object.keys(CHECK) as Array<keyof typeof CHECK>
export const CHECK_BITS = 4
