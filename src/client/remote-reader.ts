/** The reader of a lease of the service, where the frame of the target is known, and others are too. */
import type { FrameInput } from '../frames/frame-input.ts'
import type { ByteSource } from '../streams/byte-source.ts'
import type { ReadOptions, StreamReaderOptions } from '../streams/reading/stream-reader.ts'
import { StreamReader } from '../streams/reading/stream-reader.ts'

/**
 * Where a message of a frame that the program names is cut: `here`, out of the bytes that have come, or `there`, by the
 * service, so that this end need know no frames. One of the target's own frame is cut there.
 */
export type CutPlace = 'here' | 'there'

export type FrameReads = {
  readonly place: CutPlace
  /** Has the service read one message: of the frame, or of the target's own. */
  readonly there: (frame: FrameInput | undefined, options: ReadOptions) => Promise<Buffer>
}

export class RemoteReader extends StreamReader {
  readonly #frames: FrameReads

  constructor(
    frames: FrameReads,
    options: StreamReaderOptions,
    source: ByteSource | StreamReader,
    grip: object | null = null,
  ) {
    super(options, source, grip)
    this.#frames = frames
  }

  override readFrame(frame?: FrameInput, options: ReadOptions = {}): Promise<Buffer> {
    const { place, there } = this.#frames
    return frame === undefined || place === 'there' ? there(frame, options) : super.readFrame(frame, options)
  }
}
