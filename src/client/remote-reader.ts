/** The reader of a lease of the service. A message of the target's own frame is cut there, where the frame is known. */
import type { FrameInput } from '../frames/frame-input.ts'
import type { ByteSource } from '../streams/byte-source.ts'
import type { ReadOptions, StreamReaderOptions } from '../streams/reading/stream-reader.ts'
import { StreamReader } from '../streams/reading/stream-reader.ts'

type OwnFrame = (options: ReadOptions) => Promise<Buffer>

export class RemoteReader extends StreamReader {
  readonly #own: OwnFrame

  constructor(
    own: OwnFrame,
    options: StreamReaderOptions,
    source: ByteSource | StreamReader,
    grip: object | null = null,
  ) {
    super(options, source, grip)
    this.#own = own
  }

  override readFrame(frame?: FrameInput, options: ReadOptions = {}): Promise<Buffer> {
    return frame === undefined ? this.#own(options) : super.readFrame(frame, options)
  }
}
