/**
 * Bytes as a config file or JSON writes them: text, in which `\r \n \t \0 \\ \xNN` stand for bytes and all else is UTF-8,
 * or `{hex}` or `{base64}`. A program may hand over the bytes themselves.
 */

/** The bytes in a copy of their own, or what is wrong with the input. Costs no more than `max` bytes do. */
export function bytesFrom(input: unknown, max: number): Uint8Array | { readonly fault: string } {
  const bytes = decoded(input, max)
  if (!(bytes instanceof Uint8Array)) return { fault: bytes }
  return bytes.length >= 1 && bytes.length <= max ? bytes : { fault: `must be of 1 to ${max} bytes` }
}

const FORMS = 'must be text, {hex: …} or {base64: …}'

function decoded(input: unknown, max: number): Uint8Array | string {
  if (typeof input === 'string') return fromText(input, max)
  if (input instanceof Uint8Array) return input.length > max ? tooLong(max) : new Uint8Array(input)
  if (typeof input !== 'object' || input === null || Array.isArray(input)) return FORMS
  const [[form, text] = [], ...more] = Object.entries(input)
  if (more.length > 0 || typeof text !== 'string') return FORMS
  // More text than so many bytes can take in any form is not looked at.
  if (text.length > 4 * max) return tooLong(max)
  switch (form) {
    case 'hex':
      return /^(?:[0-9A-Fa-f]{2})*$/.test(text)
        ? copyOf(Buffer.from(text, 'hex'))
        : 'must have two hexadecimal digits for each byte'
    case 'base64':
      return /^(?:[\w+/-]{4})*(?:[\w+/-]{2}(?:==)?|[\w+/-]{3}=?)?$/.test(text)
        ? copyOf(Buffer.from(text, 'base64'))
        : 'must be base64'
    default:
      return FORMS
  }
}

const ESCAPES: Readonly<Record<string, number>> = { r: 0x0d, n: 0x0a, t: 0x09, '0': 0x00, '\\': 0x5c }

function fromText(text: string, max: number): Uint8Array | string {
  if (text.length > 4 * max) return tooLong(max)
  if (!text.isWellFormed()) return 'must be text without halves of characters'
  const parts: Uint8Array[] = []
  for (const [plain, escaped] of text.matchAll(/[^\\]+|\\(x[0-9A-Fa-f]{2}|[\s\S]?)/g)) {
    if (escaped === undefined) parts.push(Buffer.from(plain))
    else {
      const byte = escaped.length === 3 ? Number.parseInt(escaped.slice(1), 16) : ESCAPES[escaped]
      if (byte === undefined) return 'must have no escapes but \\r \\n \\t \\0 \\\\ and \\xNN'
      parts.push(Uint8Array.of(byte))
    }
  }
  return copyOf(Buffer.concat(parts))
}

function tooLong(max: number): string {
  return `must be of 1 to ${max} bytes`
}

/** In memory of its own: a small Buffer is a view of a shared one, all of which would be cloned with it. */
function copyOf(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes)
}
