import { isUtf8 } from 'node:buffer'
import { SockpoolError } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'

/** U+FEFF in UTF-8, which may stand before a text and is no part of it. */
export const BYTE_ORDER_MARK: Buffer = Buffer.from([0xef, 0xbb, 0xbf])

/** Bytes of the byte order mark before a text in UTF-8. */
export function markLength(text: Buffer): number {
  return text[0] === BYTE_ORDER_MARK[0] ? BYTE_ORDER_MARK.length : 0
}

/**
 * The text of UTF-8 bytes. Nothing is replaced and no byte order mark is dropped.
 *
 * Errors: PARSE_FAILED with the offset of the first byte that is not UTF-8; PARSE_LIMIT for more than a string can hold.
 */
export function utf8Text(bytes: Buffer): string {
  assertUtf8(bytes)
  const most = LIMITS.parseStringBytesMax
  if (bytes.length > most)
    throw new SockpoolError('PARSE_LIMIT', `a text is longer than ${most} bytes`, { offset: most })
  return bytes.toString('utf8')
}

/** Errors: PARSE_FAILED with the offset of the first byte that is not UTF-8. */
export function assertUtf8(bytes: Buffer): void {
  if (isUtf8(bytes)) return
  throw new SockpoolError('PARSE_FAILED', 'the bytes are not valid UTF-8', {
    offset: firstInvalid(bytes, bytes.toString('utf8')),
  })
}

const REPLACEMENT = '\ufffd'
const REPLACEMENT_BYTES = Buffer.from(REPLACEMENT)

/** The decoder put U+FFFD for the first bad sequence; one that stands in the bytes themselves is passed over. */
function firstInvalid(bytes: Buffer, text: string): number {
  let offset = 0
  let from = 0
  for (let at = text.indexOf(REPLACEMENT); at !== -1; at = text.indexOf(REPLACEMENT, from)) {
    offset += Buffer.byteLength(text.slice(from, at))
    const own = bytes.subarray(offset, offset + REPLACEMENT_BYTES.length)
    if (!own.equals(REPLACEMENT_BYTES)) break
    offset += REPLACEMENT_BYTES.length
    from = at + 1
  }
  return offset
}
