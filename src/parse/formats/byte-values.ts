/** Bytes within a value, as the caller wishes them: protocols carry bytes where values have texts. */
import { isUtf8 } from 'node:buffer'
import { choiceOption } from '../../base/options.ts'

/**
 * `utf8`: a text, or `{base64}` where the bytes are none. `base64`, `hex`: a text always. `bytes`: a Uint8Array, which is
 * base64 in an answer of JSON.
 */
export const BYTE_FORMS = ['utf8', 'base64', 'hex', 'bytes'] as const

export type ByteForm = (typeof BYTE_FORMS)[number]

/** The form that an option `encoding` asks for; default utf8. Errors: INVALID_REQUEST. */
export function byteFormOption(value: unknown): ByteForm {
  return (choiceOption('options.encoding', value, BYTE_FORMS) ?? 'utf8') as ByteForm
}

/** A copy of the bytes as the form has it. */
export function byteValue(bytes: Buffer, form: ByteForm): unknown {
  if (form === 'bytes') return new Uint8Array(bytes)
  if (form === 'utf8' && !isUtf8(bytes)) return { base64: bytes.toString('base64') }
  return bytes.toString(form)
}
