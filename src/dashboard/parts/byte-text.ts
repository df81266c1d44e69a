/** Bytes as a person types and reads them: text with escapes, and hex. */

const ESCAPES: Readonly<Record<string, string>> = { r: '\r', n: '\n', t: '\t', '0': '\0', '\\': '\\' }

export type TypedBytes =
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'fault'; readonly message: string }

/** UTF-8 of the text, in which `\r \n \t \0 \\` and `\xHH` stand for bytes. */
export function bytesOfText(text: string): TypedBytes {
  const encoder = new TextEncoder()
  const parts: Uint8Array[] = []
  for (let at = 0; at < text.length; ) {
    const next = text.indexOf('\\', at)
    const end = next === -1 ? text.length : next
    parts.push(encoder.encode(text.slice(at, end)))
    if (next === -1) break
    const hex = /^x([0-9a-f]{2})/i.exec(text.slice(next + 1, next + 4))?.[1]
    const simple = ESCAPES[text.charAt(next + 1)]
    if (hex !== undefined) parts.push(Uint8Array.of(Number.parseInt(hex, 16)))
    else if (simple !== undefined) parts.push(encoder.encode(simple))
    else return { kind: 'fault', message: `\\${text.charAt(next + 1)} is no escape; \\\\ is a backslash` }
    at = next + (hex === undefined ? 2 : 4)
  }
  return { kind: 'bytes', bytes: joined(parts) }
}

/** Pairs of hex digits; blanks and line ends between them are no matter. */
export function bytesOfHex(text: string): TypedBytes {
  const digits = text.replaceAll(/[\s,:]|0x/g, '')
  if (/[^0-9a-f]/i.test(digits)) return { kind: 'fault', message: 'only hex digits, as 0d 0a' }
  if (digits.length % 2 === 1) return { kind: 'fault', message: 'a byte has two digits, and one is missing' }
  const pairs = digits.match(/../g) ?? []
  return { kind: 'bytes', bytes: Uint8Array.from(pairs, pair => Number.parseInt(pair, 16)) }
}

export function base64OfBytes(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += String.fromCharCode(byte)
  return btoa(text)
}

export function bytesOfBase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text), character => character.charCodeAt(0))
}

/** Bytes that go on with a character of UTF-8 behind its first one, at the most. */
const CONTINUATION_MAX = 3

/** The first of them, `max` at the most: fewer where a character of UTF-8 would be cut, so that what was text still is. */
export function firstBytes(bytes: Uint8Array, max: number): Uint8Array {
  if (bytes.length <= max) return bytes
  for (let end = max; end >= Math.max(0, max - CONTINUATION_MAX); end--)
    if (((bytes[end] ?? 0) & 0xc0) !== 0x80) return bytes.subarray(0, end)
  return bytes.subarray(0, max)
}

/** What is not to be seen, or has others stand elsewhere than they are: format characters, and ends of lines. */
const UNSEEN = /[\p{Cf}\p{Zl}\p{Zp}]/u

/** Text with every byte to be seen: what is not UTF-8, or no printing character, is an escape. A line end ends a line too. */
export function textOfBytes(bytes: Uint8Array): string {
  const text = decodedText(bytes) ?? Array.from(bytes, byte => String.fromCharCode(byte)).join('')
  const isLatin = decodedText(bytes) === null
  return text.replaceAll(/[\\\p{Cc}\p{Cf}\p{Zl}\p{Zp}\u0080-\u00ff]/gu, character => {
    const code = character.codePointAt(0) ?? 0
    if (character === '\n') return '\\n\n'
    if (character === '\r') return '\\r'
    if (character === '\t') return '\\t'
    if (character === '\\') return '\\\\'
    if (isLatin || code < 0x20 || code === 0x7f) return `\\x${code.toString(16).padStart(2, '0')}`
    if (UNSEEN.test(character)) return `\\u{${code.toString(16)}}`
    return code < 0xa0 ? `\\u${code.toString(16).padStart(4, '0')}` : character
  })
}

const ROW_BYTES = 16

/** Rows of sixteen bytes: offset, hex, and the characters that print. */
export function hexOfBytes(bytes: Uint8Array): string {
  const rows: string[] = []
  for (let at = 0; at < bytes.length; at += ROW_BYTES) {
    const row = bytes.subarray(at, at + ROW_BYTES)
    const hex = Array.from(row, byte => byte.toString(16).padStart(2, '0'))
    const shown = Array.from(row, byte => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.'))
    const halves = `${hex.slice(0, 8).join(' ').padEnd(23)}  ${hex.slice(8).join(' ').padEnd(23)}`
    rows.push(`${at.toString(16).padStart(6, '0')}  ${halves}  ${shown.join('')}`)
  }
  return rows.join('\n')
}

function decodedText(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return null
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}
