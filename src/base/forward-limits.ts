/** The bounds of front doors. They are a part of LIMITS, by which name everybody reads them. */
export const FORWARD_LIMITS = {
  /** Bytes that are read off a client, and off the connection that answers it, at once. */
  forwardReadBytes: 65_536,
  /**
   * Requests of one client that are under way at once on a connection of its own for that time: a long pipeline at a round
   * trip, and no more than what is remembered of each and answered with an error where the connection fails.
   */
  forwardBatchRequests: 1_024,
  /** As that, on a connection that others share: their answers are kept until those before them are there. */
  forwardSharedRequests: 128,
  /** Bytes of answers that a client has not taken, beyond which nothing is read for it, or of it, any more. */
  forwardUntakenBytes: 262_144,
  /**
   * Milliseconds that a connection goes from client to client of a front door before it is given back, to be judged and to
   * serve others: so seldom that it costs nothing, and soon enough that nobody notices.
   */
  forwardTurnMs: 10,
  /** Milliseconds in which a blocking request may be answered whose client has ended before it was sent. */
  forwardEndedMs: 100,
  /** Messages that a connection which answered a quiet request may send before the mark behind them: beyond it, it lies. */
  forwardMarkedAnswersMax: 4_096,
} as const
