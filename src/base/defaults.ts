/** What a config file may change, with its default. Durations in milliseconds, sizes in bytes. */
export const DEFAULTS = {
  listenHost: '127.0.0.1',
  listenPort: 7070,
  leasesMax: 10_000,
  waitersMax: 10_000,
  /** Bytes: of a request body in memory, of a reply read to its end, of what a parse takes in, complete or as one message. */
  bodyBytesMax: 16_777_216,
  /** Bytes of one message that a frame cuts. */
  frameBytesMax: 16_777_216,
  operationTimeoutMs: 30_000,
  drainTimeoutMs: 30_000,
  poolMin: 0,
  poolMax: 10,
  /** As poolMax: a pool of the default size is never held up, and a large one comes to a cold target in portions. */
  poolMaxConnecting: 10,
  /** 0: as often as one likes. */
  poolMaxUses: 0,
  probeAfterMs: 30_000,
  /** 0: never by itself. */
  keepaliveMs: 0,
  multiplexConnections: 1,
  multiplexInFlight: 64,
  multiplexOrphanMs: 30_000,
  breakerFailures: 5,
  breakerOpenForMs: 10_000,
  idleTimeoutMs: 600_000,
  maxLifetimeMs: 1_800_000,
  waitTimeoutMs: 30_000,
  leaseTtlMs: 60_000,
  connectTimeoutMs: 10_000,
  parseWorkers: 1,
  parseIsolation: 'auto',
  httpThreads: 1,
} as const
