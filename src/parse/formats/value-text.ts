/**
 * Values as JSON text, for formats whose messages are no JSON. What JSON has no form for is written as what it would
 * be in a text: bytes as base64, a large whole number as its digits, what is no finite number by its name.
 */
import type { Cutting, Decoder, TextForm } from './format.ts'

/** A decoder whose text is that of its values. */
export function decoderOfValues(format: Pick<Decoder, 'cutter' | 'decode' | 'whole'>): Decoder {
  return { ...format, text: textOfValues(format) }
}

/** The text of what `decode` makes of a message. */
export function textOfValues(format: Cutting & { readonly decode: (message: Buffer) => unknown }): TextForm {
  return {
    cutter: saved => format.cutter(saved),
    write: (message, sink) => sink.text(jsonText(format.decode(message))),
  }
}

/** On one line. A value that is absent is null. */
export function jsonText(value: unknown): string {
  return JSON.stringify(value, (_name, part: unknown) => writable(part)) ?? 'null'
}

function writable(part: unknown): unknown {
  if (typeof part === 'bigint') return part.toString()
  if (typeof part === 'number' && !Number.isFinite(part)) return String(part)
  if (part instanceof Uint8Array)
    return Buffer.from(part.buffer, part.byteOffset, part.length).toString('base64')
  return part
}
