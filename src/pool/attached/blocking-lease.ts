/**
 * A lease for straight-line code on an attached thread: reader and writer block, and so does giving it back. It is
 * judged at its release like every other.
 */
import { type GoneReason, SockpoolError } from '../../base/errors.ts'
import type { FrameSpec } from '../../frames/frame-spec.ts'
import type { BlockingReader } from '../../streams/blocking/blocking-reader.ts'
import type { BlockingWriter } from '../../streams/blocking/blocking-writer.ts'
import type { AttachLine } from '../../threads/attach-line.ts'
import { type ConnectionFacts, connectionFacts } from '../lease/connection-facts.ts'
import { outcomeOf } from '../lease/lease-flight.ts'
import { ttlOption } from '../lease/lease-options.ts'
import type { LeaseRecord } from '../lease/lease-record.ts'
import type { Refusal, ReleaseResult } from '../target/release-result.ts'
import type { BlockingEnds } from './blocking-ends.ts'

/** Gives a lease back to the pool's thread, and blocks for the result where its holder does. */
export class BlockingGiveBack {
  readonly #line: AttachLine
  readonly #lease: number
  #failure: unknown = null
  /** Whether the holder waits for the result, and what it was. */
  #state: { readonly kind: 'posts' } | { readonly kind: 'blocks' } | Done = { kind: 'posts' }

  constructor(line: AttachLine, lease: number) {
    this.#line = line
    this.#lease = lease
  }

  /** What came of it, once it was given back. */
  get result(): ReleaseResult | null {
    return this.#state.kind === 'done' ? this.#state.result : null
  }

  /** From now on the thread blocks for the result. */
  block(): void {
    if (this.#state.kind === 'posts') this.#state = { kind: 'blocks' }
  }

  /** What its last operation has failed with; told when it is given back. */
  failed(error: unknown): void {
    this.#failure = error
  }

  giveBack(refusal: Refusal | null, graceful: boolean): Promise<ReleaseResult> {
    const blocks = this.#state.kind === 'blocks'
    this.#state = { kind: 'done', result: { outcome: 'closed', reason: refusal ?? 'error' } }
    const release = { lease: this.#lease, refusal, graceful, outcome: outcomeOf(this.#failure) }
    if (!blocks) this.#line.post({ kind: 'release', request: null, ...release })
    else this.#state = { kind: 'done', result: this.#await(release) }
    return Promise.resolve(this.#state.result)
  }

  /** A pool that is gone has closed the connection. */
  #await(release: Parameters<AttachLine['releaseSync']>[0]): ReleaseResult {
    try {
      return this.#line.releaseSync(release) as ReleaseResult
    } catch (error) {
      if (error instanceof SockpoolError) return { outcome: 'closed', reason: 'error' }
      throw error
    }
  }
}

type Done = { readonly kind: 'done'; readonly result: ReleaseResult }

export class BlockingLease implements Disposable {
  readonly reader: BlockingReader
  readonly writer: BlockingWriter
  readonly #record: LeaseRecord
  readonly #ends: BlockingEnds
  readonly #back: BlockingGiveBack

  constructor(record: LeaseRecord, ends: BlockingEnds, back: BlockingGiveBack) {
    this.reader = ends.reader
    this.writer = ends.writer
    this.#record = record
    this.#ends = ends
    this.#back = back
  }

  get target(): string {
    return this.#record.terms.target
  }

  get tenant(): string {
    return this.#record.terms.tenant
  }

  /** Whether its connection has served another lease before. */
  get reused(): boolean {
    return this.#record.terms.reused
  }

  /** An exchange takes a reply whose TLS ended without close_notify. */
  get allowTruncated(): boolean {
    return this.#record.terms.allowTruncated
  }

  /** The target's own; null where it has none. */
  get frame(): FrameSpec | null {
    return this.#record.terms.frame
  }

  get connection(): ConnectionFacts {
    return connectionFacts(this.#record.connection)
  }

  /** Why the lease has ended, as far as this thread has heard; null while it is held. */
  get gone(): GoneReason | null {
    return this.#record.gone
  }

  /** Bytes that reads have taken, less those put back: the stream offset of the next one. */
  get readOffset(): number {
    return this.reader.offset
  }

  /** Renews the ttl, sets a new one, or lifts it with Infinity. Does not block. Errors: INVALID_REQUEST, LEASE_GONE. */
  renew(ttlMs?: number): void {
    const judged = ttlOption(ttlMs)
    this.#ends.assertHeld()
    this.#record.renew(judged)
  }

  /**
   * Gives the connection back, by the holder's word at a message boundary, and blocks for what becomes of it.
   * Idempotent: later calls answer as the first.
   */
  release(): ReleaseResult {
    this.#back.block()
    return this.#release()
  }

  /** Gives the connection back to be closed. */
  discard(): ReleaseResult {
    this.#back.block()
    return this.#giveBack('discarded', false)
  }

  /** As `release`, but does not block. */
  letGo(): void {
    this.#release()
  }

  /** As `discard` after this error, but does not block; nothing where the connection was given back already. */
  abandon(error: unknown): void {
    this.#back.failed(error)
    this.#giveBack('discarded', false)
  }

  /** Discards, unless `release` was called. */
  [Symbol.dispose](): void {
    this.discard()
  }

  #release(): ReleaseResult {
    const record = this.#record
    const { result } = this.#back
    if (result !== null) return result
    try {
      const refusal = this.#ends.reasonToClose(record.terms.reuse)
      // It will not serve again, but what its holder wrote was accepted and still goes out.
      if (refusal !== null && record.lost === null && this.writer.buffered > 0) this.writer.close()
      return this.#giveBack(refusal, this.writer.isClosing())
    } catch (error) {
      record.fault(error)
      return this.#giveBack('error', false)
    }
  }

  #giveBack(refusal: Refusal | null, graceful: boolean): ReleaseResult {
    // It is given back within the call, and the promise never rejects.
    void this.#record.giveBack(refusal, graceful)
    return this.#back.result ?? { outcome: 'closed', reason: 'discarded' }
  }
}
