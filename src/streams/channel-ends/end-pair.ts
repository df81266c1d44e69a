/** The two ends of one channel in one holder's hands: they hear the same bell, and let go of the channel together. */
import type { EndName } from '../../channel/values.ts'
import type { FailedEnd, StreamEnd } from '../byte-source.ts'
import { streamEnd } from './channel-end.ts'
import type { ChannelSink } from './channel-sink.ts'
import type { ChannelSource } from './channel-source.ts'

export class EndPair {
  readonly #source: ChannelSource
  readonly #sink: ChannelSink

  constructor(source: ChannelSource, sink: ChannelSink) {
    this.#source = source
    this.#sink = sink
    source.pairWith(sink)
  }

  /** How the connection has ended, as far as it shows here, or null. */
  get end(): StreamEnd | null {
    return this.#source.end ?? this.#sink.end
  }

  /** The holder's doorbell rang. Errors: CHANNEL_CORRUPT. */
  rung(): void {
    this.#source.rung()
    this.#sink.rung()
  }

  /** The connection is gone: what was received stays readable, but for bytes of a channel that makes no sense. */
  lost(how: EndName): void {
    const end = streamEnd(how, this.#sink.hasSent) ?? { kind: 'closed' }
    if (how === 'corrupt' && end.kind === 'failed') return this.#drop(end)
    try {
      this.#source.detach(end)
      this.#sink.detach(end)
    } catch (error) {
      this.#drop({ kind: 'failed', error: error as Error })
    }
  }

  /** Whoever still reads or writes gets the end's error. */
  revoke(end: FailedEnd): void {
    try {
      this.#source.revoke(end)
      this.#sink.revoke(end)
    } catch {
      // Its words make no sense: then not even the last ones are written.
      this.#drop(end)
    }
  }

  #drop(end: FailedEnd): void {
    this.#source.drop(end)
    this.#sink.drop(end)
  }
}
