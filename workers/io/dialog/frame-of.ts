/** The one place where dialogs find the frame of their target. */
import { SockpoolError } from '../../../src/base/errors.ts'
import type { Frame } from '../../../src/frames/frame.ts'
import type { Dial } from '../../../src/threads/protocol.ts'

/** Errors: DIALOG_FAILED, where there is no such frame. */
export async function frameOf(spec: Dial['frame']): Promise<Frame> {
  const name = typeof spec === 'string' ? spec : Object.keys(spec ?? { none: null })[0]
  throw new SockpoolError('DIALOG_FAILED', `dialogs cannot await messages of the frame ${name} yet`, {
    reason: 'no_frame',
  })
}
