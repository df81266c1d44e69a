/**
 * Bounds how many lookups run at once, in all and for one tenant, so that a tenant whose names lead into a
 * black hole waits behind itself. Tenants take turns: who was served goes to the end of the row. One thread;
 * nothing here outlives a rejected waiter.
 */
import { SockpoolError } from '../base/errors.ts'

export type LookupSlotsOptions = {
  /** Slots in all. */
  readonly totalMax: number
  /** Slots of one tenant. */
  readonly perTenantMax: number
  /** Waiters in all; one more is refused. */
  readonly waitersMax: number
}

type Lane = { active: number; readonly waiting: Array<() => void> }

export class LookupSlots {
  readonly #options: LookupSlotsOptions
  /** The row: who was served last, or came last, stands last. */
  readonly #lanes = new Map<string, Lane>()
  #active = 0
  #waiting = 0

  constructor(options: LookupSlotsOptions) {
    this.#options = options
  }

  /** A slot of the tenant, where one is free now: the function that returns it, to be called once. */
  trySlot(tenant: string): (() => void) | undefined {
    const lane = this.#lanes.get(tenant) ?? { active: 0, waiting: [] }
    if (!this.#hasRoom(lane)) return undefined
    this.#take(tenant, lane)
    return () => this.#give(tenant, lane)
  }

  /**
   * Waits for a slot of the tenant and gives the function that returns it, to be called once.
   *
   * Errors: QUEUE_FULL when too many wait, the signal's error when it fires first (see `abortError`).
   */
  async waitForSlot(tenant: string, signal?: AbortSignal): Promise<() => void> {
    if (signal?.aborted) throw abortError(signal)
    const free = this.trySlot(tenant)
    if (free !== undefined) return free
    const lane = this.#lanes.get(tenant) ?? { active: 0, waiting: [] }
    if (this.#waiting >= this.#options.waitersMax)
      throw new SockpoolError('QUEUE_FULL', 'Too many lookups are waiting')
    await this.#waitForTurn(tenant, lane, signal)
    return () => this.#give(tenant, lane)
  }

  /** Whether who comes now has to wait, whoever it is. */
  get isFull(): boolean {
    return this.#active >= this.#options.totalMax
  }

  stats(): { readonly active: number; readonly waiting: number; readonly tenants: number } {
    return { active: this.#active, waiting: this.#waiting, tenants: this.#lanes.size }
  }

  #hasRoom(lane: Lane): boolean {
    return this.#active < this.#options.totalMax && lane.active < this.#options.perTenantMax
  }

  #take(tenant: string, lane: Lane): void {
    this.#active += 1
    lane.active += 1
    this.#lanes.delete(tenant)
    this.#lanes.set(tenant, lane)
  }

  #give(tenant: string, lane: Lane): void {
    this.#active -= 1
    lane.active -= 1
    this.#dropIfIdle(tenant, lane)
    this.#serveNext()
  }

  #dropIfIdle(tenant: string, lane: Lane): void {
    if (lane.active === 0 && lane.waiting.length === 0) this.#lanes.delete(tenant)
  }

  #serveNext(): void {
    for (const [tenant, lane] of this.#lanes) {
      if (lane.waiting.length === 0 || !this.#hasRoom(lane)) continue
      const wake = lane.waiting.shift()
      this.#take(tenant, lane)
      wake?.()
      return
    }
  }

  #waitForTurn(tenant: string, lane: Lane, signal: AbortSignal | undefined): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const leave = (): void => {
      this.#waiting -= 1
      signal?.removeEventListener('abort', onAbort)
    }
    const wake = (): void => {
      leave()
      resolve()
    }
    const onAbort = (): void => {
      leave()
      lane.waiting.splice(lane.waiting.indexOf(wake), 1)
      this.#dropIfIdle(tenant, lane)
      if (signal) reject(abortError(signal))
    }
    this.#waiting += 1
    lane.waiting.push(wake)
    this.#lanes.set(tenant, lane)
    signal?.addEventListener('abort', onAbort, { once: true })
    return promise
  }
}

/** The error of a fired signal: its reason where that is ours (a deadline's), else ABORTED. */
export function abortError(signal: AbortSignal): SockpoolError {
  if (signal.reason instanceof SockpoolError) return signal.reason
  return new SockpoolError('ABORTED', 'The caller gave up', { cause: signal.reason })
}
