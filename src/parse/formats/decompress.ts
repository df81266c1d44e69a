/**
 * One coding in front of any format: what the input was compressed with. A few bytes may stand for any number, so that the
 * bound on what comes out is kept while it comes, and one coding is all there is: none is looked for in what comes out.
 */
import {
  type BrotliDecompress,
  brotliDecompressSync,
  type Gunzip,
  gunzipSync,
  type Inflate,
  inflateSync,
  type ZstdDecompress,
  zstdDecompressSync,
} from 'node:zlib'
import { errorText } from '../../base/error-text.ts'
import { SockpoolError } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'
import { choiceOption } from '../../base/options.ts'

export const CODINGS = ['gzip', 'deflate', 'br', 'zstd'] as const

export type Coding = (typeof CODINGS)[number]

/** Errors: INVALID_REQUEST. */
export function codingOption(value: unknown): Coding | null {
  return (choiceOption('options.decompress', value, CODINGS) ?? null) as Coding | null
}

/**
 * What the input was before it was compressed, of at most `bytesMax` bytes and LIMITS.parseRatioMax times the input.
 *
 * Errors: PARSE_LIMIT; PARSE_FAILED for what is not that coding, is cut off, or has more behind its end. `offset`: bytes of
 *   the input that were taken in until then.
 */
export function decompress(coding: Coding, input: Buffer, bytesMax: number): Buffer {
  const most = Math.min(bytesMax, Math.max(input.length * LIMITS.parseRatioMax, LIMITS.parseRatioFreeBytes))
  const { buffer, engine } = inflated(coding, input, most)
  const { bytesWritten } = engine
  if (bytesWritten < input.length)
    throw new SockpoolError('PARSE_FAILED', `bytes follow the end of the ${coding} input`, {
      offset: bytesWritten,
    })
  return buffer
}

/** What zlib gives where it is asked for its engine too, which the types do not know. */
type Inflated = {
  readonly buffer: Buffer
  readonly engine: Gunzip | Inflate | BrotliDecompress | ZstdDecompress
}

const DECODERS = {
  gzip: gunzipSync,
  deflate: inflateSync,
  br: brotliDecompressSync,
  zstd: zstdDecompressSync,
} as const

function inflated(coding: Coding, input: Buffer, maxOutputLength: number): Inflated {
  try {
    return DECODERS[coding](input, { maxOutputLength, info: true }) as unknown as Inflated
  } catch (error) {
    if (error instanceof RangeError && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE')
      throw new SockpoolError('PARSE_LIMIT', `the ${coding} input holds more than ${maxOutputLength} bytes`, {
        offset: input.length,
        cause: error,
      })
    throw new SockpoolError('PARSE_FAILED', `the input is not whole ${coding}: ${errorText(error)}`, {
      offset: 0,
      cause: error,
    })
  }
}
