/** What is spoken on the shared connections of a target: how messages are cut, judged, and brought to their callers. */
import type { MultiplexSettings } from '../../config/multiplex.ts'
import type { Target } from '../../config/target.ts'
import type { Frame } from '../../frames/frame.ts'
import { loadFrame } from '../../frames/frames.ts'
import { type IdMatch, loadIdMatch } from './id-match.ts'
import { RequestJudge } from './shared-call.ts'

export type SharedProtocol = {
  readonly frame: Frame
  readonly match: IdMatch | null
  readonly judge: RequestJudge
}

/** Errors: INVALID_REQUEST where a module is none. */
export async function loadProtocol(target: Target, settings: MultiplexSettings): Promise<SharedProtocol> {
  const frame = await loadFrame(target.frame ?? 'line')
  const match = await loadIdMatch(settings.match)
  return { frame, match, judge: new RequestJudge(frame) }
}
