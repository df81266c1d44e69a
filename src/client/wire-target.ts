/** A target as JSON has it. What the service does not take of a described one it names in its error. */
import type { AdHocTarget } from '../pool/target/target-pools.ts'

export function wireTarget(target: string | AdHocTarget): unknown {
  return typeof target === 'object' && target !== null ? plainOptions(target) : target
}

/** What is said of TLS too: PEM in bytes is text all the same. */
export function plainOptions(value: object): object {
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, field]) => field !== undefined)
      .map(([key, field]) => [key, plainField(field)]),
  )
}

function plainField(field: unknown): unknown {
  if (field instanceof Uint8Array) return new TextDecoder().decode(field)
  return typeof field === 'object' && field !== null && !Array.isArray(field) ? plainOptions(field) : field
}
