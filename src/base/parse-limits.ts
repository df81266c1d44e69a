/** The bounds of parses that go on beside others, and of formats. They are a part of LIMITS, by which name everybody reads them. */
import { PARSE_PROCESS_LIMITS } from './parse-process-limits.ts'
import { TEXT_FORMAT_LIMITS } from './text-format-limits.ts'

const OWN_LIMITS = {
  /** Bytes that may come out of one compressed byte; what is so small may always come out, as tiny inputs vary more. */
  parseRatioMax: 100,
  parseRatioFreeBytes: 65_536,
  /**
   * Bytes of a body that come in parts: of one part, which a thread parses in a few milliseconds and then may serve others; and
   * of what is read ahead of it, so that the next part is there when the thread is.
   */
  parsePartBytes: 262_144,
  parseAheadBytes: 524_288,
  /** Pieces in which a value that is not whole lies between two steps. */
  parsePiecesMax: 64,
  /**
   * Bytes of text after which a step ends, whatever is left of its part; of a piece of that text, which is sent at once; and
   * of the memory that such a piece begins with, so that a value of the usual size fits behind the last.
   */
  parseStepTextBytes: 262_144,
  parseTextPieceBytes: 49_152,
  parseTextRoomBytes: 61_440,
  /** Bytes that count as held for a body in parts: a part and its text, what is read ahead, what waits for the client. */
  parseStreamHeldBytes: 1_048_576,
  /**
   * Bytes of an input that is parsed where it is asked for, if its format says that it may be: so many cost the thread that
   * asks no more than their way to another one and back does, some 30 µs (test/bench/parse-in-place.ts).
   */
  parseInPlaceBytes: 1_024,
  /** Inputs that are parsed in one turn of the event loop: a fraction of a millisecond, beside which a turn costs little. */
  parseInPlacePerTurn: 16,
  /** Milliseconds after which a parse is a long one, whose progress is told, and between two times that it is. */
  parseLongMs: 1_000,
  /** Values between two times that a parse says how far it is: a store each would be felt by small values. */
  parseNoteValues: 256,
} as const

export const PARSE_LIMITS: typeof OWN_LIMITS & typeof PARSE_PROCESS_LIMITS & typeof TEXT_FORMAT_LIMITS = {
  ...OWN_LIMITS,
  ...PARSE_PROCESS_LIMITS,
  ...TEXT_FORMAT_LIMITS,
}
