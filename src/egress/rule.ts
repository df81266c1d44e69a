/**
 * One line of the operator's access list, `HOST[:PORTS]`. It crosses threads as its text and is parsed where
 * it is used.
 */
import { SockpoolError } from '../base/errors.ts'
import type { Address } from './address.ts'
import { Cidr } from './cidr.ts'
import { parseHost } from './host.ts'

/** What the HOST of a rule stands for; `any` (`*`) is every public address, `suffix` every name below it. */
export type RuleHost =
  | { readonly kind: 'any' }
  | { readonly kind: 'block'; readonly block: Cidr }
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'suffix'; readonly suffix: string }

/** A parsed rule. Shape: `firstPort`..`lastPort` inclusive; `text` as the operator wrote it. */
export type Rule = {
  readonly text: string
  readonly host: RuleHost
  readonly firstPort: number
  readonly lastPort: number
}

const PORT_MAX = 65_535
const PORTS = /^([1-9]\d{0,4})(?:-([1-9]\d{0,4}))?$/
const BRACKETED = /^\[([^\]]*)\](\/\d+)?(?::(.*))?$/

/**
 * Reads `HOST[:PORTS]`.
 *
 * Shape: HOST is an IP address, a CIDR block, an exact name, `*.suffix` or `*`; IPv6 stands in brackets when
 *   ports follow (`[fc00::/7]:443`). PORTS is `443`, `6000-6999` or `*`, default `*`.
 * Errors: INVALID_REQUEST that names the text and what is wrong, with the path `egress.allow`.
 */
export function parseRule(text: string): Rule {
  try {
    const [host, ports] = split(text)
    const [firstPort, lastPort] = parsePorts(ports)
    return { text, host: parseRuleHost(host), firstPort, lastPort }
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    const message = `rule ${JSON.stringify(text)}: ${why}`
    throw new SockpoolError('INVALID_REQUEST', message, {
      errors: [{ path: 'egress.allow', message }],
      cause,
    })
  }
}

/** Whether the rule is about the port. */
export function coversPort(rule: Rule, port: number): boolean {
  return rule.firstPort <= port && port <= rule.lastPort
}

/** Whether the rule names the name, exactly or by its suffix; `*` names nothing. */
export function namesName(rule: Rule, name: string): boolean {
  const { host } = rule
  if (host.kind === 'name') return host.name === name
  return host.kind === 'suffix' && name.endsWith(`.${host.suffix}`)
}

/** Whether the rule is an IP or CIDR rule that holds the address. */
export function holdsAddress(rule: Rule, address: Address): boolean {
  return rule.host.kind === 'block' && rule.host.block.contains(address)
}

function split(text: string): [host: string, ports: string | undefined] {
  const bracketed = BRACKETED.exec(text)
  if (bracketed) {
    const [, inner = '', prefix = '', ports] = bracketed
    if (!inner.includes(':')) throw new Error('only IPv6 stands in brackets')
    return [inner + prefix, ports]
  }
  // More than one colon without brackets can only be IPv6 alone; no port may be guessed from its last group.
  const [host = '', ports, ...more] = text.split(':')
  return more.length > 0 ? [text, undefined] : [host, ports]
}

function parsePorts(ports: string | undefined): [firstPort: number, lastPort: number] {
  if (ports === undefined || ports === '*') return [1, PORT_MAX]
  const match = PORTS.exec(ports)
  const first = Number(match?.[1])
  const last = Number(match?.[2] ?? match?.[1])
  if (!(first <= last && last <= PORT_MAX))
    throw new Error(`ports must be "*", a port 1..${PORT_MAX} or a range like 6000-6999`)
  return [first, last]
}

function parseRuleHost(text: string): RuleHost {
  if (text === '*') return { kind: 'any' }
  if (text.includes('/')) return { kind: 'block', block: Cidr.parse(text) }
  const isSuffix = text.startsWith('*.')
  const host = parseHost(isSuffix ? text.slice(2) : text)
  if (host.kind === 'address') {
    if (isSuffix) throw new Error('"*." is followed by a name, not by an address')
    return { kind: 'block', block: Cidr.parse(host.address.text) }
  }
  return isSuffix ? { kind: 'suffix', suffix: host.name } : { kind: 'name', name: host.name }
}
