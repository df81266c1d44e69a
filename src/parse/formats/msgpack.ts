/**
 * MessagePack. One message is one value.
 *
 *   str    a text, or {base64} where it is not UTF-8    bin   as `encoding` says
 *   int    a number, or as `bigint` says                map   an object; keys that are numbers become texts
 *   ext    {ext: type, data}, data as `encoding` says; a timestamp is a text of ISO 8601
 */
import type { decodeTimestampToTimeSpec, Decoder as MsgpackDecoder } from '@msgpack/msgpack'
import { errorText } from '../../base/error-text.ts'
import { SockpoolError } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'
import { type ByteForm, byteFormOption, byteValue } from './byte-values.ts'
import { closedOptions } from './closed-options.ts'
import type { ConfiguredFormat, Decoder, Format } from './format.ts'
import { checkMsgpack, TIMESTAMP } from './msgpack-check.ts'
import { MsgpackScanner } from './msgpack-scanner.ts'
import { decoderOfValues } from './value-text.ts'
import { type WholeForm, wholeFormOption, wholeNumber } from './whole-numbers.ts'

type Forms = { readonly bytes: ByteForm; readonly whole: WholeForm }

export const msgpack: Format = {
  name: 'msgpack',
  configure(options: unknown): ConfiguredFormat {
    const { encoding, bigint } = closedOptions('msgpack', options, ['encoding', 'bigint'])
    const forms = { bytes: byteFormOption(encoding), whole: wholeFormOption(bigint) }
    return { open: () => openMsgpack(forms) }
  },
}

async function openMsgpack(forms: Forms): Promise<Decoder> {
  const library = await import('@msgpack/msgpack')
  const { parseElementsMax, parseStringBytesMax } = LIMITS
  const decoder = new library.Decoder({
    // Texts come as bytes, of which the library's own decoder would replace some and drop a byte order mark.
    rawStrings: true,
    useBigInt64: true,
    mapKeyConverter: String,
    maxStrLength: parseStringBytesMax,
    maxBinLength: parseStringBytesMax,
    maxExtLength: parseStringBytesMax,
    maxArrayLength: parseElementsMax,
    maxMapLength: parseElementsMax,
    extensionCodec: {
      tryToEncode: () => null,
      decode: (data, type) => extensionOf(data, type, library.decodeTimestampToTimeSpec, forms.bytes),
    },
  })
  return decoderOfValues({
    cutter: saved => new MsgpackScanner(saved),
    decode: message => decode(message, decoder, forms),
  })
}

function decode(message: Buffer, decoder: MsgpackDecoder, forms: Forms): unknown {
  const binary = checkMsgpack(message)
  return new Conversion(message, binary, forms).value(decoded(message, decoder))
}

function decoded(message: Buffer, decoder: MsgpackDecoder): unknown {
  try {
    return decoder.decode(message)
  } catch (error) {
    throw new SockpoolError('PARSE_FAILED', `the input is not MessagePack: ${errorText(error)}`, {
      offset: 0,
      cause: error,
    })
  }
}

/** An extension that was made a value already. */
class Extension {
  readonly value: unknown

  constructor(value: unknown) {
    this.value = value
  }
}

/** Makes values of what the library gives, in its lists and objects. */
class Conversion {
  readonly #message: Buffer
  readonly #binary: ReadonlySet<number>
  readonly #forms: Forms

  constructor(message: Buffer, binary: ReadonlySet<number>, forms: Forms) {
    this.#message = message
    this.#binary = binary
    this.#forms = forms
  }

  value(part: unknown): unknown {
    if (typeof part === 'bigint') return wholeNumber(part, this.#forms.whole)
    if (typeof part !== 'object' || part === null) return part
    if (part instanceof Uint8Array) return this.#bytes(part)
    if (part instanceof Extension) return part.value
    if (Array.isArray(part)) {
      for (const [index, value] of part.entries()) part[index] = this.value(value)
      return part
    }
    const record = part as Record<string, unknown>
    for (const name of Object.keys(record)) record[name] = this.value(record[name])
    return record
  }

  /** Bytes of the message, where they lie in it. */
  #bytes({ byteOffset, length }: Uint8Array): unknown {
    const from = byteOffset - this.#message.byteOffset
    const bytes = this.#message.subarray(from, from + length)
    return byteValue(bytes, this.#binary.has(from) ? this.#forms.bytes : 'utf8')
  }
}

/** Milliseconds from 1970 of the farthest instants that a Date can be. */
const INSTANT_MS_MAX = 8_640_000_000_000_000

function extensionOf(
  data: Uint8Array,
  type: number,
  timeOf: typeof decodeTimestampToTimeSpec,
  form: ByteForm,
): Extension {
  if (type === TIMESTAMP) {
    const { sec, nsec } = timeOf(data)
    if (Math.abs(sec * 1_000) <= INSTANT_MS_MAX) return new Extension(instantText(sec, nsec))
  }
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.length)
  return new Extension({ ext: type, data: byteValue(bytes, form) })
}

/** As ISO 8601, with as many threes of digits behind the second as it has. */
function instantText(seconds: number, nanoseconds: number): string {
  const whole = new Date(seconds * 1_000).toISOString().replace('.000Z', '')
  const digits = String(nanoseconds)
    .padStart(9, '0')
    .replace(/(000)+$/, '')
  return digits === '' ? `${whole}Z` : `${whole}.${digits}Z`
}
