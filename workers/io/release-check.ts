/**
 * The look at a connection that came back, or lay idle: may it serve again?
 *
 *   the socket's word on what was written ─► nothing left over ─► its messages ─► its dialog ─► two silent turns ─► clean
 *
 * It is watched for two turns of the event loop, because bytes that the kernel already has are seen only in the second.
 * The first thing that speaks against it decides.
 */
import { Wait } from '../../src/base/wait.ts'
import type { CheckName } from '../../src/channel/values.ts'
import type { DialogUnderWay } from './dialog/dialog-run.ts'

export type ReleaseCheckDeps = {
  /** The socket was given bytes that the kernel has not taken yet; `wrote` is to be called when it has. */
  readonly isSending: () => boolean
  /** The lease left bytes that the kernel has not taken. */
  readonly isUnsent: () => boolean
  readonly isUnread: () => boolean
  readonly isHalfClosed: () => boolean
  /** What the messages that passed say against it, its dialog aside. */
  readonly unproven: () => CheckName | null
  /** Begins the target's dialog for released connections, or its probe; null where it has none. */
  readonly startDialog: () => DialogUnderWay | null
  /** Milliseconds that the kernel may take for what the socket was given. */
  readonly sendingMs: number
}

const WATCHED_TURNS = 2

export class ReleaseCheck {
  /** Rejects only where the connection itself cannot be looked at. */
  readonly found: Promise<CheckName>
  readonly #deps: ReleaseCheckDeps
  #disturbed: CheckName | null = null
  #dialog: DialogUnderWay | null = null
  #sending: Wait<void> | null = null

  constructor(deps: ReleaseCheckDeps) {
    this.#deps = deps
    this.found = this.#look()
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

  async #look(): Promise<CheckName> {
    // Before anything else comes: an answer that comes now is none that the lease has had.
    const unproven = this.#deps.unproven()
    await this.#waitForKernel()
    const before = this.#against()
    if (unproven !== null && (before === null || before === 'poisoned')) return unproven
    if (before !== null) return before
    if (!(await this.#converse())) return this.#disturbed ?? 'dialog_failed'
    await this.#waitForKernel()
    for (let turn = 0; turn < WATCHED_TURNS && this.#disturbed === null; turn++)
      await new Promise(resolve => setImmediate(resolve))
    return this.#against() ?? 'clean'
  }

  /** What speaks against the connection now. */
  #against(): CheckName | null {
    if (this.#disturbed !== null) return this.#disturbed
    if (this.#deps.isHalfClosed()) return 'half_closed'
    if (this.#deps.isUnsent()) return 'unsent'
    return this.#deps.isUnread() ? 'unread' : null
  }

  /**
   * An answer may be here before the socket has said that the question is gone: its word comes a turn or two later, over
   * TLS nearly always.
   */
  async #waitForKernel(): Promise<void> {
    if (this.#disturbed !== null || !this.#deps.isSending()) return
    const timeoutMs = this.#deps.sendingMs
    this.#sending = new Wait<void>('the kernel', 'DRAIN_TIMEOUT', { timeoutMs }, () => {})
    // Out of time: the bytes are found to be unsent.
    await this.#sending.promise.catch(() => {})
    this.#sending = null
  }

  /** Whether the dialog passed, or there is none. */
  async #converse(): Promise<boolean> {
    const dialog = this.#deps.startDialog()
    if (dialog === null) return true
    this.#dialog = dialog
    const passed = await dialog.done.then(
      () => true,
      () => false,
    )
    this.#dialog = null
    for (const _ of dialog.leftover) this.disturb('poisoned')
    return passed
  }
}
