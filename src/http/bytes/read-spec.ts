/**
 * How one reply ends, in its three spellings: `until:SEP` in a query string, the same text in JSON, and
 * `{"until": ["SEP"]}`. Every error names the field `read`.
 */
import { type TSchema, Type } from 'typebox'
import { LIMITS } from '../../base/limits.ts'
import { judgeFrame } from '../../frames/judge-frame.ts'
import type { ReadSpec } from '../../pool/lease/exchange.ts'
import { parseSeparators } from '../../streams/reading/separator-search.ts'
import { invalidField } from '../problems.ts'
import { type ByteEncoding, bytesOf } from './byte-text.ts'

const EXPECTED = 'must be line, until:SEP, exactly:N, eof, none, frame, frame:NAME or frames:N'

export const READ_WORDS = 'line · until:SEP · exactly:N · eof · none · frame · frame:NAME · frames:N'

/** The JSON spellings. The schema admits more than is valid, so that `parseReadSpec` says what is wrong. */
export const ReadSpecSchema: TSchema = Type.Union(
  [
    Type.String({ minLength: 1, description: READ_WORDS }),
    Type.Object(
      {
        line: Type.Optional(Type.Literal(true)),
        until: Type.Optional(Type.Union([Type.String(), Type.Array(Type.String())])),
        exactly: Type.Optional(Type.Integer({ minimum: 0 })),
        eof: Type.Optional(Type.Literal(true)),
        none: Type.Optional(Type.Literal(true)),
        frame: Type.Optional(
          Type.Unknown({
            description:
              'One message: of the target’s own frame (true), or of the one that is named or described.',
          }),
        ),
        frames: Type.Optional(
          Type.Integer({
            minimum: 1,
            maximum: LIMITS.exchangeMessagesMax,
            description: 'So many messages of the target’s own frame, together.',
          }),
        ),
      },
      { additionalProperties: false, minProperties: 1, maxProperties: 1 },
    ),
  ],
  { description: 'How the reply ends.' },
)

export interface ReadSpecOptions {
  /** How the separators are spelled. */
  readonly separatorEncoding: ByteEncoding
  /** The most bytes that `exactly` may ask for. */
  readonly bytesMax: number
}

/**
 * What a spelling means.
 *
 * Errors: INVALID_REQUEST at `read` for an unknown spelling, for a count that is not a number or is too large, and for a
 * frame that is none, or loads a module; INVALID_SEPARATOR for separators that are empty, too long or too many.
 */
export function parseReadSpec(spec: unknown, options: ReadSpecOptions): ReadSpec {
  return typeof spec === 'string' ? fromText(spec, options) : fromObject(spec as ReadSpecObject, options)
}

interface ReadSpecObject {
  readonly line?: true
  readonly until?: string | readonly string[]
  readonly exactly?: number
  readonly eof?: true
  readonly none?: true
  readonly frame?: unknown
  readonly frames?: number
}

function fromText(spec: string, options: ReadSpecOptions): ReadSpec {
  if (spec === 'line') return { line: true }
  if (spec === 'eof') return { eof: true }
  if (spec === 'none') return { none: true }
  if (spec === 'frame') return { frame: true }
  if (spec.startsWith('frame:')) return frame(spec.slice('frame:'.length), 'read')
  if (spec.startsWith('until:')) return until([spec.slice('until:'.length)], options)
  const count = /^exactly:(\d{1,15})$/.exec(spec)?.[1]
  if (count !== undefined) return exactly(Number(count), options)
  const messages = /^frames:(\d{1,15})$/.exec(spec)?.[1]
  if (messages !== undefined) return frames(Number(messages))
  throw invalidField('read', EXPECTED)
}

function fromObject(spec: ReadSpecObject, options: ReadSpecOptions): ReadSpec {
  if (spec.line) return { line: true }
  if (spec.eof) return { eof: true }
  if (spec.none) return { none: true }
  if (spec.until !== undefined)
    return until(typeof spec.until === 'string' ? [spec.until] : spec.until, options)
  if (spec.exactly !== undefined) return exactly(spec.exactly, options)
  if (spec.frames !== undefined) return frames(spec.frames)
  if (spec.frame === true) return { frame: true }
  if (spec.frame !== undefined) return frame(spec.frame, 'read.frame')
  throw invalidField('read', EXPECTED)
}

function until(separators: readonly string[], { separatorEncoding }: ReadSpecOptions): ReadSpec {
  return { until: parseSeparators(separators.map(text => bytesOf(text, separatorEncoding, 'read'))) }
}

function exactly(count: number, { bytesMax }: ReadSpecOptions): ReadSpec {
  if (count > bytesMax) throw invalidField('read', `exactly must be at most ${bytesMax}`)
  return { exactly: count }
}

function frame(input: unknown, path: string): ReadSpec {
  return { frame: judgeFrame(input, path, 'caller') }
}

function frames(count: number): ReadSpec {
  const { exchangeMessagesMax: most } = LIMITS
  if (count < 1 || count > most) throw invalidField('read', `frames must be from 1 to ${most}`)
  return { frames: count }
}
