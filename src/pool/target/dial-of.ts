/**
 * From a target to the struct that an I/O worker dials, and to the key under which its connections are pooled. The
 * key is the whole struct, and the tenant: two callers share a connection only if nothing that shapes it differs.
 */
import { createHash } from 'node:crypto'
import type { Target } from '../../config/target.ts'
import type { Dial } from '../../threads/protocol.ts'
import { dialogOf, onConnectOf, startsTls } from './dialog-of.ts'

export function dialOf(target: Target, authority: Dial['authority'], tenant: string): Dial {
  const { hosts, tls, onConnect, onRelease, probe, frame, reuse } = target
  const options = tls === false ? {} : { ...tls }
  return {
    places: hosts.map(({ host, port }) => ({ host, port })),
    // Where a step starts TLS, the target's options are for that.
    tls: tls === false || startsTls(onConnect) ? null : options,
    authority,
    tenant,
    onConnect: onConnectOf(onConnect, options),
    onRelease: dialogOf(onRelease),
    ...(probe && { probe: dialogOf(probe) }),
    ...(frame && { frame, isCounted: reuse === 'clean' }),
  }
}

/** SHA-256 over the struct with its keys in order; spelling of a host that means nothing does not count. */
export function keyOf(dial: Dial): string {
  const places = dial.places.map(({ host, port }) => ({ host: plainHost(host), port }))
  return createHash('sha256')
    .update(canonical({ ...dial, places }))
    .digest('base64url')
}

/** The names of interfaces are told apart by case; all else of a host is not. */
function plainHost(host: string): string {
  const [address = '', ...zone] = host.split('%')
  return [address.toLowerCase().replace(/\.$/, ''), ...zone].join('%')
}

function canonical(value: unknown): string {
  // Told from a text that is spelt the same.
  if (value instanceof Uint8Array) return `<${Buffer.from(value).toString('base64')}>`
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  const entries = Object.entries(value).filter(([, own]) => own !== undefined)
  const sorted = entries.sort(([one], [other]) => (one < other ? -1 : 1))
  return `{${sorted.map(([key, own]) => `${JSON.stringify(key)}:${canonical(own)}`).join()}}`
}
