/**
 * Permits: how many connections the pool of one target may have by word of somebody beyond the pool, who counts those of
 * other instances too. Every slot takes one, from its dial until its socket is gone.
 */

/** What the pool asks, on its own thread; each answer comes at once. */
export interface Permits {
  /** How many there are for this pool now. */
  readonly granted: number
  /** Whether `granted` may be relied on at this instant; while it may not, nothing is lent, shared or dialled. */
  isCurrent(nowMs: number): boolean
  /**
   * What the pool lacks, or has to spare, may have changed. It costs a few nanoseconds where nothing has. It is called in the
   * midst of the pool's steps: who hears it looks at `use` in a turn of its own, and calls nothing of the pool before.
   */
  changed(): void
  /**
   * Connections lie idle that did not, or the other way round, and nothing else has changed: nobody lacks anything by that, but
   * others may ask for what is idle. Called as `changed` is, for each lease and each release.
   */
  idled(): void
  /** The target is no more, or its pool: the last connection is gone, and no permit is used any more. Called once. */
  end(): void
}

/** What the pool tells about itself. */
export type PermitUse = {
  /** Slots that are in use, closing ones included: so many permits cannot be given back. */
  readonly taken: number
  /** Of those, connections that lie idle. */
  readonly idle: number
  /** Callers for whom a connection would be dialled if there were permits, its own maximum notwithstanding. */
  readonly wanting: number
  /** Connections that are missing to the warm minimum. */
  readonly cold: number
}

/** The pool of one target, as whoever grants permits sees it. */
export interface PermitTaker {
  readonly use: PermitUse
  /** `granted` has changed, or `isCurrent` has: serves and dials accordingly, closes what lies idle beyond it, and retires. Kills nothing. */
  refresh(): void
  /** Ends what is beyond `granted` at once: idle ones, dials, those that come back, and leases at last. How many. */
  cut(): number
}

/**
 * Makes the permits of a named target's pool; null where nobody but the pool bounds it. The taker is not to be called before
 * this has returned. A target that is removed and comes back has a second pool, beside the first until that has ended.
 */
export type PermitsOf = (target: string, taker: PermitTaker) => Permits | null
