/** Bounds of what the threads that move bytes do beside it: spread into LIMITS. */
export const STREAM_LIMITS = {
  /** Bytes of a read into a wide ring: what has gathered in the kernel while the thread was elsewhere comes at once. */
  wideReadBytes: 262_144,
  /**
   * Bytes of buffers handed out by reads after which the young garbage of their thread is collected: as much as stays in the
   * processor's caches. Smaller buffers than those share memory, and come to less than their objects do.
   */
  youngCollectionBytes: 4_194_304,
  youngBufferBytesMin: 4_096,
  /**
   * Milliseconds that an I/O worker looks on where its sleeps have become as short as that: a peer on the same network, or a
   * holder, answers sooner. A turn of its loop that takes so long, and did nothing, was another thread's; how long it does
   * not look on then.
   */
  ioLookOnMs: 0.1,
  lookTurnMs: 0.05,
  lookPauseMs: 10,
} as const
