/** Bounds of what the threads that move bytes do beside it: spread into LIMITS. */
export const STREAM_LIMITS = {
  /**
   * Channels that a thread rings for another in one turn before it wakes that one: of a turn that serves hundreds, the other
   * serves the first while this one is at the last. A wake costs about as much as to serve one or two.
   */
  ringsPerWake: 32,
  /** Bytes of a read into a wide ring: what has gathered in the kernel while the thread was elsewhere comes at once. */
  wideReadBytes: 262_144,
  /**
   * Bytes of buffers handed out by reads after which the young garbage of their thread is collected: as much as stays in the
   * processor's caches. Smaller buffers than those share memory, and come to less than their objects do.
   */
  youngCollectionBytes: 4_194_304,
  youngBufferBytesMin: 4_096,
  /**
   * A read of more than a ring holds gets memory for all of it once so many parts of it have come: not before, as who asks for
   * much of a peer that sends nothing would cost as much as it asks for. Nor for more than so many bytes in one piece, as whoever
   * asks for ever so many may never get them.
   */
  asideShareMax: 8,
  asideBlockBytesMax: 67_108_864,
  /**
   * Milliseconds that an I/O worker looks on where its sleeps have become as short as that: a peer on the same network, or a
   * holder, answers sooner. A turn of its loop that takes so long, and did nothing, was another thread's; how long it does
   * not look on then.
   */
  ioLookOnMs: 0.1,
  lookTurnMs: 0.05,
  lookPauseMs: 10,
} as const
