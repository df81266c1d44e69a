/** The look at one connection that came back, or lay idle, as its parts stand. */
import type { Socket } from 'node:net'
import type { Channel } from '../../src/channel/channel.ts'
import type { DialogLine } from './dialog/dialog-run.ts'
import type { Dialogs } from './dialog/dialogs.ts'
import type { Inflow } from './inflow.ts'
import type { MessageBalance } from './message-balance.ts'
import type { Outflow } from './outflow.ts'
import { ReleaseCheck } from './release-check.ts'

export type CheckedParts = {
  readonly channel: Channel
  readonly socket: Socket
  readonly inflow: Inflow
  readonly outflow: Outflow
  readonly balance: MessageBalance | null
  readonly dialogs: Dialogs
  readonly closeLingerMs: number
  /** Its holder has ended a direction, or all of it. */
  readonly isShut: boolean
  readonly line: () => DialogLine
}

/** Begins it. */
export function checkOf(parts: CheckedParts): ReleaseCheck {
  const { channel, socket, inflow, outflow, balance, dialogs, closeLingerMs, isShut, line } = parts
  const isSending = (): boolean => socket.writableLength > 0 || outflow.isSending
  const moment = channel.isProbed ? 'probe' : 'onRelease'
  return new ReleaseCheck({
    isSending,
    isUnsent: () => isSending() || outflow.isUnsent,
    isUnread: () => inflow.isUnread,
    isHalfClosed: () => isShut || inflow.end !== 'open',
    unproven: () => balance?.against(dialogs.has(moment)) ?? null,
    startDialog: () => dialogs.begin(moment, line),
    sendingMs: closeLingerMs,
  })
}
