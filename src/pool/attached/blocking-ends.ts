/** The two ends of a lease for straight-line code on an attached thread: reader and writer block. */
import { BlockingReader } from '../../streams/blocking/blocking-reader.ts'
import { BlockingWriter } from '../../streams/blocking/blocking-writer.ts'
import { BlockingChannelSink, BlockingChannelSource } from '../../streams/channel-ends/blocking-ends.ts'
import { EndPair } from '../../streams/channel-ends/end-pair.ts'
import type { OnReset } from '../../streams/reading/read-options.ts'
import type { AttachLine } from '../../threads/attach-line.ts'
import { extraInfo } from '../lease/connection-facts.ts'
import { HeldEnds } from '../lease/held-ends.ts'
import type { LeaseActivity } from '../lease/lease-clock.ts'
import type { LeaseRecord } from '../lease/lease-record.ts'
import { LeaseUse } from '../lease/lease-use.ts'
import type { Refusal } from '../target/release-result.ts'
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

export class BlockingEnds extends HeldEnds {
  readonly reader: BlockingReader
  readonly writer: BlockingWriter
  readonly #use: LeaseUse

  constructor(
    record: LeaseRecord,
    connection: AttachedConnection,
    line: AttachLine,
    { limit, onReset = 'drain-then-raise', operationTimeoutMs: timeoutMs }: BlockingLeaseOptions,
  ) {
    const { channel, ringer, facts } = connection
    const { epoch, terms } = record
    const lookAround = (): void => line.assertAlive()
    const source = new BlockingChannelSource(channel, ringer, epoch, lookAround)
    const sink = new BlockingChannelSink(channel, ringer, epoch, lookAround)
    super(new EndPair(source, sink))
    const { frame } = terms
    const onLastMessage = (how: 'whole' | 'broken'): void => {
      this.#use.ended()
      if (how === 'broken') this.writer.abort()
    }
    this.reader = new BlockingReader(source, { limit, onReset, timeoutMs, frame, onLastMessage })
    this.writer = new BlockingWriter(sink, {
      timeoutMs,
      extraInfo: extraInfo(facts),
      canWriteEof: facts.tls === null,
      readerException: () => this.reader.exception(),
      onWrite: () => this.#use.written(),
      startTls: (tls, flush) => {
        const onBegun = (): void => this.#use.upgraded()
        const onFailed = (error: Error): void => this.failed(error)
        try {
          upgradeToTlsSync({ connection, source, onBegun, onFailed }, tls, flush)
        } catch (error) {
          this.rethrow(error)
        }
        return extraInfo(connection.facts)
      },
    })
    this.#use = new LeaseUse(this.reader, this.writer, frame)
  }

  /** A thread that blocks in a call does nothing else meanwhile. */
  get activity(): LeaseActivity {
    return { waits: false, bytes: this.reader.offset + this.writer.offset }
  }

  /** Whoever reads straight on hears of the end at the next call. */
  isSpent(): boolean {
    return false
  }

  /** Why the connection may not serve again, as far as it shows here. Errors: CHANNEL_CORRUPT. */
  reasonToClose(reuse: 'clean' | 'never'): Refusal | null {
    return this.#use.reasonToClose(reuse, this.end, null)
  }
}
