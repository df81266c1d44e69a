/**
 * Looks a name of the operator's up again, for connections that were dialled by it. The hosts file and the DNS say what it
 * is now and how long that counts, which the system's own look-up does not tell. But the system's is the word by which the
 * connections were dialled: where they are said to be of no use any more, it is asked as well.
 *
 *   by hosts file and DNS ──all known are there──► the answer
 *        └── fails, or misses one of them ──► by the system as well ──► both answers together
 */
import { SockpoolError } from '../base/errors.ts'
import { LIMITS } from '../base/limits.ts'
import type { Address } from './address.ts'
import { LookupSlots } from './lookup-slots.ts'

/** What a name is, as far as its families have answered. */
export type TimedAddresses = {
  readonly addresses: readonly Address[]
  readonly families: readonly (4 | 6)[]
  /** Milliseconds; null where nobody said. */
  readonly ttlMs: number | null
}

export type FreshLookupsDeps = {
  /** By hosts file and DNS. Errors: DNS_FAILED. */
  readonly ask: (name: string) => Promise<TimedAddresses>
  /** By the system, as for a dial. Errors: DNS_FAILED, QUEUE_FULL, the signal's own. */
  readonly askSystem: (name: string, signal: AbortSignal) => Promise<readonly Address[]>
}

export class FreshLookups {
  readonly #deps: FreshLookupsDeps
  readonly #slots = new LookupSlots({
    totalMax: LIMITS.dnsLookupsMax,
    perTenantMax: LIMITS.dnsLookupsMax,
    waitersMax: LIMITS.dnsWaitersMax,
  })

  constructor(deps: FreshLookupsDeps) {
    this.#deps = deps
  }

  /** `known`: the addresses of the connections. Errors: those of the system's look-up. */
  async lookUp(name: string, known: readonly string[], signal: AbortSignal): Promise<TimedAddresses> {
    const told = await this.#ask(name, signal)
    if (told !== null && known.every(address => isThere(told, address))) return told
    const system = await this.#deps.askSystem(name, signal)
    if (told === null) return { addresses: system, families: [4, 6], ttlMs: null }
    return { ...told, addresses: [...told.addresses, ...system] }
  }

  /** Null where it fails: the system may know more. */
  async #ask(name: string, signal: AbortSignal): Promise<TimedAddresses | null> {
    const giveBack = await this.#slots.waitForSlot(name, signal)
    try {
      return await this.#deps.ask(name)
    } catch (error) {
      if (error instanceof SockpoolError && error.code === 'DNS_FAILED') return null
      throw error
    } finally {
      giveBack()
    }
  }
}

function isThere({ addresses, families }: TimedAddresses, text: string): boolean {
  const family = text.includes(':') ? 6 : 4
  return !families.includes(family) || addresses.some(address => address.text === text)
}
