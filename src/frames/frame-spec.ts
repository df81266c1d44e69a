/**
 * What names a frame: plain data that can be cloned into another thread, closed and with every default filled in.
 * `judgeFrame` makes it of what somebody wrote, `loadFrame` makes the frame of it.
 */
import { DEFAULTS } from '../base/defaults.ts'

/** Frames that go by a name; the others are described by an object. */
export const FRAME_NAMES = [
  'line',
  'crlf',
  'resp',
  'memcached',
  'http1',
  'smtp',
  'postgres',
  'mllp',
  'modbus',
  'dns',
  'iso8583',
] as const

/** Each of their requests belongs to a conversation, which cannot be shared. */
export const FRAMES_UNSHARED: readonly FrameName[] = ['smtp', 'postgres']

export type FrameName = (typeof FRAME_NAMES)[number]

export const FIELD_ENDIANS = ['big', 'little'] as const
export const FIELD_ENCODINGS = ['binary', 'ascii', 'bcd'] as const

export type LengthField = {
  /** Bytes before the field. */
  readonly offset: number
  /** Bytes of the field, 1 to 8. */
  readonly bytes: number
  /** The order of its bytes, whatever each of them means. */
  readonly endian: (typeof FIELD_ENDIANS)[number]
  /** What a byte means: 8 bits of an unsigned number, one decimal digit, or two. */
  readonly encoding: (typeof FIELD_ENCODINGS)[number]
  /** Added to what the field says. */
  readonly adjust: number
  /** Whether the field counts itself and what stands before it. */
  readonly includesHeader: boolean
  /** Bytes of the longest message. */
  readonly max: number
}

/** What a length field is where nothing else is said. */
export const LENGTH_FIELD: LengthField = {
  offset: 0,
  bytes: 4,
  endian: 'big',
  encoding: 'binary',
  adjust: 0,
  includesHeader: false,
  max: DEFAULTS.frameBytesMax,
}

/** What stands at the beginning and at the end of a message, which includes both. */
export type Marks = { readonly start: Uint8Array; readonly end: Uint8Array }

/** A frame that another thread need not load. */
export type BuiltInSpec =
  | FrameName
  | { readonly lengthField: LengthField }
  /** Bytes: the mark at the end of a message that may begin with anything. `max`: bytes of the longest message. */
  | { readonly delimiter: Uint8Array | Marks; readonly max: number }
  /** Bytes of each message. */
  | { readonly fixed: number }

/** `module`: the `file:` URL of a module that exports `endOf`. */
export type FrameSpec = BuiltInSpec | { readonly module: string }
