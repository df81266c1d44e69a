/**
 * Messages behind their length. Which bytes say it, and how, is told as for the frame `lengthField`, or is a varint; what
 * comes back is the body alone, as bytes in one form or as the one value that another format makes of it.
 */
import { DEFAULTS } from '../../base/defaults.ts'
import { SockpoolError } from '../../base/errors.ts'
import { countOption, flagOption, invalidOption } from '../../base/options.ts'
import { LENGTH_FIELD, type LengthField } from '../../frames/frame-spec.ts'
import { judgeFrame } from '../../frames/judge-frame.ts'
import { lengthFieldFrame } from '../../frames/length-field.ts'
import { BYTE_FORMS, type ByteForm, byteValue } from './byte-values.ts'
import { closedOptions } from './closed-options.ts'
import { decodeAll, shifted } from './decode-all.ts'
import type { ConfiguredFormat, Cutting, Decoder, Format } from './format.ts'
import { FrameCutter } from './frame-cutter.ts'
import { decoderOfValues } from './value-text.ts'
import { VarintCutter, varintBytes } from './varint-cutter.ts'

const NAME = 'length-prefixed'
const FIELD_NAMES = Object.keys(LENGTH_FIELD) as (keyof LengthField)[]
const NAMES = [...FIELD_NAMES, 'varint', 'payload', 'header'] as const

type Options = Partial<Record<(typeof NAMES)[number], unknown>>

/** How a message is cut, and how many bytes stand before its body. */
type Prefix = { readonly cutter: Cutting['cutter']; readonly headerBytes: (message: Buffer) => number }

/** The value of a body. Errors: PARSE_FAILED, PARSE_LIMIT, with `offset` from its start. */
type ReadBody = (body: Buffer) => unknown

/** The format. `find`: a format that a body may have; null where there is none of the name. */
export function lengthPrefixed(find: (name: string) => Format | null): Format {
  return {
    name: NAME,
    configure(input: unknown): ConfiguredFormat {
      const options: Options = closedOptions(NAME, input, NAMES)
      const prefix = options.varint === true ? varintPrefix(options) : fieldPrefix(options)
      flagOption('options.varint', options.varint)
      const keepsHeader = flagOption('options.header', options.header) === true
      const body = bodyOption(options.payload, find)
      const decoderOf = (read: ReadBody): Decoder =>
        decoderOfValues({
          cutter: prefix.cutter,
          decode: message => bodyValue(message, prefix.headerBytes(message), read, keepsHeader),
        })
      if (typeof body === 'string') {
        const decoder = decoderOf(bytes => byteValue(bytes, body))
        return { open: () => decoder }
      }
      return {
        open: async () => {
          const inner = await body.open()
          return decoderOf(bytes => onlyValue(inner, bytes))
        },
      }
    },
  }
}

function bodyValue(message: Buffer, headerBytes: number, read: ReadBody, keepsHeader: boolean): unknown {
  try {
    const value = read(message.subarray(headerBytes))
    return keepsHeader ? { header: message.toString('hex', 0, headerBytes), payload: value } : value
  } catch (error) {
    throw shifted(error, headerBytes)
  }
}

/** Errors: PARSE_FAILED for a body that is not exactly one value. */
function onlyValue(decoder: Decoder, body: Buffer): unknown {
  const values = decodeAll(decoder, body)
  if (values.length === 1) return values[0]
  throw new SockpoolError('PARSE_FAILED', `a payload holds ${values.length} values instead of one`, {
    offset: 0,
  })
}

function fieldPrefix(options: Options): Prefix {
  const given = FIELD_NAMES.filter(name => options[name] !== undefined)
  const lengthField = Object.fromEntries(given.map(name => [name, options[name]]))
  const spec = atPath('options.lengthField', 'options', () =>
    judgeFrame({ lengthField }, 'options', 'caller'),
  )
  const field = typeof spec === 'object' && 'lengthField' in spec ? spec.lengthField : LENGTH_FIELD
  const frame = lengthFieldFrame(field)
  const headerBytes = field.offset + field.bytes
  return { cutter: () => new FrameCutter(frame.answers()), headerBytes: () => headerBytes }
}

function varintPrefix(options: Options): Prefix {
  const other = FIELD_NAMES.find(name => name !== 'max' && options[name] !== undefined)
  if (other) throw invalidOption(`options.${other}`, 'is not for a length that is a varint')
  const max = Number(
    countOption('options.max', options.max ?? DEFAULTS.frameBytesMax, 1, DEFAULTS.frameBytesMax),
  )
  return { cutter: saved => new VarintCutter(max, saved), headerBytes: varintBytes }
}

/** The form of a body's bytes, or its format. */
function bodyOption(value: unknown, find: (name: string) => Format | null): ByteForm | ConfiguredFormat {
  const form = BYTE_FORMS.find(known => known === (value ?? 'utf8'))
  if (form) return form
  const { format: name, options } =
    typeof value === 'string'
      ? { format: value, options: undefined }
      : atPath('options', 'options.payload', () => closedOptions(NAME, value, ['format', 'options']))
  const format = typeof name === 'string' && name !== NAME ? find(name) : null
  if (format) return atPath('options', 'options.payload.options', () => format.configure(options))
  throw invalidOption('options.payload', `must be one of ${BYTE_FORMS.join(', ')}, or another format`)
}

/** Names what is wrong by where the caller wrote it. */
function atPath<T>(from: string, to: string, judge: () => T): T {
  try {
    return judge()
  } catch (error) {
    if (!(error instanceof SockpoolError) || error.errors === undefined) throw error
    const moved = (text: string): string => (text.startsWith(from) ? to + text.slice(from.length) : text)
    const errors = error.errors.map(({ path, message }) => ({ path: moved(path), message }))
    throw new SockpoolError(error.code, moved(error.message), { errors, cause: error })
  }
}
