/**
 * The two stream ends of a lease over the channel of its connection. They let go of the channel once: when the
 * connection is gone, and what was received stays readable, or when the lease is over, and nothing does.
 */
import type { EndName } from '../../channel/channel.ts'
import type { FailedEnd } from '../../streams/byte-source.ts'
import { streamEnd } from '../../streams/channel-ends/channel-end.ts'
import { ChannelSink } from '../../streams/channel-ends/channel-sink.ts'
import { ChannelSource } from '../../streams/channel-ends/channel-source.ts'
import { type OnReset, StreamReader } from '../../streams/reading/stream-reader.ts'
import { StreamWriter } from '../../streams/writing/stream-writer.ts'
import type { HeldConnection } from '../../threads/held-connection.ts'
import type { TlsSide } from '../../threads/protocol.ts'
import type { LeaseTrace } from '../target/verdict.ts'
import { extraInfo } from './connection-facts.ts'
import { upgradeToTls } from './tls-upgrade.ts'

export type LeaseEndsParts = {
  readonly connection: HeldConnection
  /** Bytes behind the read position that stay readable again. */
  readonly replayBytes: number
  /** Bytes; default of the reader's `limit`. */
  readonly limit: number | undefined
  readonly onReset: OnReset
  /** Which side of TLS this end is when TLS is started; default: the client. */
  readonly side?: TlsSide['side'] | undefined
}

/** What the ends know of how a lease was left. */
export type EndsTrace = Omit<LeaseTrace, 'reuse' | 'tooOld'>

export class LeaseEnds {
  readonly reader: StreamReader
  readonly writer: StreamWriter
  readonly source: ChannelSource
  readonly #sink: ChannelSink
  #seenAtLastWrite = 0
  #isUpgraded = false

  constructor({ connection, replayBytes, limit, onReset, side = 'client' }: LeaseEndsParts) {
    const { channel, ringer, facts } = connection
    this.source = new ChannelSource(channel, ringer, replayBytes)
    this.#sink = new ChannelSink(channel, ringer)
    this.reader = new StreamReader({ onReset, limit }, this.source)
    this.writer = new StreamWriter(this.#sink, {
      canWriteEof: facts.tls === null,
      readerException: () => this.reader.exception(),
      onWrite: () => {
        this.#seenAtLastWrite = this.reader.seen
      },
      extraInfo: extraInfo(facts),
      startTls: async (options, flushed) => {
        const { source, reader } = this
        const onBegun = (): void => {
          this.#isUpgraded = true
        }
        const onFailed = (error: Error): void => this.revoke({ kind: 'failed', error })
        await upgradeToTls({ connection, source, reader, side, onBegun, onFailed }, options, flushed)
        return extraInfo(connection.facts)
      },
    })
    connection.hold({
      rung: () => {
        this.source.rung()
        this.#sink.rung()
      },
    })
  }

  /** Whether a call waits on either end, and what both have moved so far. */
  get activity(): { readonly waits: boolean; readonly bytes: number } {
    const { reader, writer } = this
    return { waits: reader.isWaiting || writer.isWaiting, bytes: reader.offset + writer.offset }
  }

  /** Whether a wait here ended by time or signal, and nothing has been read since. */
  get isInterrupted(): boolean {
    return this.reader.interrupted || this.writer.interrupted
  }

  get trace(): EndsTrace {
    const { reader, writer } = this
    const end = this.source.end ?? this.#sink.end
    return {
      ended: end === null ? 'open' : end.kind === 'failed' ? 'failed' : 'fin',
      interrupted: this.isInterrupted || reader.isWaiting,
      eofWritten: writer.eofWritten,
      closing: writer.isClosing(),
      unreadBytes: reader.buffered,
      unsentBytes: writer.buffered,
      upgraded: this.#isUpgraded,
      unanswered: writer.offset > 0 && reader.seen === this.#seenAtLastWrite,
    }
  }

  /** The connection is gone. Bytes of a corrupt channel are nobody's. */
  letGo(how: EndName): void {
    const end = streamEnd(how) ?? { kind: 'closed' }
    if (how === 'corrupt' && end.kind === 'failed') this.source.drop(end)
    else this.source.detach(end)
    this.#sink.detach(end)
  }

  /** The lease is over: whoever still reads or writes gets the end's error. */
  revoke(end: FailedEnd): void {
    this.source.revoke(end)
    this.#sink.detach(end)
  }
}
