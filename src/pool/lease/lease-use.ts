/** What a reader and a writer, blocking or not, tell of how their lease was used. */
import type { FrameSpec } from '../../frames/frame-spec.ts'
import { balancedFrame } from '../../frames/frames.ts'
import type { StreamEnd } from '../../streams/byte-source.ts'
import type { Refusal } from '../target/release-result.ts'
import { reasonToClose } from './reason-to-close.ts'

type UsedReader = {
  readonly buffered: number
  readonly seen: number
  readonly interrupted: boolean
  /** Only one that does not block can be waiting while the lease is judged. */
  readonly isWaiting?: boolean
}

type UsedWriter = {
  readonly offset: number
  readonly buffered: number
  readonly interrupted: boolean
  readonly eofWritten: boolean
  isClosing(): boolean
}

export class LeaseUse {
  readonly #reader: UsedReader
  readonly #writer: UsedWriter
  readonly #isCounted: boolean
  #seenAtLastWrite = 0
  #isUpgraded = false
  #hasEnded = false

  /** `frame`: the target's own; null where it has none. */
  constructor(reader: UsedReader, writer: UsedWriter, frame: FrameSpec | null) {
    this.#reader = reader
    this.#writer = writer
    this.#isCounted = balancedFrame(frame) !== null
  }

  /** Bytes were written. */
  written(): void {
    this.#seenAtLastWrite = this.#reader.seen
  }

  /** TLS is about to start: from here on the connection is never what it was. */
  upgraded(): void {
    this.#isUpgraded = true
  }

  /** The peer has sent the last message of the connection, or one that is none. */
  ended(): void {
    this.#hasEnded = true
  }

  /**
   * Why the connection may not serve again. `end`: how it has ended. `stream`: what a stream over it holds back; null
   * where there is none.
   */
  reasonToClose(
    reuse: 'clean' | 'never',
    end: StreamEnd | null,
    stream: { readonly unreadBytes: number; readonly unsentBytes: number } | null,
  ): Refusal | null {
    const reader = this.#reader
    const writer = this.#writer
    // A stream reads ahead as long as it is open; that read is nobody's unanswered question.
    const waits = stream === null && reader.isWaiting === true
    return reasonToClose({
      reuse,
      isCounted: this.#isCounted,
      ended: end === null ? 'open' : end.kind === 'failed' ? 'failed' : 'fin',
      interrupted: reader.interrupted || writer.interrupted || waits,
      eofWritten: writer.eofWritten,
      closing: writer.isClosing() || this.#hasEnded,
      unreadBytes: reader.buffered + (stream?.unreadBytes ?? 0),
      unsentBytes: writer.buffered + (stream?.unsentBytes ?? 0),
      upgraded: this.#isUpgraded,
      unanswered: writer.offset > 0 && reader.seen === this.#seenAtLastWrite,
    })
  }
}
