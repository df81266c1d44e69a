/**
 * The two stream ends of a lease over the channel of its connection, and what they tell of how the lease was used. They
 * are made for its epoch, and let go of the channel once: when the connection is gone, and what was received stays
 * readable, or when the lease is over.
 */
import type { GoneReason } from '../../base/errors.ts'
import type { EndName } from '../../channel/values.ts'
import { assertOwned, isRevoked } from '../../streams/byte-source.ts'
import { RevokedEnd } from '../../streams/channel-ends/channel-end.ts'
import { ChannelSink } from '../../streams/channel-ends/channel-sink.ts'
import { ChannelSource } from '../../streams/channel-ends/channel-source.ts'
import { EndPair } from '../../streams/channel-ends/end-pair.ts'
import type { OnReset } from '../../streams/reading/read-options.ts'
import { StreamReader } from '../../streams/reading/stream-reader.ts'
import { StreamWriter } from '../../streams/writing/stream-writer.ts'
import type { TlsSide } from '../../threads/protocol.ts'
import type { Refusal } from '../target/release-result.ts'
import { extraInfo } from './connection-facts.ts'
import type { LeaseActivity } from './lease-clock.ts'
import type { LeaseHolder, LeaseKeeper } from './lease-keeper.ts'
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

export class LeaseEnds implements LeaseHolder {
  readonly reader: StreamReader
  readonly writer: StreamWriter
  readonly source: ChannelSource
  readonly onReset: OnReset
  readonly #pair: EndPair
  readonly #use: LeaseUse
  /** The lease ended when its connection had broken. */
  #brokeFirst = false

  constructor(keeper: LeaseKeeper, { limit, onReset, side = 'client' }: LeaseEndsOptions) {
    const { connection, epoch, terms } = keeper
    const { channel, ringer, facts } = connection
    this.onReset = onReset
    this.source = new ChannelSource(channel, ringer, epoch, { replay: terms.replayBytes })
    const sink = new ChannelSink(channel, ringer, epoch)
    this.#pair = new EndPair(this.source, sink)
    this.reader = new StreamReader({ onReset, limit }, this.source)
    this.writer = new StreamWriter(sink, {
      canWriteEof: facts.tls === null,
      readerException: () => this.reader.exception(),
      onWrite: () => this.#use.written(),
      extraInfo: extraInfo(facts),
      startTls: async (options, flushed) => {
        const { source, reader } = this
        const onBegun = (): void => this.#use.upgraded()
        const onFailed = (error: Error): void => {
          if (!isRevoked(this.#pair.end)) this.#pair.revoke({ kind: 'failed', error })
        }
        try {
          await upgradeToTls({ connection, source, reader, side, onBegun, onFailed }, options, flushed)
        } catch (error) {
          // Whichever was first is why: the lease that ended, or the connection.
          if (!this.#brokeFirst) assertOwned(this.#pair.end)
          throw error
        }
        return extraInfo(connection.facts)
      },
    })
    this.#use = new LeaseUse(this.reader, this.writer)
  }

  get activity(): LeaseActivity {
    const { reader, writer } = this
    return { waits: reader.isWaiting || writer.isWaiting, bytes: reader.offset + writer.offset }
  }

  isSpent(how: EndName | null): boolean {
    const isOrderly = how === null || how === 'fin' || how === 'closed'
    return this.reader.buffered === 0 && (!isOrderly || this.reader.exception() !== null)
  }

  /** Why the connection may not serve again, as far as it shows here. Errors: CHANNEL_CORRUPT. */
  reasonToClose(reuse: 'clean' | 'never', stream: HeldBack | null): Refusal | null {
    return this.#use.reasonToClose(reuse, this.#pair.end, stream)
  }

  /** The channel tells of the end of a lease before any message does. Errors: LEASE_GONE. */
  assertHeld(): void {
    assertOwned(this.#pair.end)
  }

  rung(): void {
    this.#pair.rung()
  }

  broke(): void {
    this.#pair.lost('corrupt')
  }

  lost(how: EndName): void {
    this.#pair.lost(how)
  }

  ended(reason: GoneReason): void {
    const { end } = this.#pair
    this.#brokeFirst = end !== null && !isRevoked(end)
    this.#pair.revoke(new RevokedEnd(reason))
  }
}
