/** Reads of whole messages: which frame they go by, and what a broken one means. */
import { SockpoolError } from '../../base/errors.ts'
import { invalidOption } from '../../base/options.ts'
import type { FrameSpec } from '../../frames/frame-spec.ts'
import { loadFrame } from '../../frames/frames.ts'
import { judgeFrame } from '../../frames/judge-frame.ts'
import type { BufferedReads } from './buffered-reads.ts'
import { MessageSearch } from './message-search.ts'
import type { ReadBounds } from './read-options.ts'

export class MessageReads {
  readonly #reads: BufferedReads
  readonly #frame: FrameSpec | null
  readonly #onBroken: () => void

  /** `frame`: the one that goes without saying. `onBroken`: no message can come any more. */
  constructor(reads: BufferedReads, frame: FrameSpec | null, onBroken: () => void) {
    this.#reads = reads
    this.#frame = frame
    this.#onBroken = onBroken
  }

  /** A search for messages of this frame. Errors: INVALID_REQUEST. */
  async searchFor(frame: unknown): Promise<MessageSearch> {
    const spec = frame === undefined ? this.#frame : judgeFrame(frame, 'frame', 'operator')
    if (spec === null) throw invalidOption('frame', 'must be given: none goes without saying here')
    return new MessageSearch(await loadFrame(spec))
  }

  /** As an attempt of a read. Errors: FRAME_BROKEN, LIMIT_OVERRUN, INCOMPLETE_READ, that of the stream. */
  next(search: MessageSearch, bounds: ReadBounds): Buffer | number {
    try {
      return this.#reads.message(search, bounds)
    } catch (error) {
      const isBroken = error instanceof SockpoolError && error.code !== 'INCOMPLETE_READ'
      if (isBroken && this.#reads.error === null) this.#onBroken()
      throw error
    }
  }
}
