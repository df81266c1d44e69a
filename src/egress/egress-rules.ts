/**
 * The access list of a caller: what may be dialled (rules) and what may not whatever they say (denials).
 * Default deny. Only the thread that owns the object may change its denials; other threads get `data()` and
 * build their own. Nothing here resolves a name: it answers about a name as asked, and about an address as
 * found.
 */

import type { Denied, DenyReason, EgressRulesData } from '../base/egress-data.ts'
import { SockpoolError } from '../base/errors.ts'
import { LIMITS } from '../base/limits.ts'
import { type Address, equalAddresses, parseAddress } from './address.ts'
import { coversPort, holdsAddress, namesName, parseRule, type Rule } from './rule.ts'
import { classify, nat64Target, specialRangeOf } from './special-range.ts'

/** `rule` is the text of what admitted it, `detail` the special range's name. */
export type Verdict =
  | { readonly admitted: true; readonly rule: string }
  | { readonly admitted: false; readonly reason: DenyReason; readonly detail?: string }

/**
 * What the list says of a name: `named` by a rule (its public addresses are admitted with it), `open` (no
 * rule names it, but its addresses may be admitted one by one), or denied without asking the DNS.
 */
export type NameVerdict =
  | { readonly kind: 'named'; readonly rule: Rule }
  | { readonly kind: 'open' }
  | { readonly kind: 'denied'; readonly reason: DenyReason }

type ParsedDenied = { readonly address: Address; readonly port: number | null }

/** Suffixes that mean a private network wherever they resolve; only a rule that names them opens them. */
const PRIVATE_SUFFIXES = ['internal', 'local', 'home.arpa', 'onion', 'alt', 'invalid'] as const

export class EgressRules {
  #rules: readonly Rule[]
  #denied: readonly ParsedDenied[]

  /**
   * Errors: INVALID_REQUEST for a rule or a denied address that cannot be read, or beyond
   *   LIMITS.egressRulesMax and LIMITS.egressDeniedMax.
   */
  constructor(allow: readonly string[], denied: readonly Denied[] = []) {
    this.#rules = parseRules(allow)
    this.#denied = parseDenied(denied)
  }

  /** Replaces all rules at once; the denials stay. Errors: as the constructor, and then nothing has changed. */
  setAllow(allow: readonly string[]): void {
    this.#rules = parseRules(allow)
  }

  /** Replaces all denials at once, as when a listener opened or the interfaces changed. */
  setDenied(denied: readonly Denied[]): void {
    this.#denied = parseDenied(denied)
  }

  /** Adds one denial. */
  deny(denied: Denied): void {
    this.setDenied([...this.data().denied, denied])
  }

  data(): EgressRulesData {
    return {
      allow: this.#rules.map(rule => rule.text),
      denied: this.#denied.map(({ address, port }) => ({ address: address.text, port })),
    }
  }

  stats(): { readonly rules: number; readonly denied: number } {
    return { rules: this.#rules.length, denied: this.#denied.length }
  }

  /** Judges a name before it is resolved. */
  admitsName(name: string, port: number): NameVerdict {
    const rules = this.#rules.filter(rule => coversPort(rule, port))
    const exact = rules.find(rule => rule.host.kind === 'name' && namesName(rule, name))
    if (exact) return { kind: 'named', rule: exact }
    if (isLocalName(name)) return { kind: 'denied', reason: 'private_name' }
    const suffix = rules.find(rule => namesName(rule, name))
    if (suffix) return { kind: 'named', rule: suffix }
    if (isPrivateName(name)) return { kind: 'denied', reason: 'private_name' }
    // Without a rule about addresses no answer could help, so the name is not even asked for.
    const isOpen = rules.some(rule => rule.host.kind === 'any' || rule.host.kind === 'block')
    return isOpen ? { kind: 'open' } : { kind: 'denied', reason: 'no_rule' }
  }

  /**
   * Judges one address. `viaName` is the rule that named the host it was resolved from, if one did: it admits
   * public addresses, as `*` does. Special ones are admitted by a block inside their range alone.
   */
  admitsAddress(address: Address, port: number, viaName?: Rule): Verdict {
    if (this.#isOwnListener(address, port)) return { admitted: false, reason: 'own_listener' }
    const range = specialRangeOf(address)
    const blocks = this.#rules.filter(rule => coversPort(rule, port) && holdsAddress(rule, address))
    if (range) {
      const inside = blocks.find(rule => rule.host.kind === 'block' && range.block.covers(rule.host.block))
      if (!inside) return { admitted: false, reason: 'special_range', detail: range.name }
      // A rule that opens the gateway does not open what lies behind it.
      if (range.name === 'nat64') return this.admitsAddress(nat64Target(address), port, inside)
      return { admitted: true, rule: inside.text }
    }
    if (this.#isOwnAddress(address)) return { admitted: false, reason: 'own_address' }
    const any = this.#rules.find(rule => coversPort(rule, port) && rule.host.kind === 'any')
    const rule = viaName ?? blocks[0] ?? any
    return rule ? { admitted: true, rule: rule.text } : { admitted: false, reason: 'no_rule' }
  }

  #isOwnAddress(address: Address): boolean {
    return this.#denied.some(denied => denied.port === null && equalAddresses(denied.address, address))
  }

  #isOwnListener(address: Address, port: number): boolean {
    const listeners = this.#denied.filter(denied => denied.port === port)
    if (listeners.length === 0) return false
    // The kernel takes a dial to 0.0.0.0 or :: to the loopback interface, where any of ours may listen.
    if (isWildcard(address)) return true
    const isLocal = classify(address) === 'loopback' || this.#isOwnAddress(address)
    return listeners.some(
      denied => equalAddresses(denied.address, address) || (isWildcard(denied.address) && isLocal),
    )
  }
}

function parseRules(allow: readonly string[]): readonly Rule[] {
  if (allow.length > LIMITS.egressRulesMax)
    throw new SockpoolError('INVALID_REQUEST', `more than ${LIMITS.egressRulesMax} egress rules`)
  return allow.map(parseRule)
}

function parseDenied(denied: readonly Denied[]): readonly ParsedDenied[] {
  if (denied.length > LIMITS.egressDeniedMax)
    throw new SockpoolError('INVALID_REQUEST', `more than ${LIMITS.egressDeniedMax} denied addresses`)
  return denied.map(({ address: text, port }) => {
    const address = parseAddress(text)
    if (!address)
      throw new SockpoolError('INVALID_REQUEST', `denied address ${JSON.stringify(text)} cannot be read`)
    return { address, port }
  })
}

function isWildcard(address: Address): boolean {
  const kind = classify(address)
  return kind === 'unspecified' || kind === 'this_network'
}

/** Names whose meaning depends on the machine that asks. */
function isLocalName(name: string): boolean {
  return !name.includes('.') || name.endsWith('.localhost')
}

function isPrivateName(name: string): boolean {
  return PRIVATE_SUFFIXES.some(suffix => name === suffix || name.endsWith(`.${suffix}`))
}
