/** A target as JSON has it. What the service does not take of a described one it names in its error. */
import type { AdHocTarget } from '../pool/target/target-pools.ts'

export function wireTarget(target: string | AdHocTarget): unknown {
  if (typeof target === 'string' || typeof target !== 'object' || target === null) return target
  return plain(target)
}

/** PEM in bytes is text all the same. */
function plain(value: object): object {
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, field]) => field !== undefined)
      .map(([key, field]) => [key, plainField(field)]),
  )
}

function plainField(field: unknown): unknown {
  if (field instanceof Uint8Array) return new TextDecoder().decode(field)
  return typeof field === 'object' && field !== null && !Array.isArray(field) ? plain(field) : field
}
