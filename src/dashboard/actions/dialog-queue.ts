/** The one dialog that may be open. */
import { type Signal, signal } from '@preact/signals'
import type { TargetFigures } from '../service/figures.ts'

export type AskedDialog =
  | {
      readonly kind: 'confirm'
      readonly title: string
      /** What will come of it. */
      readonly text: string
      readonly label: string
      readonly tone: 'plain' | 'danger'
      /** Whoever confirms does not wait for it. */
      readonly run: () => Promise<void>
    }
  | { readonly kind: 'resize'; readonly target: TargetFigures }

export class DialogQueue {
  readonly open: Signal<AskedDialog | null> = signal(null)

  ask(dialog: AskedDialog): void {
    this.open.value = dialog
  }

  close(): void {
    this.open.value = null
  }
}
