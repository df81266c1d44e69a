/**
 * The one way from a wished target to addresses that may be dialled: parse, match, resolve, classify. The
 * dialler connects to nothing but what comes out of here, as an address, and asks again for every dial. Each
 * step fails closed, and a refusal tells its caller nothing but that it is one.
 */

import type { Decision, DecisionReason, DenyReason } from '../base/egress-data.ts'
import { invariant, SockpoolError } from '../base/errors.ts'
import { LIMITS } from '../base/limits.ts'
import { type Address, parseAddress } from './address.ts'
import { cleaned, shownAddresses } from './decision.ts'
import type { EgressRules, Verdict } from './egress-rules.ts'
import { parseHost, parsePort } from './host.ts'
import type { NameResolver } from './resolver.ts'
import type { Rule } from './rule.ts'

/**
 * On whose word a target is dialled: `operator` for the exact host of a target in the config, wherever that
 * is; `rules` for what a caller asked for. `tenant` names whose share of DNS lookups it uses.
 */
export type Authority =
  | { readonly kind: 'operator' }
  | { readonly kind: 'rules'; readonly rules: EgressRules; readonly tenant?: string | undefined }

/** What is to be dialled; host and port as they came, unparsed. */
export type DialTarget = { readonly host: string; readonly port: number; readonly authority: Authority }

/** What is left to do after the steps that need no DNS. */
export type Admission =
  | {
      readonly kind: 'address'
      readonly port: number
      readonly address: Address
      readonly rule: string | null
    }
  | { readonly kind: 'name'; readonly port: number; readonly name: string; readonly rule: Rule | undefined }

/** Why the judge said no, kept beside the error that the caller sees. */
class Refusal extends Error {
  readonly reason: DecisionReason
  readonly detail: string | null
  readonly addresses: readonly Address[]

  constructor(reason: DecisionReason, detail: string | null = null, addresses: readonly Address[] = []) {
    super(reason)
    this.reason = reason
    this.detail = detail
    this.addresses = addresses
  }
}

/**
 * Judges as far as is possible without resolving: every literal, and names that no rule could open. For an
 * early answer on the thread that takes the request, and for the reuse of a connection. `onDenied` hears why it said no.
 *
 * Errors: INVALID_REQUEST (path `host` or `port`), TARGET_DENIED.
 */
export function admit(target: DialTarget, onDenied?: (reason: DecisionReason) => void): Admission {
  try {
    return admitted(target)
  } catch (error) {
    if (error instanceof Refusal) onDenied?.(error.reason)
    throw asSeen(error)
  }
}

/**
 * Whether a connection that was dialled by other rules may stay: its host, and the address that it has reached, are
 * judged by those that hold now. Errors: INVALID_REQUEST for a host that nothing can have dialled.
 */
export function stillAdmits(target: DialTarget, reached: string): boolean {
  const { authority } = target
  try {
    const admission = admitted(target)
    if (admission.kind === 'address' || authority.kind === 'operator') return true
    const address = parseAddress(reached)
    return (
      address !== undefined && authority.rules.admitsAddress(address, admission.port, admission.rule).admitted
    )
  } catch (error) {
    if (error instanceof Refusal) return false
    throw error
  }
}

/**
 * Judges a target for one dial.
 *
 * Shape: 1..16 addresses without repeats, in the order to try them; each may be dialled at `port` now, not
 *   later. For a name, all its addresses had to be admissible.
 * `record` gets the decision, once, whatever the outcome.
 * Errors: INVALID_REQUEST (path `host` or `port`), TARGET_DENIED (the same for every reason), DNS_FAILED,
 *   QUEUE_FULL, ABORTED or the signal's own error.
 */
export async function judge(
  target: DialTarget,
  resolver: NameResolver,
  signal?: AbortSignal,
  record?: (decision: Decision) => void,
): Promise<readonly Address[]> {
  const startedAt = performance.now()
  const decide = (part: Outcome): void => record?.({ ...about(target, startedAt), ...part })
  let approval: Approval
  try {
    approval = await approve(target, resolver, signal)
    invariant(approval.addresses.length > 0, `${cleaned(target.host)} is approved without an address`)
  } catch (error) {
    decide(outcomeOf(error))
    throw asSeen(error)
  }
  const { addresses, rule } = approval
  decide({ verdict: 'admitted', addresses: shownAddresses(addresses), rule, reason: null, detail: null })
  return addresses
}

type Outcome = Pick<Decision, 'verdict' | 'addresses' | 'rule' | 'reason' | 'detail'>
type Approval = { readonly addresses: readonly Address[]; readonly rule: string | null }

function admitted({ host: hostText, port: portNumber, authority }: DialTarget): Admission {
  const host = parseHost(hostText)
  const port = parsePort(portNumber)
  if (authority.kind === 'operator')
    return host.kind === 'address'
      ? { kind: 'address', port, address: host.address, rule: null }
      : { kind: 'name', port, name: host.name, rule: undefined }
  if (host.kind === 'address') {
    const rule = ruleOf(authority.rules.admitsAddress(host.address, port), [host.address])
    return { kind: 'address', port, address: host.address, rule }
  }
  const verdict = authority.rules.admitsName(host.name, port)
  if (verdict.kind === 'denied') throw new Refusal(verdict.reason)
  return { kind: 'name', port, name: host.name, rule: verdict.kind === 'named' ? verdict.rule : undefined }
}

async function approve(
  target: DialTarget,
  resolver: NameResolver,
  signal: AbortSignal | undefined,
): Promise<Approval> {
  const admission = admitted(target)
  if (admission.kind === 'address') return { addresses: [admission.address], rule: admission.rule }
  const { name, port, rule } = admission
  const { authority } = target
  if (authority.kind === 'operator') {
    const found = await resolver.resolveBySystem(name, { signal })
    return { addresses: distinct(found).slice(0, LIMITS.dnsRecordsMax), rule: null }
  }
  const found = await resolver.resolveByDns(name, { signal, tenant: authority.tenant })
  if (found.length > LIMITS.dnsRecordsMax) throw new Refusal('too_many_records', null, found)
  const addresses = distinct(found)
  const verdicts = addresses.map(address => authority.rules.admitsAddress(address, port, rule))
  const isMixed = verdicts.some(verdict => verdict.admitted)
  const rules = verdicts.map(verdict => ruleOf(verdict, addresses, isMixed))
  return { addresses, rule: rule?.text ?? rules[0] ?? null }
}

/** The rule of an admission; a denial is thrown, with the whole answer it was part of. */
function ruleOf(verdict: Verdict, addresses: readonly Address[], isMixed = false): string {
  if (verdict.admitted) return verdict.rule
  const reason: DenyReason = verdict.reason
  if (isMixed) throw new Refusal('mixed_answer', verdict.detail ?? reason, addresses)
  throw new Refusal(reason, verdict.detail ?? null, addresses)
}

function distinct(addresses: readonly Address[]): readonly Address[] {
  return [...new Map(addresses.map(address => [address.text, address])).values()]
}

function asSeen(error: unknown): unknown {
  return error instanceof Refusal
    ? new SockpoolError('TARGET_DENIED', 'The target may not be dialled')
    : error
}

function about({ host, port, authority }: DialTarget, startedAt: number): Omit<Decision, keyof Outcome> {
  return {
    authority: authority.kind,
    tenant: authority.kind === 'rules' && authority.tenant !== undefined ? cleaned(authority.tenant) : null,
    host: cleaned(host),
    port: typeof port === 'number' ? port : null,
    elapsedMs: performance.now() - startedAt,
  }
}

function outcomeOf(error: unknown): Outcome {
  const base = { rule: null, addresses: [], detail: null }
  if (error instanceof Refusal) {
    const { reason, detail } = error
    return { ...base, verdict: 'denied', addresses: shownAddresses(error.addresses), reason, detail }
  }
  if (!(error instanceof SockpoolError)) return { ...base, verdict: 'failed', reason: 'unresolved' }
  const detail = error.reason ?? error.code
  if (error.code === 'INVALID_REQUEST') return { ...base, verdict: 'denied', reason: 'malformed' }
  const isAnswer = error.code === 'DNS_FAILED' || error.code === 'QUEUE_FULL'
  return { ...base, verdict: 'failed', reason: isAnswer ? 'unresolved' : 'aborted', detail }
}
