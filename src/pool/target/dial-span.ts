/** The span of one dial: the name, the connection, TLS and the dialog. One that fills the warm minimum hangs below nothing. */
import type { Target } from '../../config/target.ts'
import type { IoConnection } from '../../threads/io-connection.ts'
import { NO_PARENT, type SpanParent } from '../../tracing/caller-trace.ts'
import { PoolSpan } from '../../tracing/pool-span.ts'
import { DESCRIBED, peerAttributes, serverAttributes } from '../../tracing/span-places.ts'
import { goneAtOnce } from './gone-at-once.ts'

export type DialSpanTarget = {
  readonly name: string
  readonly origin: 'named' | 'described'
  readonly target: Target
  /** Of the unix socket, where it is one. */
  readonly path: string | undefined
}

export class DialSpan {
  readonly #span: PoolSpan
  readonly #target: DialSpanTarget

  private constructor(span: PoolSpan, target: DialSpanTarget) {
    this.#span = span
    this.#target = target
  }

  /** Null where nobody traces. */
  static begin(target: DialSpanTarget, within: SpanParent | null): DialSpan | null {
    const span = PoolSpan.begin('sockpool.connect', within ?? NO_PARENT)
    if (span === null) return null
    if (span.isRecording) span.set({ 'sockpool.target': targetLabel(target) })
    return new DialSpan(span, target)
  }

  /** Ends with the dial. `host`: the place in the target's list that was tried last, asked for then. */
  follow(opened: Promise<IoConnection>, host: () => number): void {
    opened.then(
      connection => {
        this.#place(host())
        const { id, facts, gone } = connection
        if (this.#span.isRecording) this.#span.set({ 'sockpool.connection': id, ...peerAttributes(facts) })
        // A target that hangs up at once is a failed dial.
        if (gone === null) this.#span.end(null)
        else this.#span.fail(goneAtOnce(gone))
      },
      error => {
        this.#place(host())
        this.#span.fail(error)
      },
    )
  }

  #place(host: number): void {
    const { target, path } = this.#target
    if (this.#span.isRecording) this.#span.set(serverAttributes(target.hosts[host], path))
  }
}

/** How spans call a target. */
export function targetLabel({ name, origin }: Pick<DialSpanTarget, 'name' | 'origin'>): string {
  return origin === 'described' ? DESCRIBED : name
}
