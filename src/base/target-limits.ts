/** The bounds of one target's pool: its dials, its hosts, and its queue. They are a part of LIMITS, by which name everybody reads them. */
export const TARGET_LIMITS = {
  /**
   * Milliseconds that a caller counts on a connection which is looked at after its release, before another is dialled: a look
   * takes no longer but in a thread that something keeps.
   */
  returnMs: 1_000,
  /** Milliseconds that a target is left alone after a failed dial, doubling from the first to the last, with full jitter. */
  dialBackoffFirstMs: 10,
  dialBackoffLastMs: 5_000,
  /**
   * Milliseconds that a caller which waits for nobody waits for a permit: one that another instance has to spare comes sooner,
   * and whoever asks for a connection at once wants to hear soon that there is none.
   */
  permitWaitMs: 250,
  /** Milliseconds of waiting, and the interval in which nobody waits for less, that make a queue a standing one: CoDel's own. */
  queueStandingMs: 5,
  queueIntervalMs: 100,
  /** How many times what is left of its time a call must expect to wait to be refused: the pace is an estimate. */
  queueMargin: 2,
  /** Tenants that the error of a wait names. */
  holdersMax: 16,
  /** Failures in a row after which one of several hosts is ejected; milliseconds of that, doubling from first to last. */
  hostFailures: 3,
  hostEjectionFirstMs: 10_000,
  hostEjectionLastMs: 300_000,
  /** Milliseconds in which a host that comes back grows to its whole share: one that is cold, or half alive, is spared. */
  hostSlowStartMs: 10_000,
  /**
   * Milliseconds at the most, at random, between two dials of a warm minimum: instances that start together come apart, and
   * ten connections are there in half a second.
   */
  warmDialPauseMs: 100,
  /** Milliseconds without use after which a target that a caller described is forgotten. */
  describedIdleMs: 10_000,
  /** Operations that a connection's flight recorder keeps: those of the last few leases, in some 2 KiB. */
  flightOperationsMax: 32,
} as const
