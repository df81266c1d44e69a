/**
 * A lease for straight-line code on an attached thread: reader and writer block, and so does giving it back. It is
 * judged at its release like every other.
 */
import { type GoneReason, SockpoolError } from '../../base/errors.ts'
import { BlockingReader } from '../../streams/blocking/blocking-reader.ts'
import { BlockingWriter } from '../../streams/blocking/blocking-writer.ts'
import { BlockingChannelSink, BlockingChannelSource } from '../../streams/channel-ends/blocking-ends.ts'
import type { OnReset } from '../../streams/reading/read-options.ts'
import type { AttachLine } from '../../threads/attach-line.ts'
import type { GrantData } from '../../threads/attach-protocol.ts'
import { type ConnectionFacts, connectionFacts, extraInfo } from '../lease/connection-facts.ts'
import { goneError } from '../lease/gone.ts'
import { type ReleaseReason, type ReleaseVerdict, refusalOf } from '../target/verdict.ts'
import type { AttachedConnection } from './attached-connection.ts'
import { upgradeToTlsSync } from './tls-upgrade-sync.ts'

export type BlockingLeaseOptions = {
  /** Bytes; default of the reader's `limit`. */
  readonly limit?: number | undefined
  /** What a read does after the connection broke while bytes are still there; default: `drain-then-raise`. */
  readonly onReset?: OnReset | undefined
  /** Milliseconds a call of reader or writer may block that does not say; default: no bound. */
  readonly operationTimeoutMs?: number | undefined
}

export type BlockingLeaseParts = {
  readonly grant: GrantData
  readonly connection: AttachedConnection
  readonly line: AttachLine
  readonly options: BlockingLeaseOptions
  /** Called once, when the lease has ended. */
  readonly onEnded: () => void
}

export class BlockingLease implements Disposable {
  readonly target: string
  readonly tenant: string
  readonly reused: boolean
  readonly reader: BlockingReader
  readonly writer: BlockingWriter
  readonly #parts: BlockingLeaseParts
  readonly #source: BlockingChannelSource
  readonly #sink: BlockingChannelSink
  #seenAtLastWrite = 0
  #isUpgraded = false
  #gone: GoneReason | null = null
  #verdict: ReleaseVerdict | null = null

  constructor(parts: BlockingLeaseParts) {
    const { grant, connection, line, options } = parts
    const { channel, ringer, facts } = connection
    this.#parts = parts
    this.target = grant.target
    this.tenant = grant.tenant
    this.reused = grant.reused
    const lookAround = (): void => line.assertAlive()
    this.#source = new BlockingChannelSource(channel, ringer, grant.replayBytes, lookAround)
    this.#sink = new BlockingChannelSink(channel, ringer, lookAround)
    const { limit, onReset = 'drain-then-raise', operationTimeoutMs: timeoutMs } = options
    this.reader = new BlockingReader(this.#source, { limit, onReset, timeoutMs })
    this.writer = new BlockingWriter(this.#sink, {
      timeoutMs,
      extraInfo: extraInfo(facts),
      canWriteEof: facts.tls === null,
      readerException: () => this.reader.exception(),
      onWrite: () => {
        this.#seenAtLastWrite = this.reader.seen
      },
      startTls: (tls, flush) => {
        const source = this.#source
        const onBegun = (): void => {
          this.#isUpgraded = true
        }
        const onFailed = (error: Error): void => this.#revoke(error)
        upgradeToTlsSync({ connection, source, onBegun, onFailed }, tls, flush)
        return extraInfo(connection.facts)
      },
    })
  }

  get connection(): ConnectionFacts {
    return connectionFacts(this.#parts.connection)
  }

  /** Why the lease has ended, as far as this thread has heard; null while it is held. */
  get gone(): GoneReason | null {
    return this.#gone
  }

  /** Bytes that reads have taken, less those put back: the stream offset of the next one. */
  get readOffset(): number {
    return this.reader.offset
  }

  /** Renews the ttl, or sets a new one. Does not block. Errors: LEASE_GONE. */
  renew(ttlMs?: number): void {
    if (this.#gone !== null) throw goneError(this.#gone)
    this.#parts.line.post({ kind: 'renew', lease: this.#parts.grant.lease, ttlMs })
  }

  /**
   * Gives the connection back, by the holder's word at a message boundary, and blocks for the verdict on it.
   * Idempotent: later calls answer as the first.
   */
  release(): ReleaseVerdict {
    return this.#giveBack(this.#refusal(), true)
  }

  /** Gives the connection back to be closed. */
  discard(): ReleaseVerdict {
    return this.#giveBack('discarded', true)
  }

  /** As `release`, but does not block for the verdict. */
  letGo(): void {
    this.#giveBack(this.#refusal(), false)
  }

  /** As `discard`, but does not block; nothing where the connection was given back already. */
  abandon(): void {
    this.#giveBack('discarded', false)
  }

  /** Discards, unless `release` was called. */
  [Symbol.dispose](): void {
    this.discard()
  }

  /** The pool has ended the lease, or is gone itself. */
  end(reason: GoneReason): void {
    if (this.#gone !== null) return
    this.#finish(reason)
    this.#verdict = { outcome: 'closed', reason: 'discarded' }
    const { line, grant } = this.#parts
    // The pool keeps the channel from others until it hears that this thread has let go of it.
    line.post({ kind: 'release', request: null, lease: grant.lease, refusal: 'discarded', graceful: false })
  }

  #refusal(): Exclude<ReleaseReason, 'clean'> | null {
    const { reader, writer } = this
    const end = this.#source.end ?? this.#sink.end
    return refusalOf({
      reuse: this.#parts.grant.reuse,
      ended: end === null ? 'open' : end.kind === 'failed' ? 'failed' : 'fin',
      interrupted: reader.interrupted || writer.interrupted,
      eofWritten: writer.eofWritten,
      closing: writer.isClosing(),
      unreadBytes: reader.buffered,
      unsentBytes: writer.buffered,
      upgraded: this.#isUpgraded,
      unanswered: writer.offset > 0 && reader.seen === this.#seenAtLastWrite,
      tooOld: false,
    })
  }

  #giveBack(refusal: Exclude<ReleaseReason, 'clean'> | null, blocks: boolean): ReleaseVerdict {
    if (this.#verdict !== null) return this.#verdict
    this.#verdict = { outcome: 'closed', reason: refusal ?? 'error' }
    const { line, grant } = this.#parts
    // It will not serve again, but what its holder wrote was accepted and still goes out.
    if (refusal !== null && refusal !== 'discarded' && this.writer.buffered > 0) this.writer.close()
    const graceful = refusal !== 'discarded' && this.writer.isClosing()
    this.#finish('released')
    const release = { lease: grant.lease, refusal, graceful }
    if (!blocks) line.post({ kind: 'release', request: null, ...release })
    else this.#verdict = this.#awaitVerdict(() => line.releaseSync(release) as ReleaseVerdict)
    return this.#verdict
  }

  /** A pool that is gone has closed the connection. */
  #awaitVerdict(ask: () => ReleaseVerdict): ReleaseVerdict {
    try {
      return ask()
    } catch (error) {
      if (error instanceof SockpoolError) return { outcome: 'closed', reason: 'error' }
      throw error
    }
  }

  /** The one place where the lease ends; from here on the channel is not touched. */
  #finish(reason: GoneReason): void {
    this.#gone = reason
    this.#revoke(goneError(reason))
    this.#parts.onEnded()
  }

  /** Whoever still reads or writes gets the error. */
  #revoke(error: Error): void {
    this.#source.revoke({ kind: 'failed', error })
    this.#sink.detach({ kind: 'failed', error })
  }
}
