/**
 * What a writer has accepted and its sink has no room for yet, in order, and what the sink is to be told after it.
 *
 *   add ─► #queue ─► gate (shut while TLS starts) ─► sink
 */

import { ChunkList } from '../../base/chunk-list.ts'
import type { ByteSink } from '../byte-sink.ts'
import { TlsGate } from './tls-gate.ts'

export class Outbox {
  readonly gate: TlsGate = new TlsGate()
  readonly #sink: ByteSink
  readonly #queue = new ChunkList()
  /** What the sink is still to be told once the queue is empty. */
  #shutAfter: 'finish' | 'close' | null = null

  constructor(sink: ByteSink) {
    this.#sink = sink
  }

  /** Bytes that are not in the sink yet. */
  get queued(): number {
    return this.#queue.length
  }

  /** Bytes that the kernel has not taken yet. */
  get pending(): number {
    return this.#queue.length + this.#sink.pending
  }

  /** No fewer than `pending`, and cheaper. */
  get pendingMost(): number {
    return this.#queue.length + (this.#sink.pendingMost ?? this.#sink.pending)
  }

  /** Takes all of the pieces, into the sink as far as nothing stands before it. */
  add(pieces: readonly Uint8Array[]): void {
    for (const bytes of pieces) {
      const taken = this.#isClear ? this.#sink.write(bytes) : 0
      if (taken < bytes.length) this.#queue.append(taken === 0 ? bytes : bytes.subarray(taken))
    }
  }

  /** Moves what may go into the sink, and tells it of the end where that is all. */
  flush(): void {
    while (this.#queue.length > 0 && !this.gate.isShut) {
      const first = this.gate.allowed(this.#queue.first() as Buffer)
      const taken = this.#sink.write(first)
      this.#queue.drop(taken)
      this.gate.passed(taken)
      if (taken < first.length) break
    }
    this.gate.settle(this.#sink.pending)
    if (!this.#isClear || this.#shutAfter === null) return
    this.#sink.shut(this.#shutAfter)
    this.#shutAfter = null
  }

  /** Ends the direction, or the connection, after all that was added. */
  shut(how: 'finish' | 'close'): void {
    if (this.#isClear) this.#sink.shut(how)
    else this.#shutAfter = how
  }

  /** Forgets what is queued; how many bytes that were. */
  drop(): number {
    const { queued } = this
    this.#queue.drop(queued)
    this.#shutAfter = null
    return queued
  }

  /** Nothing stands between a write and the sink. */
  get #isClear(): boolean {
    return this.#queue.length === 0 && this.gate.isOpen
  }
}
