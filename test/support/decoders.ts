/** Decoders of formats, without a thread. */
import type { Decoder } from '../../src/parse/formats/format.ts'
import { findFormat } from '../../src/parse/formats/registry.ts'

/** Of a format that needs no library. */
export function decoderOf(name: string, options: unknown = {}): Decoder {
  const decoder = findFormat(name).configure(options).open()
  if (decoder instanceof Promise) throw new Error(`${name} loads a library`)
  return decoder
}

export async function openDecoder(name: string, options: unknown = {}): Promise<Decoder> {
  return findFormat(name).configure(options).open()
}
