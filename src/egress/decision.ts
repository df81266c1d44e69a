/**
 * The record of one judgement, for logs and metrics. The caller of the service never sees it: to them every
 * refusal looks alike. It holds no control character and nothing beyond its bounds, whatever was asked for.
 */
import type { Address } from './address.ts'
import type { DenyReason } from './egress-rules.ts'

export type DecisionReason = DenyReason | 'mixed_answer' | 'malformed' | 'unresolved' | 'aborted'

/**
 * Shape: `host` cleaned and cut; `addresses` at most the first 16, as text; `rule` the admitting rule's text
 *   or null; `reason` null where admitted; `detail` the special range or the DNS reason or null.
 * Units: milliseconds.
 */
export type Decision = {
  readonly verdict: 'admitted' | 'denied' | 'failed'
  readonly authority: 'operator' | 'rules'
  readonly tenant: string | null
  readonly host: string
  readonly port: number | null
  readonly addresses: readonly string[]
  readonly rule: string | null
  readonly reason: DecisionReason | null
  readonly detail: string | null
  readonly elapsedMs: number
}

const TEXT_MAX = 255
const ADDRESSES_MAX = 16

/** A text as a log may hold it: printable ASCII, the rest as `?`, cut to 255 characters. */
export function cleaned(value: unknown): string {
  if (typeof value !== 'string') return `(${value === null ? 'null' : typeof value})`
  return value.slice(0, TEXT_MAX).replace(/[^\x20-\x7e]/g, '?')
}

/** The texts of the addresses that a record shows. */
export function shownAddresses(addresses: readonly Address[]): readonly string[] {
  return addresses.slice(0, ADDRESSES_MAX).map(({ text }) => text)
}
