/** The bounds of listeners that callers make. They are a part of LIMITS, by which name everybody reads them. */
export const LISTEN_LIMITS = {
  /** Listeners of one tenant, and of all together: each holds a descriptor or two, and a port of the machine. */
  listenersPerTenantMax: 64,
  listenersMax: 1_024,
  /** Milliseconds without an accept call after which a listener ends. */
  listenerTtlMs: 300_000,
  /** Accepted connections of one listener that may wait for a call to take them: as many as the kernel's queue may hold. */
  listenerBacklogMax: 1_024,
  /**
   * Accepted connections of all listeners together that wait so: each has a channel and a descriptor, which leases need too.
   */
  unclaimedMax: 4_096,
  /** What they may take of the connections that the process may have: the rest is for those that are dialled and leased. */
  unclaimedShare: 0.25,
  /** Ends of listeners that are remembered, so that whoever still calls hears why, for as long as of a lease. */
  listenerEndsMax: 4_096,
} as const
