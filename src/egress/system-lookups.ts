/**
 * Names as the operating system knows them, for the operator's targets and listeners. The system's look-up holds a
 * thread of libuv until it is over, however long a dead DNS server lets it wait; those threads are few, shared by the
 * whole process, and libuv gives it half of them. So a name that the system has not answered in time, or has no thread
 * for, is asked for without it as well (`HostsAndDns`), and the first address counts.
 *
 *   wait for a thread ──► asked ──answered──► the answer
 *        │                  └── not yet after 250 ms ──► also by hosts and DNS
 *        │                  └── not yet after 500 ms ──► its place is another name's; a few may be so slow at once
 *        └── none is free at once ──► also by hosts and DNS
 *
 * Where both answer, the system's word counts, unless the other found the name before it.
 */
import { SockpoolError } from '../base/errors.ts'
import { LIMITS } from '../base/limits.ts'
import { type Address, parseAddress } from './address.ts'
import { dnsFailure, reasonOf } from './dns-failure.ts'
import { LookupSlots } from './lookup-slots.ts'
import { SharedLookups } from './shared-lookups.ts'

export type SystemLookupsDeps = {
  /** The system's own look-up of all addresses. */
  readonly ask: (name: string) => Promise<ReadonlyArray<{ readonly address: string }>>
  /** The same without a thread of libuv. Errors: DNS_FAILED. */
  readonly askAside: (name: string) => Promise<readonly Address[]>
}

export class SystemLookups {
  readonly #deps: SystemLookupsDeps
  readonly #shared = new SharedLookups()
  readonly #aside = new SharedLookups()
  readonly #threads = slots(LIMITS.osLookupsMax)
  readonly #slow = slots(LIMITS.osSlowLookupsMax)
  readonly #asides = slots(LIMITS.dnsLookupsMax)

  constructor(deps: SystemLookupsDeps) {
    this.#deps = deps
  }

  /** Errors: DNS_FAILED, QUEUE_FULL, the signal's own. Callers that ask for one name at one time share a look-up. */
  async lookup(name: string, signal: AbortSignal): Promise<readonly Address[]> {
    const patienceMs = this.#threads.isFull ? 0 : LIMITS.osLookupPatienceMs
    const system = this.#shared.join(name, signal, (turn, begun) => this.#ask(name, turn, begun))
    const { promise: aside, resolve } = Promise.withResolvers<readonly Address[]>()
    const late = setTimeout(() => {
      const found = this.#aside.join(name, signal, (turn, begun) => this.#askAside(name, turn, begun))
      // What it does not find the system may know.
      found.then(resolve, () => {})
    }, patienceMs)
    try {
      return await Promise.race([system, aside])
    } finally {
      clearTimeout(late)
    }
  }

  async #ask(name: string, turn: AbortSignal, begun: () => void): Promise<readonly Address[]> {
    const giveBack = await this.#threads.waitForSlot(name, turn)
    begun()
    return await this.#askOnThread(name, giveBack)
  }

  async #askOnThread(name: string, giveBack: () => void): Promise<readonly Address[]> {
    let leave = giveBack
    const slow = setTimeout(() => {
      const place = this.#slow.trySlot(name)
      if (place === undefined) return
      leave()
      leave = place
    }, LIMITS.osLookupSlowMs)
    try {
      const found = await this.#deps.ask(name)
      const addresses = found.flatMap(({ address }) => parseAddress(address) ?? [])
      if (addresses.length === 0) throw dnsFailure(name, 'ENODATA')
      return addresses
    } catch (error) {
      throw error instanceof SockpoolError ? error : dnsFailure(name, reasonOf(error), error)
    } finally {
      clearTimeout(slow)
      leave()
    }
  }

  async #askAside(name: string, turn: AbortSignal, begun: () => void): Promise<readonly Address[]> {
    const giveBack = await this.#asides.waitForSlot(name, turn)
    begun()
    return await this.#deps.askAside(name).finally(giveBack)
  }
}

/** Each name has one place at the most, so the bound for one is that of all. */
function slots(totalMax: number): LookupSlots {
  return new LookupSlots({ totalMax, perTenantMax: totalMax, waitersMax: LIMITS.dnsWaitersMax })
}
