/**
 * How one message is cut out of the bytes. A cutter is fed what comes, in pieces of any size, and finds where messages end;
 * it keeps no bytes, looks at none twice, and takes no more memory than its own state.
 *
 *   bytes ──► next ──► null             all were looked at, and the message goes on
 *                  ├─► a message        its last byte is the `taken`-th of these; the next one begins behind it
 *                  └─► throws           FRAME_BROKEN: the bytes are no such message; LIMIT_OVERRUN: it is longer than `max`
 *
 * After an error a cutter is of no use, and neither is its connection.
 */

/** A whole message. */
export type Message = {
  /** How many of the bytes that were given last belong to it: 1 or more, but for one that ends with the stream. */
  readonly taken: number
  /** All its bytes. */
  readonly length: number
}

/** What the peer sent. */
export type PeerMessage = Message & {
  /** `answer`: it answers the oldest request that has none yet. `push`: it answers nobody. */
  readonly kind: 'answer' | 'push'
  /** Nothing can follow it on this connection, or only another protocol. */
  readonly isLast: boolean
}

/** What a caller sent. */
export type CallerMessage = Message & {
  /** How many answers it gets. */
  readonly answers: 0 | 1
  /** What it asks for, for errors and counts; null where the protocol has no such name. Never what a caller may hold secret. */
  readonly command: string | null
  /**
   * It changes the connection, blocks it, or its answer is no one message: it is not for a connection that others share,
   * and the connection is not what it was afterwards, unless it is passing.
   */
  readonly isExclusive: boolean
  /** It is exclusive only until it is done: it waits, or has no answer. Default: false. */
  readonly isPassing?: boolean
}

export interface MessageCutter<M extends Message> {
  /** Looks at the bytes behind those that it was given before. Errors: FRAME_BROKEN, LIMIT_OVERRUN. */
  next(bytes: Uint8Array): M | null
  /** Whether it stands between two messages. */
  readonly isBetween: boolean
}

export interface AnswerCutter extends MessageCutter<PeerMessage> {
  /** A request has gone out, whose answer may have a form of its own (to HEAD, to SSLRequest). */
  asked(request: CallerMessage): void
  /**
   * The stream has ended behind the bytes so far: the message that ends with it (`taken` 0), or null between two messages.
   *
   * Errors: FRAME_BROKEN within a message that does not end so.
   */
  end(): PeerMessage | null
}

export interface Frame {
  /** The protocol's name, or the key of the object that describes the frame. */
  readonly name: string
  /** Bytes of the longest message. */
  readonly max: number
  /** Whether requests and their answers can be counted, so that an even count proves a connection to be at rest. */
  readonly balances: boolean
  answers(): AnswerCutter
  /** Null where requests cannot be cut. */
  requests(): MessageCutter<CallerMessage> | null
}
