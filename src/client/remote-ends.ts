/**
 * The two stream ends of a lease of a service. They know nothing of the lease in the program's hands, which may be lost while
 * they are not.
 */
import type { FrameInput } from '../frames/frame-input.ts'
import type { ConnectionFacts } from '../pool/lease/connection-facts.ts'
import type { ReaderTraits } from '../pool/lease/lease-options.ts'
import type { Refusal } from '../pool/target/release-result.ts'
import { ReadBounds, type ReadOptions } from '../streams/reading/read-options.ts'
import { type ExtraInfo, StreamWriter } from '../streams/writing/stream-writer.ts'
import { readThere, startTlsThere } from './lease-calls.ts'
import { plainJson } from './plain-json.ts'
import type { RemoteKeeper } from './remote-keeper.ts'
import { type CutPlace, type FrameReads, RemoteReader } from './remote-reader.ts'

/** What a stream that the lease was handed over to has taken and nobody has had of it. */
type HeldBack = { readonly unreadBytes: number; readonly unsentBytes: number }

export class RemoteEnds {
  readonly reader: RemoteReader
  readonly writer: StreamWriter
  readonly keeper: RemoteKeeper
  /** How readers of this stream read messages. */
  readonly frames: FrameReads
  /** The peer said all there will be, or something that cannot be read. */
  #isSpent = false

  constructor(keeper: RemoteKeeper, { limit, onReset }: ReaderTraits, place: CutPlace) {
    this.keeper = keeper
    this.frames = { place, there: (frame, options) => this.#readFrameThere(frame, options) }
    const { source, sink } = keeper.stream
    const onLastMessage = (how: 'whole' | 'broken'): void => {
      this.#isSpent = true
      if (how === 'broken') this.writer.abort()
    }
    this.reader = new RemoteReader(this.frames, { limit, onReset, onLastMessage }, source)
    this.writer = new StreamWriter(sink, {
      canWriteEof: keeper.connection.tls === null,
      readerException: () => this.reader.exception(),
      extraInfo: infoOf(keeper.connection),
      startTls: async (options, flushed) => {
        await startTlsThere(keeper, this.reader, options, flushed)
        return infoOf(keeper.connection)
      },
    })
  }

  /** Why the connection may not serve again, as far as only this end knows it. */
  reasonToClose(held: HeldBack | null): Refusal | null {
    const { reader, writer } = this
    if (reader.isWaiting || reader.interrupted || writer.interrupted) return 'timed_out'
    if (reader.buffered > 0 || (held?.unreadBytes ?? 0) > 0) return 'unread'
    if ((held?.unsentBytes ?? 0) > 0) return 'unsent'
    return this.#isSpent ? 'half_closed' : null
  }

  /** One message, cut by the service; undefined: of the frame that the target has there. Errors: as `readFrame`. */
  async #readFrameThere(frame: FrameInput | undefined, options: ReadOptions): Promise<Buffer> {
    const bounds = ReadBounds.of(options)
    this.keeper.assertHeld()
    const body = frame === undefined ? null : { frame: plainJson(frame) }
    return (await readThere(this.keeper, this.reader, { verb: 'readframe', body }, bounds)).bytes
  }
}

/** The certificate of the peer stays with the service. */
function infoOf({ localAddress, localPort, remoteAddress, remotePort, tls }: ConnectionFacts): ExtraInfo {
  return {
    peername: [remoteAddress, remotePort],
    sockname: [localAddress, localPort],
    ssl: tls,
    ...(tls && { cipher: tls.cipher }),
  }
}
