/**
 * The two stream ends of a lease over the channel of its connection, and what they tell of how the lease was used. They
 * are made for its epoch, and let go of the channel once: when the connection is gone, and what was received stays
 * readable, or when the lease is over.
 */
import { type EndName, isPeerEnd } from '../../channel/values.ts'
import { ChannelSink } from '../../streams/channel-ends/channel-sink.ts'
import { ChannelSource } from '../../streams/channel-ends/channel-source.ts'
import { EndPair } from '../../streams/channel-ends/end-pair.ts'
import type { FramedReads, OnReset } from '../../streams/reading/read-options.ts'
import { StreamReader } from '../../streams/reading/stream-reader.ts'
import {
  type ExtraInfo,
  type StartTlsOptions,
  StreamWriter,
  type StreamWriterOptions,
} from '../../streams/writing/stream-writer.ts'
import type { HeldConnection } from '../../threads/held-connection.ts'
import type { SocketFacts, TlsSide } from '../../threads/protocol.ts'
import type { Refusal } from '../target/release-result.ts'
import { extraInfo } from './connection-facts.ts'
import { HeldEnds } from './held-ends.ts'
import type { LeaseActivity } from './lease-clock.ts'
import type { LeaseFlight } from './lease-flight.ts'
import type { LeaseKeeper } from './lease-keeper.ts'
import { LeaseUse } from './lease-use.ts'
import { upgradeToTls } from './tls-upgrade.ts'

export type LeaseEndsOptions = {
  /** Bytes; default of the reader's `limit`. */
  readonly limit?: number | undefined
  readonly onReset: OnReset
  /** Which side of TLS this end is when TLS is started; default: the client. */
  readonly side?: TlsSide['side'] | undefined
}

/** What a stream has taken from the reader that nobody has taken from it, and was given and has not given to the writer. */
export type HeldBack = { readonly unreadBytes: number; readonly unsentBytes: number }

export class LeaseEnds extends HeldEnds {
  readonly reader: StreamReader
  readonly writer: StreamWriter
  readonly source: ChannelSource
  readonly onReset: OnReset
  /** How its readers cut messages. */
  readonly framed: FramedReads
  readonly #use: LeaseUse
  readonly #connection: HeldConnection
  readonly #side: TlsSide['side']

  constructor(keeper: LeaseKeeper, { limit, onReset, side = 'client' }: LeaseEndsOptions) {
    const { connection, epoch, terms } = keeper
    const { channel, ringer, facts } = connection
    const source = new ChannelSource(channel, ringer, epoch, { replay: terms.replayBytes })
    const sink = new ChannelSink(channel, ringer, epoch)
    super(new EndPair(source, sink))
    this.onReset = onReset
    this.source = source
    this.#connection = connection
    this.#side = side
    const { frame } = terms
    const onLastMessage = (how: 'whole' | 'broken'): void => {
      this.#use.ended()
      if (how === 'broken') this.writer.abort()
    }
    const watch = keeper.flight
    this.framed = { frame, onLastMessage }
    this.reader = new StreamReader({ onReset, limit, frame, onLastMessage, watch }, source)
    this.writer = new StreamWriter(sink, new WriterTraits(this, facts, watch))
    this.#use = new LeaseUse(this.reader, this.writer, frame)
  }

  /** Something was written. */
  wrote(): void {
    this.#use.written()
  }

  /** Errors: as StreamWriter.startTls. */
  async startTls(options: StartTlsOptions, flushed: () => Promise<void>): Promise<ExtraInfo> {
    const { reader, source } = this
    const connection = this.#connection
    const onBegun = (): void => {
      this.#use.upgraded()
      // What was said in plain text is never read again as if it had come over TLS.
      source.window?.clear()
    }
    const onFailed = (error: Error): void => this.failed(error)
    try {
      const side = this.#side
      await upgradeToTls({ connection, source, reader, side, onBegun, onFailed }, options, flushed)
    } catch (error) {
      this.rethrow(error)
    }
    return extraInfo(connection.facts)
  }

  get activity(): LeaseActivity {
    const { reader, writer, bytesIn, bytesOut } = this
    return { waits: reader.isWaiting || writer.isWaiting, bytes: bytesIn + bytesOut }
  }

  override get replayBytes(): number {
    return this.source.window?.memoryBytes ?? 0
  }

  isSpent(how: EndName | null): boolean {
    const isOrderly = how === null || how === 'closed' || isPeerEnd(how)
    // Who lost the answer of the last read comes back for its bytes.
    if ((this.source.window?.length ?? 0) > 0) return false
    return this.reader.buffered === 0 && (!isOrderly || this.reader.exception() !== null)
  }

  /** Why the connection may not serve again, as far as it shows here. Errors: CHANNEL_CORRUPT. */
  reasonToClose(reuse: 'clean' | 'never', stream: HeldBack | null): Refusal | null {
    return this.#use.reasonToClose(reuse, this.end, stream)
  }
}

/** What a writer is told, all of it by its lease's ends: one object, as there is one for each lease. */
class WriterTraits implements StreamWriterOptions {
  readonly watch: LeaseFlight | null
  readonly canWriteEof: boolean
  readonly #ends: LeaseEnds
  readonly #facts: SocketFacts

  constructor(ends: LeaseEnds, facts: SocketFacts, watch: LeaseFlight | null) {
    this.#ends = ends
    this.#facts = facts
    this.watch = watch
    this.canWriteEof = facts.tls === null
  }

  get extraInfo(): ExtraInfo {
    return extraInfo(this.#facts)
  }

  readerException(): Error | null {
    return this.#ends.reader.exception()
  }

  onWrite(): void {
    this.#ends.wrote()
  }

  startTls(options: StartTlsOptions, flushed: () => Promise<void>): Promise<ExtraInfo> {
    return this.#ends.startTls(options, flushed)
  }
}
