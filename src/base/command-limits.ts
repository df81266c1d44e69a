/** The bounds of what the command draws and asks for beside its call. They are a part of LIMITS, by which name everybody reads them. */
export const COMMAND_LIMITS = {
  /** Milliseconds between two looks of `top`: below the first the looks cost more than they tell. */
  topIntervalMinMs: 100,
  topIntervalMaxMs: 3_600_000,
  /** Milliseconds that one look may take; a service that is slower is told as one that does not answer. */
  topLookMs: 5_000,
  /** Milliseconds that a completion waits for a service: who presses TAB waits for it. */
  completionAskMs: 300,
  /** Words that a completion offers: a shell lists no more without asking. */
  completionWordsMax: 1_000,
  /** Milliseconds between two drawings of a progress line, and until the first: what is over by then needs none. */
  progressDrawMs: 100,
  progressDelayMs: 250,
  /** Columns that a terminal is taken for that does not say how wide it is, and lines. */
  terminalColumns: 80,
  terminalRows: 24,
  /** Bytes of a body that are handed to the socket at a time, so that it can be told how far it is. */
  callPieceBytes: 65_536,
} as const
