/** Bounds of parse processes, and of what they share with parse threads, with their reasons. A part of LIMITS. */
export const PARSE_PROCESS_LIMITS = {
  /** Milliseconds until a parse thread or process without work ends; starting one costs some 50, or 80. */
  parseIdleMs: 30_000,
  /** How far parse threads and processes stand back: a third of the share of a thread that serves, where both have work. */
  parseNice: 5,
  /** Milliseconds that closing waits for running parse tasks before it ends their threads and processes. */
  parseCloseMs: 1_000,
  /** MiB of heap of a thread or process that decodes bytes: sixteen times the default bound of its input; in a process a bomb ends alone. */
  parseHeapMiB: 256,
  /**
   * Bytes of an input, or of a message, that a thread decodes where both tiers are there: a 32nd of the heap, parseHeapMiB.
   * The heap that values take is many times their bytes: V8 ends a thread that outgrows its heap, but where it notices too
   * late it ends the whole process.
   */
  parseThreadBytesMax: 8_388_608,
  /** Bytes of one frame from a parse process: the text of the largest body, each byte of it escaped. More is a broken one. */
  parseFrameBytesMax: 8_589_934_592,
  /** Bytes that are written to a parse process at a time: as many as the kernel takes at once, more or less. */
  parsePipePieceBytes: 262_144,
  /** Characters that are kept of what a parse process says on stderr: that its heap is full stands in the first of them. */
  parseLastWordsChars: 16_384,
} as const
