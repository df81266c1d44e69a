/**
 * The look at a connection that came back, or lay idle: may it serve again?
 *
 *   the socket's word on what was written ─► nothing left over ─► its messages ─► its dialog ─► two silent turns ─► clean
 *
 * It is watched for two turns of the event loop, because bytes that the kernel already has are seen only in the second.
 * The first thing that speaks against it decides.
 */
import type { FaultGuard } from '../../src/base/fault-guard.ts'
import { Wait } from '../../src/base/wait.ts'
import type { Channel } from '../../src/channel/channel.ts'
import type { CheckName } from '../../src/channel/values.ts'
import type { DialogLine, DialogUnderWay } from './dialog/dialog-run.ts'
import type { DialogMoment, Dialogs } from './dialog/dialogs.ts'
import type { Inflow } from './inflow.ts'
import type { MessageBalance } from './message-balance.ts'
import type { Outflow } from './outflow.ts'
import type { SilentTurns, TurnWatcher } from './silent-turns.ts'

export type ReleaseCheckDeps = {
  readonly channel: Channel
  /** The socket was given bytes that the kernel has not taken yet; `wrote` is to be called when it has. */
  readonly isSending: () => boolean
  readonly inflow: Inflow
  readonly outflow: Outflow
  /** Null where no messages are counted. */
  readonly balance: MessageBalance | null
  readonly dialogs: Dialogs
  readonly line: () => DialogLine
  /** Milliseconds that the kernel may take for what the socket was given. */
  readonly closeLingerMs: number
  readonly turns: SilentTurns
  /** A throw is one of the connection's. */
  readonly guard: FaultGuard
  readonly onFound: (check: ReleaseCheck, found: CheckName) => void
}

export class ReleaseCheck implements TurnWatcher {
  readonly #deps: ReleaseCheckDeps
  #disturbed: CheckName | null = null
  #dialog: DialogUnderWay | null = null
  #sending: Wait<void> | null = null

  constructor(deps: ReleaseCheckDeps) {
    this.#deps = deps
  }

  /** Looks; what it finds at once is told within this call. Errors: those of a connection that cannot be looked at. */
  begin(): void {
    const { channel, balance, dialogs } = this.#deps
    const moment = channel.isProbed ? 'probe' : 'onRelease'
    // Before anything else comes: an answer that comes now is none that the lease has had.
    const unproven = balance === null ? null : balance.against(dialogs.has(moment))
    this.#afterKernel(() => this.#judge(moment, unproven))
  }

  /** Something happened on the connection while it was looked at. */
  disturb(found: CheckName): void {
    this.#disturbed ??= found
    this.#dialog?.fail('closed')
    this.#sending?.resolve()
  }

  /** Bytes came: the dialog's, or nobody's. */
  received(bytes: Buffer): void {
    if (this.#dialog === null || this.#dialog.isOver) this.disturb('poisoned')
    else this.#dialog.received(bytes)
  }

  /** The kernel has taken something. */
  wrote(): void {
    if (!this.#deps.isSending()) this.#sending?.resolve()
  }

  readonly turned = (): void => this.#deps.guard.run(() => this.#found(this.#against() ?? 'clean'))

  #judge(moment: DialogMoment, unproven: CheckName | null): void {
    const before = this.#against()
    if (unproven !== null && (before === null || before === 'poisoned')) return this.#found(unproven)
    if (before !== null) return this.#found(before)
    const { dialogs, line, guard } = this.#deps
    const dialog = dialogs.begin(moment, line)
    if (dialog === null) return this.#watch()
    this.#dialog = dialog
    dialog.done.then(
      guard.action(() => this.#conversed(dialog, true)),
      guard.action(() => this.#conversed(dialog, false)),
    )
  }

  #conversed(dialog: DialogUnderWay, passed: boolean): void {
    this.#dialog = null
    for (const _ of dialog.leftover) this.disturb('poisoned')
    if (!passed) return this.#found(this.#disturbed ?? 'dialog_failed')
    this.#afterKernel(() => this.#watch())
  }

  #watch(): void {
    if (this.#disturbed === null) this.#deps.turns.watch(this)
    else this.#found(this.#disturbed)
  }

  #found(found: CheckName): void {
    this.#deps.onFound(this, found)
  }

  /** What speaks against the connection now. */
  #against(): CheckName | null {
    const { channel, inflow, outflow, isSending } = this.#deps
    if (this.#disturbed !== null) return this.#disturbed
    if (channel.shut !== 'open' || inflow.end !== 'open') return 'half_closed'
    if (isSending() || outflow.isUnsent) return 'unsent'
    return inflow.isUnread ? 'unread' : null
  }

  /**
   * An answer may be here before the socket has said that the question is gone: its word comes a turn or two later, over
   * TLS nearly always. Out of time, the bytes are found to be unsent.
   */
  #afterKernel(next: () => void): void {
    const { isSending, closeLingerMs: timeoutMs, guard } = this.#deps
    if (this.#disturbed !== null || !isSending()) return next()
    this.#sending = new Wait<void>('the kernel', 'DRAIN_TIMEOUT', { timeoutMs }, () => {})
    const goOn = guard.action(() => {
      this.#sending = null
      next()
    })
    this.#sending.promise.then(goOn, goOn)
  }
}
