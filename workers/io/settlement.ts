/**
 * The look at a connection that came back: may it serve again? It is watched for two turns of the event loop,
 * because bytes that the kernel already has are seen only in the second. The first thing that speaks against it
 * decides.
 */
import type { VerdictName } from '../../src/channel/channel.ts'

export type SettlementParts = {
  readonly isUnsent: () => boolean
  readonly isUnread: () => boolean
  readonly isHalfClosed: () => boolean
  /** Runs the target's dialog for released connections; null where it has none. */
  readonly runDialog: () => Promise<void> | null
}

const WATCHED_TURNS = 2

export class Settlement {
  readonly verdict: Promise<VerdictName>
  #disturbed: VerdictName | null = null

  constructor(parts: SettlementParts) {
    this.verdict = this.#look(parts)
  }

  /** Something happened on the connection while it was looked at. */
  disturb(verdict: VerdictName): void {
    this.#disturbed ??= verdict
  }

  async #look(parts: SettlementParts): Promise<VerdictName> {
    const before = this.#visible(parts)
    if (before !== null) return before
    const dialog = parts.runDialog()
    if (dialog !== null) {
      const passed = await dialog.then(
        () => true,
        () => false,
      )
      if (!passed) return this.#disturbed ?? 'dialog_failed'
    }
    for (let turn = 0; turn < WATCHED_TURNS; turn++) {
      await new Promise(resolve => setImmediate(resolve))
      if (this.#disturbed !== null) return this.#disturbed
    }
    return this.#visible(parts) ?? 'clean'
  }

  #visible(parts: SettlementParts): VerdictName | null {
    if (this.#disturbed !== null) return this.#disturbed
    if (parts.isHalfClosed()) return 'half_closed'
    if (parts.isUnsent()) return 'unsent'
    return parts.isUnread() ? 'unread' : null
  }
}
