/** What a program says to a service, as JSON has it: bytes of marks as base64, a URL as its text. */
export function plainJson(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, spelt) ?? 'null')
}

function spelt(this: unknown, key: string, value: unknown): unknown {
  // A Buffer has become an object before it comes here.
  const own = (this as Readonly<Record<string, unknown>>)[key]
  if (own instanceof URL) return own.href
  return own instanceof Uint8Array ? { base64: asBase64(own) } : value
}

export function asBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64')
}
