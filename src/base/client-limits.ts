/**
 * The bounds of `connectPool`: what a program at the far end of HTTP keeps, sends ahead, asks and waits for. The service goes
 * by the same ones, as a part of LIMITS.
 */
export const CLIENT_LIMITS = {
  /** Milliseconds of a ttl or of a wait for a lease that a caller may ask for: a day, ten minutes. */
  leaseTtlMsMax: 86_400_000,
  leaseWaitMsMax: 600_000,
  /**
   * A stream over WebSocket: bytes of one message, which is held whole, and four of a ring; bytes that are sent before the
   * client has said that it has them, and that it may have sent before the service has said so: a ring.
   */
  streamMessageBytesMax: 1_048_576,
  streamWindowBytes: 262_144,
  /** Bytes that were read after which the service is told; it sends on for as long as a window is open. */
  streamAckBytes: 65_536,
  /** Milliseconds without a word on a stream, in which the service pings three times, after which its socket is dead. */
  serviceSilenceMs: 50_000,
  /** Milliseconds that a socket may take to open, and to say good-bye. */
  serviceConnectMs: 10_000,
  streamByeMs: 5_000,
  /** Milliseconds that the service may be busy with a socket to which it has said good-bye. */
  streamFreeMs: 1_000,
  /** Milliseconds for the answer to a call that waits for nothing. */
  serviceAnswerMs: 30_000,
  /** Milliseconds for the answer to one that waits by nature: longer than the service lets anybody wait for a lease. */
  serviceWaitMs: 660_000,
  /** Milliseconds more than a call's own time that its answer may take: the service ends it first, and says how. */
  serviceGraceMs: 5_000,
  /** Milliseconds between two tries, doubling from the first to the last, with half of it at random. */
  retryBackoffFirstMs: 50,
  retryBackoffLastMs: 2_000,
  /** Tries of one call, and milliseconds for all of them, by default and at the most. */
  retryAttempts: 3,
  retryAttemptsMax: 100,
  retryBudgetMs: 10_000,
  /** Milliseconds between two renewals of a lease: a third of its ttl within these, however wrong a clock is. */
  renewMsMin: 50,
  renewMsMax: 20_000,
} as const
