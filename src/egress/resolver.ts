/**
 * Names into addresses; this file and `hosts-and-dns.ts` alone import node:dns. One resolver for each I/O worker, used by its
 * thread alone. Callers' names are asked of the DNS servers by c-ares: no hosts file, no search domain, no
 * libuv thread. Names of the operator's config are asked of the system, as any program would, and aside where it is
 * late (`system-lookups.ts`). Nothing is
 * judged here and no good answer is kept: every dial asks anew. c-ares reads only the answer to its own
 * question and follows no CNAME by further questions, so a chain is at most one message long.
 */
import { promises as dns } from 'node:dns'
import { SockpoolError } from '../base/errors.ts'
import { LIMITS } from '../base/limits.ts'
import { type Address, parseAddress } from './address.ts'
import { dnsFailure, isFinalReason, reasonOf } from './dns-failure.ts'
import { FreshLookups, type TimedAddresses } from './fresh-lookups.ts'
import { HostsAndDns } from './hosts-and-dns.ts'
import { LookupSlots } from './lookup-slots.ts'
import { SharedLookups } from './shared-lookups.ts'
import { SystemLookups } from './system-lookups.ts'

/** The seam that the judge needs; a test gives its own. */
export interface NameResolver {
  /** Asks the DNS. Errors: DNS_FAILED, QUEUE_FULL, ABORTED or the signal's own. */
  resolveByDns(name: string, options: ResolveOptions): Promise<readonly Address[]>
  /** Asks the operating system. Errors: the same. */
  resolveBySystem(name: string, options: ResolveOptions): Promise<readonly Address[]>
}

export type ResolveOptions = {
  readonly signal?: AbortSignal | undefined
  /** Whose share of the lookups it is; default: the tenant without a name. */
  readonly tenant?: string | undefined
}

export type ResolverOptions = {
  /** `IP`, `IP:PORT` or `[IPv6]:PORT`; none means the system's servers. */
  readonly servers?: readonly string[]
  /** Milliseconds of one try of one query; default LIMITS.dnsQueryTimeoutMs. */
  readonly queryTimeoutMs?: number
  /** Tries at each server; default LIMITS.dnsTries. */
  readonly tries?: number
  /** Milliseconds of a whole lookup; default LIMITS.dnsLookupTimeoutMs. */
  readonly lookupTimeoutMs?: number
  /** The clock in milliseconds; default performance.now. */
  readonly now?: () => number
  /** The system's lookup; default dns.lookup with all addresses. */
  readonly systemLookup?: (name: string) => Promise<ReadonlyArray<{ readonly address: string }>>
  /** The system's lookup without its threads; default: by hosts file and DNS. */
  readonly asideLookup?: (name: string) => Promise<readonly Address[]>
}

type Negative = { readonly reason: string; readonly until: number }

export class Resolver implements NameResolver {
  readonly #queryLimits: { readonly timeout: number; readonly maxTimeout: number; readonly tries: number }
  #dns: dns.Resolver
  readonly #slots: LookupSlots
  readonly #queries = new SharedLookups()
  readonly #hostsAndDns = new HostsAndDns()
  readonly #system: SystemLookups
  readonly #fresh: FreshLookups
  readonly #lookupTimeoutMs: number
  readonly #now: () => number
  readonly #negatives = new Map<string, Negative>()
  #isClosed = false
  #asked = 0
  #failed = 0

  /** Errors: INVALID_REQUEST with the path `egress.dnsServers` for a server that cannot be read. */
  constructor(options: ResolverOptions = {}) {
    const timeout = options.queryTimeoutMs ?? LIMITS.dnsQueryTimeoutMs
    this.#queryLimits = { timeout, maxTimeout: timeout, tries: options.tries ?? LIMITS.dnsTries }
    this.#dns = this.#asking(options.servers ?? [])
    this.#lookupTimeoutMs = options.lookupTimeoutMs ?? LIMITS.dnsLookupTimeoutMs
    this.#now = options.now ?? (() => performance.now())
    this.#system = new SystemLookups({
      ask: options.systemLookup ?? (name => dns.lookup(name, { all: true })),
      askAside: options.asideLookup ?? (name => this.#hostsAndDns.lookup(name)),
    })
    this.#fresh = new FreshLookups({
      ask: name => this.#hostsAndDns.find(name),
      askSystem: (name, signal) => this.#system.lookup(name, signal),
    })
    this.#slots = new LookupSlots({
      totalMax: LIMITS.dnsLookupsMax,
      perTenantMax: LIMITS.dnsLookupsPerTenantMax,
      waitersMax: LIMITS.dnsWaitersMax,
    })
  }

  /**
   * Asks the DNS servers for the A and AAAA records of a name, as it stands: it is sent as a full name.
   *
   * Shape: every address of both answers, unjudged, the families taking turns with IPv6 first. One family
   *   that fails does not spoil the other. A tenant's callers that ask for the same name at the same time share one.
   * Errors: DNS_FAILED with the `reason` (ENOTFOUND, ESERVFAIL, ETIMEOUT…), retryable unless the answer was
   *   that there is none; QUEUE_FULL; ABORTED or the signal's own error.
   */
  async resolveByDns(name: string, options: ResolveOptions = {}): Promise<readonly Address[]> {
    const known = this.#knownFailure(name)
    if (known !== undefined) throw dnsFailure(name, known)
    const { signal, tenant = '' } = options
    return await this.#bounded(name, signal, bound =>
      // Names have no blanks. Of one tenant alone: nobody waits in the row of another.
      this.#queries.join(`${name} ${tenant}`, bound, async (turn, begun) => {
        const giveBack = await this.#slots.waitForSlot(tenant, turn)
        begun()
        // The slot is held until c-ares is done, whoever gave up: the bound is on queries, not on callers.
        return await this.#query(name).finally(giveBack)
      }),
    )
  }

  /**
   * Asks the operating system, so that `localhost` and /etc/hosts hold; for the operator's names alone.
   *
   * Shape: every address in the system's order, with its zone where it has one; where the system is late, those of
   *   the hosts file or the DNS. Callers that ask for the same name at the same time share one lookup.
   * Errors: as `resolveByDns`.
   */
  async resolveBySystem(name: string, options: ResolveOptions = {}): Promise<readonly Address[]> {
    const { signal } = options
    return await this.#bounded(name, signal, bound => this.#system.lookup(name, bound))
  }

  /**
   * Asks again for a name of the operator's that connections to the `known` addresses were dialled by.
   *
   * Shape: addresses in no order, of the families that answered. Errors: DNS_FAILED, QUEUE_FULL.
   */
  async lookUpAgain(name: string, known: readonly string[]): Promise<TimedAddresses> {
    return await this.#bounded(name, undefined, bound => this.#fresh.lookUp(name, known, bound))
  }

  stats(): {
    readonly active: number
    readonly waiting: number
    readonly negatives: number
    readonly asked: number
    readonly failed: number
  } {
    const { active, waiting } = this.#slots.stats()
    return { active, waiting, negatives: this.#negatives.size, asked: this.#asked, failed: this.#failed }
  }

  /**
   * Asks these servers from the next lookup on; none means the system's. What they said before of names that are not there
   * is forgotten. Errors: as the constructor, and then nothing has changed.
   */
  setServers(servers: readonly string[]): void {
    // A resolver with queries under way takes no other servers: those end with the one that they began with.
    this.#dns = this.#asking(servers)
    this.#negatives.clear()
  }

  /** Ends all DNS queries, for good; who waits for one gets DNS_FAILED with the reason ECANCELLED. */
  close(): void {
    this.#isClosed = true
    this.#dns.cancel()
    this.#hostsAndDns.close()
  }

  #asking(servers: readonly string[]): dns.Resolver {
    const resolver = new dns.Resolver(this.#queryLimits)
    if (servers.length > 0) setServers(resolver, servers)
    return resolver
  }

  /** Runs a lookup under its own deadline as well as the caller's signal, and counts how it ended. */
  async #bounded<Found>(
    name: string,
    signal: AbortSignal | undefined,
    lookup: (bound: AbortSignal) => Promise<Found>,
  ): Promise<Found> {
    this.#asked += 1
    const deadline = new AbortController()
    const timer = setTimeout(() => deadline.abort(dnsFailure(name, 'ETIMEOUT')), this.#lookupTimeoutMs)
    try {
      return await lookup(signal ? AbortSignal.any([signal, deadline.signal]) : deadline.signal)
    } catch (error) {
      this.#failed += 1
      throw error
    } finally {
      clearTimeout(timer)
    }
  }

  async #query(name: string): Promise<readonly Address[]> {
    if (this.#isClosed) throw dnsFailure(name, 'ECANCELLED')
    const absolute = `${name}.`
    const answers = await Promise.allSettled([this.#dns.resolve6(absolute), this.#dns.resolve4(absolute)])
    const lists = answers.map(answer => (answer.status === 'fulfilled' ? answer.value : []))
    const addresses = interleave(lists).map(text => parseAddress(text))
    const readable = addresses.filter(address => address !== undefined)
    if (readable.length > 0 && readable.length === addresses.length) return readable
    const reasons = answers.map(answer =>
      answer.status === 'rejected' ? reasonOf(answer.reason) : 'ENODATA',
    )
    // Of two failures the passing one counts: the other family may have said "none" of a name that exists.
    const reason = reasons.find(each => !isFinalReason(each)) ?? reasons[1] ?? 'ENODATA'
    if (reason !== 'ECANCELLED') this.#remember(name, reason)
    throw dnsFailure(name, reason)
  }

  #knownFailure(name: string): string | undefined {
    const negative = this.#negatives.get(name)
    if (negative && negative.until > this.#now()) return negative.reason
    this.#negatives.delete(name)
    return undefined
  }

  #remember(name: string, reason: string): void {
    this.#negatives.delete(name)
    this.#negatives.set(name, { reason, until: this.#now() + LIMITS.dnsNegativeMs })
    if (this.#negatives.size <= LIMITS.dnsNegativeEntriesMax) return
    const [oldest] = this.#negatives.keys()
    if (oldest !== undefined) this.#negatives.delete(oldest)
  }
}

function setServers(resolver: dns.Resolver, servers: readonly string[]): void {
  try {
    resolver.setServers(servers)
  } catch (cause) {
    const message = `a DNS server is not an IP address with an optional port: ${servers.join(', ')}`
    throw new SockpoolError('INVALID_REQUEST', message, {
      errors: [{ path: 'egress.dnsServers', message }],
      cause,
    })
  }
}

function interleave(lists: ReadonlyArray<readonly string[]>): readonly string[] {
  const longest = Math.max(...lists.map(list => list.length))
  return Array.from({ length: longest }, (_, index) => lists.flatMap(list => list[index] ?? [])).flat()
}
