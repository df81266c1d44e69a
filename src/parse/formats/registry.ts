/** All formats by their names, and what every format is asked in the same way. */
import { SockpoolError } from '../../base/errors.ts'
import { invalidOption } from '../../base/options.ts'
import { csv } from './csv.ts'
import { type Coding, codingOption } from './decompress.ts'
import type { ConfiguredFormat, Format } from './format.ts'
import { http1 } from './http1.ts'
import { json } from './json.ts'
import { lengthPrefixed } from './length-prefixed.ts'
import { lines } from './lines.ts'
import { memcached } from './memcached.ts'
import { moduleFormat } from './module-format.ts'
import { msgpack } from './msgpack.ts'
import { ndjson } from './ndjson.ts'
import { protobuf } from './protobuf.ts'
import { resp } from './resp.ts'
import { smtp } from './smtp.ts'
import { xml } from './xml.ts'

const FORMATS: ReadonlyMap<string, Format> = new Map(
  [
    ...[csv, http1, json, lengthPrefixed(knownFormat), lines, memcached],
    ...[msgpack, ndjson, protobuf, resp, smtp, xml],
  ].map(format => [format.name, format]),
)

/** A format of our own by its name, or another's by its module's `file:` URL. Plain data. */
export type FormatRef = string | { readonly name: string; readonly module: string }

/** The names that `findFormat` knows. */
export const FORMAT_NAMES: readonly string[] = [...FORMATS.keys()]

function knownFormat(name: string): Format | null {
  return FORMATS.get(name) ?? null
}

/** Errors: FORMAT_NOT_FOUND. */
export function findFormat(ref: FormatRef): Format {
  if (typeof ref === 'object') return moduleFormat(ref.name, ref.module)
  const format = FORMATS.get(ref)
  if (format) return format
  throw new SockpoolError(
    'FORMAT_NOT_FOUND',
    `there is no format of this name; known: ${FORMAT_NAMES.join(', ')}`,
  )
}

/** How a complete input is taken in: what it was compressed with, then its format. */
export type InputFormat = { readonly coding: Coding | null; readonly format: ConfiguredFormat }

/** Judges a format and its options for a complete input. Errors: FORMAT_NOT_FOUND, INVALID_REQUEST. */
export function configureInput(ref: FormatRef, options: unknown): InputFormat {
  const format = findFormat(ref)
  if (typeof options !== 'object' || options === null || Array.isArray(options))
    return { coding: null, format: format.configure(options) }
  const { decompress, ...own } = options as { readonly decompress?: unknown }
  return { coding: codingOption(decompress), format: format.configure(own) }
}

/** As `configureInput`, for messages of a live connection. */
export function configureMessages(ref: FormatRef, options: unknown): ConfiguredFormat {
  const { coding, format } = configureInput(ref, options)
  const path = coding === null ? format.wholeOnly : 'options.decompress'
  if (path) throw invalidOption(path, 'is for inputs that are complete; a connection has no end yet')
  return format
}

/** As `configureInput`, for an input that comes in parts, and has an end. */
export function configureParts(ref: FormatRef, options: unknown): ConfiguredFormat {
  const { coding, format } = configureInput(ref, options)
  if (coding === null) return format
  throw invalidOption('options.decompress', 'is for inputs that are complete, and not for parts of one')
}
