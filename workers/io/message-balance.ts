/**
 * The requests and answers of one connection, counted over its bytes as they pass to and from the socket, whichever call of
 * whichever thread wrote or reads them. Once each request has its answer, and no message is cut in the middle, nothing that
 * is still to come can be somebody's: only then may the connection serve the next lease.
 *
 *   counting ──a last message──► last
 *       │└──what is no message──► broken
 *       └──stop──► stopped
 *
 * It outlives the leases of its connection: what one of them leaves even is where the next one begins. Dialogs are not
 * counted, they look for their answers themselves. What came before anything was asked is the peer's greeting.
 */
import { SockpoolError } from '../../src/base/errors.ts'
import type { CheckName } from '../../src/channel/values.ts'
import type {
  AnswerCutter,
  CallerMessage,
  Frame,
  MessageCutter,
  PeerMessage,
} from '../../src/frames/frame.ts'
import type { FrameSpec } from '../../src/frames/frame-spec.ts'
import { balancedFrame } from '../../src/frames/frames.ts'

type RequestCutter = MessageCutter<CallerMessage>

export class MessageBalance {
  readonly #frame: Frame
  #requests: RequestCutter
  #answers: AnswerCutter
  #at: 'counting' | 'last' | 'broken' | 'stopped' = 'counting'
  /** Answers that are still to come; below 0, those that nobody asked for. */
  #owed = 0
  /** A byte was sent. */
  #hasAsked = false
  /** A command was sent after which the connection is not what it was. */
  #isChanged = false
  /** The last request has no answer, but for an error: only the answer to a later one shows that it has none. */
  #isQuiet = false

  private constructor(frame: Frame, requests: RequestCutter) {
    this.#frame = frame
    this.#requests = requests
    this.#answers = frame.answers()
  }

  /** For a connection that speaks by this frame; null where its messages cannot be counted. */
  static of(spec: FrameSpec | undefined): MessageBalance | null {
    const frame = balancedFrame(spec)
    const requests = frame?.requests() ?? null
    return frame === null || requests === null ? null : new MessageBalance(frame, requests)
  }

  /** The socket is about to be given these: before it has them, so that no answer comes before its request is known. */
  sent(bytes: Uint8Array): void {
    this.#hasAsked = true
    if (this.#at === 'broken' || this.#at === 'stopped') return
    try {
      for (let rest = bytes; rest.length > 0; ) {
        const request = this.#requests.next(rest)
        if (request === null) return
        this.#asked(request)
        if (request.taken === rest.length) return
        rest = rest.subarray(request.taken)
      }
    } catch (error) {
      this.#broke(error)
    }
  }

  /** The first `length` of these came. */
  received(bytes: Uint8Array, length: number): void {
    if (this.#at === 'broken' || this.#at === 'stopped') return
    try {
      for (let rest = bytes.length === length ? bytes : bytes.subarray(0, length); rest.length > 0; ) {
        const message = this.#answers.next(rest)
        if (message === null) return
        this.#came(message)
        if (message.taken === rest.length) return
        rest = rest.subarray(message.taken)
      }
    } catch (error) {
      this.#broke(error)
    }
  }

  /**
   * What speaks against another lease, or null. `hasDialog`: one is about to be run, which undoes what the lease has changed
   * and shows that the connection is at rest; it cannot show whose an answer is that comes late.
   */
  against(hasDialog: boolean): CheckName | null {
    if (this.#at === 'broken') return 'error'
    if (this.#at === 'stopped') return 'policy'
    if (this.#at === 'last') return 'half_closed'
    if (this.#owed > 0 || !this.#requests.isBetween || !this.#answers.isBetween) return 'unanswered'
    if (hasDialog) return null
    if (this.#isChanged) return 'policy'
    if (this.#isQuiet) return 'unanswered'
    return this.#owed < 0 ? 'poisoned' : null
  }

  /** Nothing need be known of it any more: the connection serves no lease after this. */
  stop(): void {
    this.#at = 'stopped'
  }

  /** The next lease may begin. */
  reopen(): void {
    this.#isChanged = false
    this.#isQuiet = false
    if (this.#owed === 0) return
    // Which answer belongs to which request is told by their places.
    this.#owed = 0
    this.#requests = this.#frame.requests() ?? this.#requests
    this.#answers = this.#frame.answers()
  }

  #asked(request: CallerMessage): void {
    this.#owed += request.answers
    this.#isQuiet = request.answers === 0
    if (request.isExclusive && request.isPassing !== true) this.#isChanged = true
    this.#answers.asked(request)
  }

  #came({ kind, isLast }: PeerMessage): void {
    if (kind === 'answer' && this.#hasAsked) this.#owed--
    if (isLast) this.#at = 'last'
  }

  /** The cutter is of no use any more. Whoever reads by the frame hears of it there. */
  #broke(error: unknown): void {
    if (!(error instanceof SockpoolError)) throw error
    this.#at = 'broken'
  }
}
