/**
 * From a target to the struct that an I/O worker dials, and to the key under which its connections are pooled. The
 * key is the whole struct, and the tenant: two callers share a connection only if nothing that shapes it differs.
 */
import { createHash } from 'node:crypto'
import type { Target, TextStep } from '../../config/target.ts'
import type { Dial, Dialog } from '../../threads/protocol.ts'

export function dialOf(target: Target, authority: Dial['authority'], tenant: string): Dial {
  const { hosts, tls } = target
  return {
    places: hosts.map(({ host, port }) => ({ host, port })),
    tls: tls === false ? null : { ...tls },
    authority,
    tenant,
    onConnect: dialogOf(target.onConnect),
    onRelease: dialogOf(target.onRelease),
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

function dialogOf(steps: readonly TextStep[] = []): Dialog {
  return steps.map(step =>
    step.send === undefined ? { expect: Buffer.from(step.expect) } : { send: Buffer.from(step.send) },
  )
}

function canonical(value: unknown): string {
  if (value instanceof Uint8Array) return canonical(Buffer.from(value).toString('base64'))
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  const entries = Object.entries(value).filter(([, own]) => own !== undefined)
  const sorted = entries.sort(([one], [other]) => (one < other ? -1 : 1))
  return `{${sorted.map(([key, own]) => `${JSON.stringify(key)}:${canonical(own)}`).join()}}`
}
