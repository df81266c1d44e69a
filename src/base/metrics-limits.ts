/** The bounds of what is measured. They are a part of LIMITS, by which name everybody reads them. */
export const METRICS_LIMITS = {
  /** Milliseconds between two looks at an event loop's delay: fine enough to see a stall that callers feel. */
  loopDelayLookMs: 20,
  /** Milliseconds for which the longest delay is told: two looks of whoever scrapes as often as is usual. */
  loopDelayWindowMs: 15_000,
  /** Milliseconds over which the share is taken in which an event loop was busy: at least one such window, at most two and a look. */
  loopShareWindowMs: 10_000,
  /**
   * Kinds of requests (method, route and status) whose durations are counted apart, on the main thread and on a thread that
   * serves two routes. There are some hundred routes and methods, and a dozen statuses of each; beyond them all are `other`.
   */
  requestKindsMax: 1_024,
  threadRequestKindsMax: 128,
  /** Bytes of the name of a kind: the longest route, its method and a status fit several times. */
  requestKindBytesMax: 120,
  /** Characters of a page that are printed in one turn of the event loop, or as many as one metric has: some milliseconds. */
  metricsCharsPerTurn: 131_072,
  /** Connections at once to the listener of `metrics.listen`; a scraper or two keep one each. */
  metricsConnectionsMax: 64,
} as const
