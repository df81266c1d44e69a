/** The one place where dialogs find the frame of their target. */
import { SockpoolError } from '../../../src/base/errors.ts'
import type { Frame } from '../../../src/frames/frame.ts'
import { loadFrame } from '../../../src/frames/frames.ts'
import type { Dial } from '../../../src/threads/protocol.ts'

/** Errors: DIALOG_FAILED where there is none; INVALID_REQUEST where its module is no frame's. */
export async function frameOf(spec: Dial['frame']): Promise<Frame> {
  if (spec !== undefined) return await loadFrame(spec)
  throw new SockpoolError('DIALOG_FAILED', 'the target has no frame of its own', { reason: 'no_frame' })
}
