/** What a caller may write, as bytes: a string as UTF-8, bytes as they are. Errors: TypeError for anything else. */
export function toBytes(data: string | Uint8Array): Uint8Array {
  if (typeof data === 'string') return Buffer.from(data, 'utf8')
  if (data instanceof Uint8Array) return data
  throw new TypeError(`data argument must be a string or a Uint8Array, not ${typeof data}`)
}
