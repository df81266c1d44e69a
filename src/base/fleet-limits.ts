/** The bounds of a fleet. They are a part of LIMITS, by which name everybody reads them. */
export const FLEET_LIMITS = {
  /** Milliseconds for which what an instance has said holds in the engine: its membership, and its permits. */
  fleetTtlMs: 15_000,
  /** Milliseconds between two words of an instance: two may be lost before the third is too late. */
  fleetRenewMs: 5_000,
  /**
   * Milliseconds before the end of its TTL at which an instance ceases to rely on what it has: clocks of two machines drift
   * apart by a few in that time, and what was looked at is lent a moment later.
   */
  fleetMarginMs: 100,
  /**
   * Milliseconds between two looks at the clocks by which permits hold, at the most: timers go by the steady one, and are late
   * by as long as the machine was suspended.
   */
  fleetWatchMs: 250,
  /** Milliseconds by which the engine's clock may be set back without a word, as by whatever keeps it right: it stands still as long. */
  fleetStepMs: 1_000,
  /** Parts that a cap is handed out in: few enough to need few words, and enough for as many instances as are usual. */
  fleetChunksMax: 16,
  /** Connections that a cap may allow: more than the sockets of any upstream. */
  fleetCapMax: 1_000_000,
  /** Instances that a fleet may have; each hears of all. */
  fleetInstancesMax: 1_024,
  /** Bytes of the secret at the least: as many as its HMAC has. */
  fleetSecretBytesMin: 32,
  /** Secrets that ids are still known by after the engine has lost the one that it kept: it may do so twice within a lease. */
  fleetSecretsBefore: 2,
  /** Milliseconds that the engine has for an answer, and for a connection: it answers from memory, in well under one. */
  fleetAnswerMs: 1_000,
  /** Milliseconds that a start waits for the engine before it serves without. */
  fleetStartMs: 2_000,
  /** Milliseconds that a close waits until the engine has taken back what this instance had; it expires there otherwise. */
  fleetLeaveMs: 2_000,
  /** Milliseconds between two attempts to reach the engine, doubling from the first to the last; each is jittered. */
  fleetRetryFirstMs: 100,
  fleetRetryLastMs: 2_000,
  /** Milliseconds between two looks at an engine that reads its data still: it may say itself that it takes minutes. */
  fleetLoadingMs: 500,
  /** Milliseconds over which the instances spread that find the engine there again all at once. */
  fleetReturnSpreadMs: 500,
  /**
   * Milliseconds beyond its own TTL after which an instance without the engine takes its share: others may have renewed up to
   * one renewal and one answer later than it did.
   */
  fleetGraceMs: 10_000,
  /** Milliseconds between two questions of an instance that lacks permits: published hints may be lost. */
  fleetPollMs: 400,
  /** Milliseconds for which what an instance lacks is known to the others, unless it says so again: a few polls. */
  fleetWantMs: 1_500,
  /** Milliseconds for which a promise of permits that are still in use keeps others from promising the same. */
  fleetPromiseMs: 1_000,
  /** Milliseconds for which a chunk must have been unused before it is given back: loads come and go within seconds. */
  fleetSpareMs: 3_000,
  /** Milliseconds after something changed in a pool until it is looked at: many changes are one look. */
  fleetLookMs: 2,
  /** Milliseconds between two words of a pool whose own wishes change: callers come one by one, many within that time. */
  fleetNewsMs: 10,
  /** Milliseconds between two questions while it is in doubt what is held: nothing is served meanwhile. */
  fleetDoubtMs: 50,
  /** Milliseconds between two answers to what others lack, of one pool: each of them asks every few hundred. */
  fleetYieldMs: 50,
  /** Milliseconds for which a start is told from none after it was last seen, as long as a tombstone of a lease. */
  fleetForgetMs: 600_000,
  /** Starts that are remembered: those of as many instances as there may be, some of which start again and again. */
  fleetStartsMax: 16_384,
  /** Characters of a lease's id at the most: with the longest name it has 167. */
  fleetIdCharsMax: 192,
  /** Starts that valid ids named and that were not known yet, while it is asked for them. */
  fleetUnknownMax: 1_024,
  /** Milliseconds after which somebody asks again whose id names a start that is not known yet. */
  fleetUnknownMs: 1_000,
} as const
