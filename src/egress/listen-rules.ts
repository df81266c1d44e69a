/**
 * Where callers may have this service listen. Default: nowhere. Like the rules of what may be dialled it compares
 * addresses as bytes, and names as they were asked for: a name that no rule spells is not resolved.
 */
import { errorText } from '../base/error-text.ts'
import { SockpoolError } from '../base/errors.ts'
import type { ListenRule } from '../config/listen-rule.ts'
import { equalAddresses } from './address.ts'
import { type Host, parseHost } from './host.ts'

/** Where to listen; port 0: one that the system picks. */
export type ListenPlace = { readonly host: string; readonly port: number }

type Parsed = Omit<ListenRule, 'host'> & { readonly host: Host }

export class ListenRules {
  readonly #rules: readonly Parsed[]

  /** Errors: INVALID_REQUEST for a host that cannot be read, with its path. */
  constructor(rules: readonly ListenRule[]) {
    this.#rules = rules.map((rule, index) => ({ ...rule, host: hostOf(rule, `ingress.listen.${index}`) }))
  }

  /** The place in its one spelling, where a rule admits it; null where none does. Errors: INVALID_REQUEST (path `host`). */
  admits({ host, port }: ListenPlace): ListenPlace | null {
    const wanted = parseHost(host)
    const isAdmitted = this.#rules.some(
      rule => rule.firstPort <= port && port <= rule.lastPort && isSame(rule.host, wanted),
    )
    return isAdmitted ? { host: wanted.kind === 'name' ? wanted.name : wanted.address.text, port } : null
  }
}

function hostOf({ host }: ListenRule, path: string): Host {
  try {
    return parseHost(host)
  } catch (cause) {
    const message = `${JSON.stringify(host)}: ${errorText(cause)}`
    throw new SockpoolError('INVALID_REQUEST', `${path}: ${message}`, { errors: [{ path, message }], cause })
  }
}

function isSame(one: Host, other: Host): boolean {
  if (one.kind === 'name') return other.kind === 'name' && one.name === other.name
  if (other.kind === 'name') return false
  return one.address.zone === other.address.zone && equalAddresses(one.address, other.address)
}
