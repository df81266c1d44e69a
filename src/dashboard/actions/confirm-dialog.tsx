/** Asks before something is done that callers feel. */
import type { VNode } from 'preact'
import { usePage } from '../page.ts'
import { DialogFrame } from '../parts/dialog-frame.tsx'
import type { AskedDialog } from './dialog-queue.ts'

export function ConfirmDialog({
  asked,
}: {
  readonly asked: Extract<AskedDialog, { kind: 'confirm' }>
}): VNode {
  const { dialogs } = usePage()
  const { title, text, label, tone, run } = asked
  const close = (): void => dialogs.close()
  return (
    <DialogFrame title={title} onClose={close}>
      <p>{text}</p>
      <div class="buttons end">
        <button type="button" onClick={close}>
          Cancel
        </button>
        <button
          type="button"
          class={tone === 'danger' ? 'danger' : 'primary'}
          onClick={() => {
            close()
            void run()
          }}
        >
          {label}
        </button>
      </div>
    </DialogFrame>
  )
}
