/** Reads of whole messages: which frame they go by, and what the last one, or a broken one, means. */
import { IncompleteReadError, SockpoolError } from '../../base/errors.ts'
import { invalidOption } from '../../base/options.ts'
import type { FrameSpec } from '../../frames/frame-spec.ts'
import { builtInFrame, loadFrame } from '../../frames/frames.ts'
import { judgeFrame } from '../../frames/judge-frame.ts'
import type { ByteSource } from '../byte-source.ts'
import type { BufferedReads } from './buffered-reads.ts'
import { MessageSearch } from './message-search.ts'
import type { PendingRead } from './pending-read.ts'
import type { FramedReads, ReadBounds } from './read-options.ts'

export class MessageReads {
  readonly #source: ByteSource
  readonly #reads: BufferedReads
  readonly #frame: FrameSpec | null
  readonly #onLast: (how: 'whole' | 'broken') => void

  constructor(source: ByteSource, reads: BufferedReads, { frame, onLastMessage }: FramedReads) {
    this.#source = source
    this.#reads = reads
    this.#frame = frame ?? null
    this.#onLast = onLastMessage ?? (() => {})
  }

  /** Reads the message that `search` finds next. Errors: those of `next`, and of a wait. */
  read(pending: PendingRead, search: MessageSearch, bounds: ReadBounds): Promise<Buffer> {
    const attempt = (): Buffer | number => this.next(search, bounds)
    return pending.run('readframe()', attempt, bounds, { restart: () => search.restart() })
  }

  /** A search for messages of this frame. Errors: INVALID_REQUEST. */
  async searchFor(frame: unknown): Promise<MessageSearch> {
    return new MessageSearch(await loadFrame(this.#specOf(frame)))
  }

  /** As `searchFor`, for a thread that cannot wait for a module. */
  searchForNow(frame: unknown): MessageSearch {
    const spec = this.#specOf(frame)
    if (typeof spec === 'object' && 'module' in spec)
      throw invalidOption('frame', 'is a module, which blocking code cannot wait for')
    return new MessageSearch(builtInFrame(spec))
  }

  /** As an attempt of a read. Errors: FRAME_BROKEN, LIMIT_OVERRUN, INCOMPLETE_READ, that of the stream. */
  next(search: MessageSearch, bounds: ReadBounds): Buffer | number {
    try {
      const message = this.#message(search, bounds)
      if (typeof message !== 'number' && search.found?.isLast) this.#onLast('whole')
      return message
    } catch (error) {
      if (error instanceof SockpoolError && BROKEN.has(error.code)) this.#onLast('broken')
      throw error
    }
  }

  /** `search` must be the one of this read alone; it is restarted by whoever takes bytes meanwhile. */
  #message(search: MessageSearch, bounds: ReadBounds): Buffer | number {
    const end = this.#source.end
    const available = this.#source.available
    if (end?.kind === 'failed') this.#reads.assertServed(available > 0, end.error, bounds)
    const length = available === 0 ? null : search.find(this.#source.views(), available)
    if (length !== null) return this.#reads.take(length)
    if (end === null) return available + 1
    if (end.kind === 'failed') throw end.error
    if (search.endsHere()) return this.#reads.take(available)
    throw new IncompleteReadError(this.#reads.take(available), null)
  }

  #specOf(frame: unknown): FrameSpec {
    const spec = frame === undefined ? this.#frame : judgeFrame(frame, 'frame', 'operator')
    if (spec === null) throw invalidOption('frame', 'must be given: none goes without saying here')
    return spec
  }
}

const BROKEN: ReadonlySet<string> = new Set(['FRAME_BROKEN', 'LIMIT_OVERRUN'])
