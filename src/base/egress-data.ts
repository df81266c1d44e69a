/**
 * What egress rules are made of and what they decide, as plain data: it crosses threads and goes into logs. The rules
 * themselves are in egress/.
 */

/**
 * Something of our own that must not be dialled.
 *
 * `port` of an own listener: it is denied there, always; a wildcard address (0.0.0.0, ::) stands for every
 * loopback and local address. `port: null` for a local interface address: every port is denied, unless the
 * address is special (loopback, private) and a rule inside that special range admits it.
 */
export type Denied = { readonly address: string; readonly port: number | null }

/** An access list as plain data. */
export type EgressRulesData = { readonly allow: readonly string[]; readonly denied: readonly Denied[] }

const DENY_REASONS = [
  'no_rule',
  'own_listener',
  'own_address',
  'special_range',
  'private_name',
  'too_many_records',
] as const

/** Why rules denied an address. */
export type DenyReason = (typeof DENY_REASONS)[number]

export type DecisionReason = DenyReason | 'mixed_answer' | 'malformed' | 'unresolved' | 'aborted'

/** Why a dial may be refused, rather than fail. */
export const DENIED_REASONS: readonly DecisionReason[] = [...DENY_REASONS, 'mixed_answer', 'malformed']

/**
 * The record of one judgement of the egress rules, for logs and metrics.
 *
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

/** What a name is: addresses as text, the families that answered at all, and for how many milliseconds; null: nobody said. */
export type NameAnswer = {
  readonly addresses: readonly string[]
  readonly families: readonly (4 | 6)[]
  readonly ttlMs: number | null
}
