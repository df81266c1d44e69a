/**
 * A name as the system would look it up whose nsswitch says `files dns`: the hosts file, then the DNS with the search
 * list of resolv.conf. All of it without a thread of libuv, which the system's own look-up holds for as long as a dead
 * DNS server lets it wait. It knows no other source of names (mDNS, LDAP, NIS), and sorts addresses by family alone.
 */
import { promises as dns } from 'node:dns'
import { readFile } from 'node:fs/promises'
import { LIMITS } from '../base/limits.ts'
import { type Address, parseAddress } from './address.ts'
import { dnsFailure, isFinalReason, reasonOf } from './dns-failure.ts'
import type { TimedAddresses } from './fresh-lookups.ts'

const HOSTS_FILE = '/etc/hosts'
const RESOLVER_FILE = '/etc/resolv.conf'
/** As glibc's. */
const NDOTS_DEFAULT = 1
const NDOTS_MAX = 15

/** In the order in which they are asked for. */
const FAMILIES = [6, 4] as const

type SearchRules = { readonly domains: readonly string[]; readonly ndots: number }

export class HostsAndDns {
  readonly #dns = new dns.Resolver({
    timeout: LIMITS.dnsQueryTimeoutMs,
    maxTimeout: LIMITS.dnsQueryTimeoutMs,
    tries: LIMITS.dnsTries,
  })

  /** `servers`: whom to ask; default: those of the system. */
  constructor(servers: readonly string[] = []) {
    if (servers.length > 0) this.#dns.setServers(servers)
  }

  /** Errors: DNS_FAILED with the reason. */
  async lookup(name: string): Promise<readonly Address[]> {
    return (await this.find(name)).addresses
  }

  /** As `lookup`; the hosts file does not say how long it holds. */
  async find(name: string): Promise<TimedAddresses> {
    const written = addressesIn(await textOf(HOSTS_FILE), name)
    if (written.length > 0) return { addresses: written, families: [4, 6], ttlMs: null }
    let reason = 'ENOTFOUND'
    for (const full of fullNames(name, searchRulesOf(await textOf(RESOLVER_FILE)))) {
      const found = await this.#ask(full)
      if (typeof found !== 'string') return found
      reason = found
      // Servers that do not answer will not answer for the next domain either.
      if (!isFinalReason(reason)) break
    }
    throw dnsFailure(name, reason)
  }

  /** Ends all queries, for good. */
  close(): void {
    this.#dns.cancel()
  }

  /** The addresses of a full name, or the reason why there are none. That a family has none is an answer of it. */
  async #ask(full: string): Promise<TimedAddresses | string> {
    const ttl = { ttl: true } as const
    const answers = await Promise.allSettled([this.#dns.resolve6(full, ttl), this.#dns.resolve4(full, ttl)])
    const reasons = answers.map(answer =>
      answer.status === 'rejected' ? reasonOf(answer.reason) : 'ENODATA',
    )
    const found = answers.flatMap(answer => (answer.status === 'fulfilled' ? answer.value : []))
    const addresses = found.flatMap(({ address }) => parseAddress(address) ?? [])
    const families = FAMILIES.filter((_, index) => isFinalReason(reasons[index] ?? ''))
    const ttlMs = Math.min(...found.map(record => record.ttl)) * 1_000
    if (addresses.length > 0) return { addresses, families, ttlMs }
    return reasons.find(each => !isFinalReason(each)) ?? reasons[0] ?? 'ENODATA'
  }
}

/** The addresses that a hosts file gives a name. */
export function addressesIn(hosts: string, name: string): readonly Address[] {
  const wanted = name.toLowerCase()
  const found: Address[] = []
  for (const line of hosts.split('\n')) {
    const [text = '', ...names] = (line.split('#')[0] ?? '').trim().split(/\s+/)
    if (!names.some(each => each.toLowerCase() === wanted)) continue
    const address = parseAddress(text)
    if (address !== undefined) found.push(address)
  }
  return found
}

/** What resolv.conf says of names that are not full. */
export function searchRulesOf(conf: string): SearchRules {
  let domains: readonly string[] = []
  let ndots = NDOTS_DEFAULT
  for (const line of conf.split('\n')) {
    const [key, ...values] = line.trim().split(/\s+/)
    // The last of them counts.
    if (key === 'search' || key === 'domain') domains = values.slice(0, LIMITS.dnsSearchDomainsMax)
    if (key !== 'options') continue
    const [, said] = /^ndots:(\d+)$/.exec(values.find(value => value.startsWith('ndots:')) ?? '') ?? []
    if (said !== undefined) ndots = Math.min(Number(said), NDOTS_MAX)
  }
  return { domains, ndots }
}

/** The full names to ask for, in order. Source: resolv.conf(5). */
export function fullNames(name: string, { domains, ndots }: SearchRules): readonly string[] {
  const asIs = `${name}.`
  const searched = domains.map(domain => (domain === '.' ? asIs : `${name}.${domain.replace(/\.$/, '')}.`))
  const dots = name.split('.').length - 1
  return [...new Set(dots >= ndots ? [asIs, ...searched] : [...searched, asIs])]
}

/** The text of a file of the system; none where it is absent. */
async function textOf(file: string): Promise<string> {
  try {
    return (await readFile(file, 'utf8')).slice(0, LIMITS.systemFileCharsMax)
  } catch {
    return ''
  }
}
