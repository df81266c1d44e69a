/** Bytes as text in JSON and in query strings, in both directions, without the loss of a byte. */
import { isUtf8 } from 'node:buffer'
import { setImmediate } from 'node:timers/promises'
import { type TUnsafe, Type } from 'typebox'
import { LIMITS } from '../../base/limits.ts'
import { invalidField } from '../problems.ts'

export type ByteEncoding = 'utf8' | 'base64' | 'hex'

export const ByteEncodingSchema: TUnsafe<ByteEncoding> = Type.Unsafe<ByteEncoding>({
  type: 'string',
  enum: ['utf8', 'base64', 'hex'],
  description: 'How bytes are spelled as text.',
})

/**
 * The bytes that a text stands for. base64 may use either alphabet, with or without padding.
 *
 * Errors: INVALID_REQUEST at `path` for text that the encoding does not allow, and for a lone surrogate, which has no
 * bytes in UTF-8.
 */
export function bytesOf(text: string, encoding: ByteEncoding, path: string): Buffer {
  if (encoding === 'utf8') {
    if (!text.isWellFormed()) throw invalidField(path, 'contains a lone surrogate, which UTF-8 cannot encode')
    return Buffer.from(text, 'utf8')
  }
  const digits = encoding === 'hex' ? text : text.replace(/={1,2}$/, '')
  const bytes = Buffer.from(digits, encoding)
  const expected = encoding === 'hex' ? digits.length / 2 : Math.floor((digits.length * 3) / 4)
  // Node stops at the first bad digit or skips it; either shows in the count.
  const isWhole = bytes.length === expected && (encoding === 'hex' || digits.length % 4 !== 1)
  if (!isWhole) throw invalidField(path, `is not valid ${encoding}`)
  return bytes
}

/**
 * The bytes of many texts, one after the other, in a few pieces. Between the pieces others have their turn: a million
 * texts take a second.
 *
 * Errors: as `bytesOf`, at the text's index behind `path`.
 */
export async function joinedBytes(
  texts: readonly string[],
  encoding: ByteEncoding,
  path: string,
): Promise<Buffer[]> {
  const pieces: Buffer[] = []
  for (let from = 0; from < texts.length; from += LIMITS.textsPerTurn) {
    if (from > 0) await setImmediate()
    const part = texts.slice(from, from + LIMITS.textsPerTurn)
    const whole = encoding === 'utf8' ? joinedText(part) : null
    pieces.push(
      whole === null
        ? Buffer.concat(part.map((text, at) => bytesOf(text, encoding, `${path}${from + at}`)))
        : Buffer.from(whole, 'utf8'),
    )
  }
  return pieces
}

/** Texts as one, which costs a tenth of their bytes one by one; null where one of them has a lone surrogate. */
function joinedText(texts: readonly string[]): string | null {
  const whole = texts.join('')
  // Two halves of a pair that stood in two texts look well in one.
  return whole.isWellFormed() && !texts.some(endsInHalf) ? whole : null
}

function endsInHalf(text: string): boolean {
  return (text.charCodeAt(text.length - 1) & 0xfc00) === 0xd800
}

/**
 * Bytes as text, with the encoding that was used.
 *
 * Default: utf8 where the bytes are valid UTF-8, else base64. A wish for utf8 does not change that: the bytes have left
 * the stream, and replacement characters would lose them.
 */
export function textOf(
  bytes: Buffer,
  wish: ByteEncoding | undefined,
): { data: string; encoding: ByteEncoding } {
  const encoding = wish ?? 'utf8'
  const used = encoding === 'utf8' && !isUtf8(bytes) ? 'base64' : encoding
  return { data: bytes.toString(used), encoding: used }
}
