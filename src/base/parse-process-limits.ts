/** Bounds of parse processes, with their reasons. A part of LIMITS. */
export const PARSE_PROCESS_LIMITS = {
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
