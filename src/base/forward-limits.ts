/** The bounds of front doors for unmodified programs. They are a part of LIMITS, by which name everybody reads them. */
export const FORWARD_LIMITS = {
  /** Forwards of one configuration: each is a listener. */
  forwardsMax: 256,
  /** Clients of one forward at once, those that wait for a connection among them: each holds a descriptor. */
  forwardClientsMax: 10_000,
  /** Connections that the kernel keeps until they are accepted: programs that start together connect together. */
  forwardBacklog: 511,
  /** Bytes that are read from a client while it waits for its connection; beyond them it has to wait with its next ones. */
  forwardEarlyBytesMax: 65_536,
  /** Bytes of one read that are handed on where they lie; smaller reads are copied, so that a quiet pair keeps no buffer. */
  spliceOwnBytesMin: 16_384,
  /**
   * Milliseconds that a pair of which one side has ended may be silent: an answer may take long, but a peer that has gone for
   * good, and that nobody can tell from one that listens on, holds its connection no longer.
   */
  spliceHalfOpenMs: 300_000,
  /** Milliseconds of silence after which a tunnel to a TLS target is cut once its client has ended, which the target cannot hear. */
  tunnelTlsEndMs: 30_000,
  /** Bytes that a tunnel takes off its connection at once. */
  tunnelReadBytes: 65_536,
  /** Milliseconds between two log lines about clients that a forward turned away. */
  forwardLogMs: 10_000,
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
   * Milliseconds that a connection goes from client to client of a front door before it is given back, to be judged and
   * perhaps replaced: so seldom that it costs nothing. Who waits for it beside these clients has it sooner.
   */
  forwardTurnMs: 100,
  /** Milliseconds between two looks at what takes too long at a desk; while nobody is there, none is taken. */
  deskLookMs: 5,
  /** Milliseconds that a connection lies unused at a desk: clients that ask again and again need not ask for it again. */
  deskIdleMs: 5,
  /** Milliseconds for the answers to what a client has asked at a desk: what takes longer is awaited elsewhere. */
  deskAnswerMs: 100,
  /** Milliseconds between two looks whether somebody else waits for what was lent to a desk. */
  deskTurnsMs: 10,
  /** Milliseconds in which a blocking request may be answered whose client has ended before it was sent. */
  forwardEndedMs: 100,
  /** Messages that a connection which answered a quiet request may send before the mark behind them: beyond it, it lies. */
  forwardMarkedAnswersMax: 4_096,
} as const
