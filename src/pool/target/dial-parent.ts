/**
 * A caller for whom a connection may be dialled, in traces: the span of one dial hangs below its own. Where another
 * connection comes first, the dial is its all the same, for it was begun for this caller.
 */
import type { SpanParent } from '../../tracing/caller-trace.ts'

export class DialParent {
  #within: SpanParent | null

  constructor(within: SpanParent) {
    this.#within = within
  }

  /** What the span of its dial hangs below; null for every dial but the first. */
  take(): SpanParent | null {
    const within = this.#within
    this.#within = null
    return within
  }
}
