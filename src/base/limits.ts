/**
 * Every bound of the system in one place, each with its unit and its reason. What an operator may change has
 * its default here and its name in the config schema; the rest is fixed.
 */
export const LIMITS = {
  /** Bytes. asyncio's default limit of a StreamReader. */
  readerLimitBytes: 65_536,
  /** Separators in one `readUntil`; a larger set is a parser's work. */
  separatorsMax: 16,
  /** Bytes of one separator; the scan re-reads at most this much at a chunk's border. */
  separatorBytesMax: 64,
  /** Bytes. asyncio's write watermarks on a plain socket. */
  writeHighWaterBytes: 65_536,
  writeLowWaterBytes: 16_384,
  /** Bytes a writer keeps beyond its ring before `write` throws WRITE_OVERFLOW. */
  writeBufferedBytesMax: 64 * 1024 * 1024,
  /** Bytes of an inbound ring: the replay window plus room for one kernel read. */
  inboundRingBytes: 131_072,
  /** Bytes of an outbound ring: asyncio's high water mark fits whole. */
  outboundRingBytes: 65_536,
  /** Bytes behind the read position that a lease with offsets keeps readable. */
  replayWindowBytes: 65_536,
  /** Bytes. The largest read that libuv hands over at once; also the spill that TLS may force upon us. */
  kernelReadBytes: 65_536,
  /** Channels in one slab: one allocation and one message for so many connections. */
  channelsPerSlab: 64,
  /** Channels of one pool: the doorbell's bitmap has one bit for each. */
  channelsMax: 65_536,
  /** Milliseconds between two looks at missed doorbells, deaths, idle connections and heartbeats. */
  sweepIntervalMs: 1_000,
  /** Milliseconds a silent I/O worker is suspect (unready), then terminated. */
  heartbeatSuspectMs: 2_000,
  heartbeatDeadMs: 10_000,
  /** Milliseconds between the deaths and rebirths of I/O workers, doubling from the first to the last. */
  restartBackoffFirstMs: 10,
  restartBackoffLastMs: 1_000,
  /** Milliseconds between failed dials that nobody waits for (the warm minimum), doubling, with full jitter. */
  dialBackoffFirstMs: 10,
  dialBackoffLastMs: 5_000,
  /** Milliseconds a lease's tombstone says why it is gone before it is forgotten. */
  tombstoneMs: 600_000,
  /** Tombstones kept at the most; the oldest goes first. */
  tombstonesMax: 100_000,
  /** Steps of one dialog and bytes that one `expect` may have to look through. */
  dialogStepsMax: 64,
  dialogBytesMax: 65_536,
  /** Milliseconds a whole dialog may take on a connection at release or at connect. */
  dialogTimeoutMs: 5_000,
  /** Ad-hoc and named target pools alive at once; an idle one goes first. */
  targetPoolsMax: 10_000,
  /** Parse: bytes in, nesting, elements and string length of one value. */
  parseInputBytesMax: 1_048_576,
  parseDepthMax: 64,
  parseElementsMax: 1_000_000,
  parseStringBytesMax: 16 * 1024 * 1024,
  /** Parse tasks that may wait for a thread. */
  parseQueueMax: 1_000,
} as const

/** What a config file may change, with its default. Durations in milliseconds, sizes in bytes. */
export const DEFAULTS = {
  listenHost: '127.0.0.1',
  listenPort: 7070,
  leasesMax: 10_000,
  waitersMax: 10_000,
  bodyBytesMax: 16 * 1024 * 1024,
  operationTimeoutMs: 30_000,
  drainTimeoutMs: 30_000,
  poolMin: 0,
  poolMax: 10,
  idleTimeoutMs: 600_000,
  maxLifetimeMs: 1_800_000,
  waitTimeoutMs: 30_000,
  leaseTtlMs: 60_000,
  connectTimeoutMs: 10_000,
} as const
