/** The dialogs of one connection, and what it takes to run them. */
import type { Dialog, DialogModule } from '../../../src/base/dialog-data.ts'
import type { Dial } from '../../../src/threads/protocol.ts'
import { type DialogLine, DialogRun, type DialogUnderWay } from './dialog-run.ts'
import { frameOf } from './frame-of.ts'
import { ModuleRun } from './module-run.ts'

/** When a dialog is run: on a new connection, at a release, and when the pool asks. */
export type DialogMoment = 'onConnect' | 'onRelease' | 'probe'

export class Dialogs {
  /** Of a connection that has none. */
  static readonly none: Dialogs = new Dialogs({ onConnect: [], onRelease: [] }, 0)

  /** Those of a dial. One that has none leaves nothing of itself with the connection, for as long as that lives. */
  static of(dial: Pick<Dial, DialogMoment | 'frame'>, timeoutMs: number): Dialogs {
    const dialogs = new Dialogs(dial, timeoutMs)
    const hasSome = dialogs.has('onConnect') || dialogs.has('onRelease') || dialogs.has('probe')
    return hasSome ? dialogs : Dialogs.none
  }

  readonly #dial: Pick<Dial, DialogMoment | 'frame'>
  readonly #timeoutMs: number

  /** `timeoutMs`: milliseconds that each of the dialogs may take in all. */
  constructor(dial: Pick<Dial, DialogMoment | 'frame'>, timeoutMs: number) {
    this.#dial = dial
    this.#timeoutMs = timeoutMs
  }

  /** Whether there is a dialog for that moment. */
  has(moment: DialogMoment): boolean {
    const steps: Dialog | DialogModule = this.#dial[moment] ?? []
    return 'module' in steps || steps.length > 0
  }

  /** Begins the dialog of that moment; null where there is none. */
  begin(moment: DialogMoment, line: () => DialogLine): DialogUnderWay | null {
    const steps: Dialog | DialogModule = this.#dial[moment] ?? []
    if ('module' in steps) return new ModuleRun(steps.module, line(), this.#timeoutMs)
    if (steps.length === 0) return null
    const { frame } = this.#dial
    return new DialogRun(steps, { line: line(), frame: () => frameOf(frame), timeoutMs: this.#timeoutMs })
  }
}
