/**
 * What stands in for frames in the client's build for browsers, which has none: they are a third of the code of a stream,
 * and the service has them. There a frame is judged, and a message of a lease is cut.
 */
import { SockpoolError } from '../../base/errors.ts'
import type { FrameSpec } from '../../frames/frame-spec.ts'

/** Of `frames/judge-frame.ts`: the service judges what goes to it. */
export function judgeFrame(input: unknown): FrameSpec {
  return input as FrameSpec
}

/** Of `streams/reading/message-reads.ts`: what a reader without a service knows of messages. */
class NoMessages {
  /** Errors: UNSUPPORTED. */
  async searchFor(): Promise<never> {
    const message = 'readFrame() is for the reader of a lease here, whose service cuts messages'
    throw await Promise.resolve(new SockpoolError('UNSUPPORTED', message))
  }

  /** Errors: UNSUPPORTED. */
  read(): Promise<never> {
    return this.searchFor()
  }
}

// It has the name of what it stands for.
export { NoMessages as MessageReads }
