/** The bounds of connections that many share. They are a part of LIMITS, by which name everybody reads them. */
export const MULTIPLEX_LIMITS = {
  /** Requests under way on one shared connection: each is remembered, and all of them fail with it. */
  multiplexInFlightMax: 10_000,
  /** Of ids of one byte so many may be in use: the others are left out for a while, so that a late answer finds nobody. */
  multiplexByteIdsMax: 128,
  /** Ids whose answers were given up: a connection that owes more than these, or half of all ids, is renewed. */
  multiplexLostIdsMax: 1_024,
  /** Ids from 1 on that a module is given where it says nothing else: what fits two bytes. */
  multiplexModuleIdMax: 65_535,
  /** Answers that are handed out in one turn of the event loop: their callers may all go on in it. */
  multiplexAnswersPerTurn: 10,
  /** Bytes of requests that go out together, but for a longer one, which goes alone: so that many large ones fit a writer. */
  multiplexWriteBytes: 1_048_576,
  /** Bytes that are read off a shared connection at once. */
  multiplexReadBytes: 262_144,
} as const
