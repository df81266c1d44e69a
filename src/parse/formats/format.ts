/**
 * What a format is. It knows bytes alone: no thread, no connection. The same code cuts one message out of a live
 * connection and all messages out of an input that is complete, so both agree whatever the chunks were.
 *
 *   name, options ──► configure ──► open ──► Decoder ──► cutter   where a message ends, as its bytes arrive
 *                     judged on      its                 ├► decode   the value of one message
 *                     any thread     library is          ├► text     the same as JSON text
 *                                    loaded here         └► whole    all values of a complete input, where that is more
 *
 * To add a format: one file that exports a `Format`, and its line in registry.ts.
 */
import type { TextOutput } from './text-sink.ts'

export interface Format {
  /** The name by which callers ask for it. */
  readonly name: string

  /**
   * Reads a caller's options, which are closed: nothing a format does not know may pass.
   *
   * Errors: INVALID_REQUEST with the path of each bad option.
   */
  configure(options: unknown): ConfiguredFormat
}

/** A format with its options set. */
export interface ConfiguredFormat {
  /** The path of an option that makes sense for a complete input alone; null or absent for none. */
  readonly wholeOnly?: string | null

  /**
   * Says that a small input costs no more than a small time, whatever its bytes are, and needs nothing loaded: then it may be
   * parsed on the thread that asks.
   */
  readonly inPlace?: true

  /** Loads what decoding needs, on the thread that decodes. Errors: INVALID_REQUEST for a module that is no format's. */
  open(): Decoder | Promise<Decoder>
}

/** Its own `cutter` is the one for values, which are bounded as they cost memory. */
export interface Decoder extends Cutting {
  /**
   * The value of one message that a cutter has measured. `message` is a private copy.
   *
   * Shape: the value can be structured-cloned.
   * Errors: PARSE_FAILED, PARSE_LIMIT, with `offset` in bytes from the start of the message.
   */
  decode(message: Buffer): unknown

  /** The same values as JSON text, which need not exist as values for that. */
  readonly text: TextForm

  /**
   * The values of an input that is complete, in order, where they are not those of its messages one by one: a header
   * that names what follows, a document of several parts. They are made as they are asked for.
   *
   * Errors: PARSE_FAILED, PARSE_LIMIT, with `offset` in bytes from the start of the input.
   */
  whole?(input: Buffer): Iterable<unknown>

  /**
   * For a format whose messages are JSON text as they lie: judges one as `decode` would, and leaves its value to be made
   * elsewhere. False where `JSON.parse` does not make the very value of it that `decode` does. Errors: as `decode`.
   */
  check?(message: Buffer): boolean
}

export interface Cutting {
  /** A cutter for the one message that begins with the next byte; or for its rest, as `save` left it. */
  cutter(saved?: CutterState): Cutter
}

export interface TextForm extends Cutting {
  /** Writes the JSON text of one message's value, on one line and as UTF-8. Errors: as `decode`. */
  write(message: Buffer, sink: TextOutput): void
}

/** What a cutter has seen of a message, as plain data. Only the cutter itself knows what it means. */
export type CutterState = Readonly<Record<string, number | boolean | Uint8Array>>

/** Finds the end of one message while its bytes arrive, and looks at no byte twice. */
export interface Cutter {
  /**
   * Looks at the bytes that follow those it has seen. The chunk may lie in shared memory.
   *
   * Returns the length of the message in bytes from its start, or 0 while more are needed.
   * Errors: PARSE_FAILED, PARSE_LIMIT once no byte to come could make it a message.
   */
  push(chunk: Uint8Array): number

  /**
   * The input ended after the bytes seen. Returns the message's length if they are one, 'none' if they hold no
   * message at all, 'partial' if a message was cut off.
   */
  finish(): number | 'none' | 'partial'

  /**
   * What it has seen, for a cutter on another thread that goes on with the rest of the message; null where that cannot
   * be said, and the other one begins with the message's first byte again.
   */
  save(): CutterState | null
}
