/** One exchange on a shared connection: its request, which is one whole message that harms nobody. */
import { SockpoolError } from '../../base/errors.ts'
import type { CallerMessage, Frame, MessageCutter } from '../../frames/frame.ts'
import type { ExchangeReply } from '../lease/exchange.ts'
import type { DialParent } from '../target/dial-parent.ts'

export type SharedCall = {
  /** A copy of the caller's. */
  readonly bytes: Buffer
  readonly request: CallerMessage
  readonly tenant: string
  readonly weight: number | undefined
  /** What the span of a dial for it hangs below. */
  readonly dialParent?: DialParent | null
  /** Bytes of the longest answer that the caller takes; beside the frame's own bound. */
  readonly limit: number | undefined
}

/** As of any exchange: nothing is known of where its bytes stand in what all have read. */
export type SharedReply = ExchangeReply & { readonly offset: 0; readonly eof: false; readonly ending: null }

export function sharedReply(data: Buffer, reused: boolean): SharedReply {
  return { data, reused, offset: 0, eof: false, ending: null }
}

export class RequestJudge {
  readonly #frame: Frame
  #cutter: MessageCutter<CallerMessage> | null

  constructor(frame: Frame) {
    this.#frame = frame
    this.#cutter = frame.requests()
  }

  /** The one message that the bytes are. Errors: FRAME_MISMATCH, COMMAND_DENIED. */
  judge(bytes: Uint8Array): CallerMessage {
    const request = this.#cut(bytes)
    if (request === null) throw mismatch('the request is no whole message')
    if (request.taken < bytes.length) throw mismatch('the request is more than one message')
    if (!request.isExclusive && request.answers === 1) return request
    const what = request.command ?? 'the request'
    const message = `${what} needs a connection to itself, which a lease has: this one is shared by many`
    throw new SockpoolError('COMMAND_DENIED', message)
  }

  /** A cutter serves request after request for as long as it stands between two. */
  #cut(bytes: Uint8Array): CallerMessage | null {
    const cutter = this.#cutter?.isBetween ? this.#cutter : this.#frame.requests()
    this.#cutter = null
    if (cutter === null) throw mismatch(`requests of the frame ${this.#frame.name} cannot be told apart`)
    try {
      const request = cutter.next(bytes)
      this.#cutter = cutter
      return request
    } catch (error) {
      if (error instanceof SockpoolError) throw mismatch(error.message, error)
      throw error
    }
  }
}

function mismatch(message: string, cause?: SockpoolError): SockpoolError {
  return new SockpoolError('FRAME_MISMATCH', message, { cause })
}
