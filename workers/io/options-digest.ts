/**
 * Names for the options of TLS, as keys of the maps that keep what was built of them. Options hold private keys, which have
 * no business in a key of a map: heap snapshots and debuggers show those, and they outlive the options.
 */
import { createHash } from 'node:crypto'
import type { TlsClient, TlsServer } from '../../src/threads/protocol.ts'

/** Digests by the very object: a listener has the same options for all its clients. */
const digests = new WeakMap<object, string>()

/** The SHA-256 of the options, in base64: equal for equal fields, in whatever order they stand. */
export function digestOf(options: TlsClient | TlsServer): string {
  const known = digests.get(options)
  if (known !== undefined) return known
  const fields = Object.entries(options).filter(([, value]) => value !== undefined)
  const text = JSON.stringify(fields.sort(([one], [other]) => (one < other ? -1 : 1)))
  const digest = createHash('sha256').update(text).digest('base64')
  digests.set(options, digest)
  return digest
}
