/** Bounds of values on their way between threads, and of what is decoded ahead of its reader: spread into LIMITS. */
export const MESSAGE_LIMITS = {
  /** Parts of a value that one thread hands to another at a time: that many take a few milliseconds to clone. */
  cloneValuesMax: 8_192,
  /**
   * Bytes that a parse thread looks through for messages in one turn: few at first, as their reader may want one alone, and
   * twice as many each time that all were messages. The most take some ten milliseconds, beside which a hop between threads
   * is little.
   */
  batchFirstBytes: 65_536,
  batchBytesMax: 1_048_576,
  /** Messages of a turn: of the smallest ones the lengths alone would outweigh the bytes. */
  batchMessagesMax: 65_536,
  /** Turns beside the one whose messages are handed out: one is under way while another waits for its reader. */
  batchesAheadMax: 2,
  /** Bytes of JSON text that become values at a time, on the thread that wants them: under a millisecond. */
  batchTextBytes: 65_536,
  /**
   * Bytes of a ring that a blocking reader of lines moves to memory of its own at a time, and how many must be there for
   * that: then a line is a view of it rather than a copy.
   */
  linesAsideBytes: 65_536,
  linesAsideBytesMin: 16_384,
} as const
