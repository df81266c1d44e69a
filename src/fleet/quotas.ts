/** The quotas of all pools of capped targets. */
import type { PermitMeters } from '../base/fleet-data.ts'
import { LIMITS } from '../base/limits.ts'
import type { Permits, PermitTaker } from '../pool/target/permits.ts'
import type { QuotaDeps } from './quota-deps.ts'
import { TargetQuota } from './target-quota.ts'

export type QuotasDeps = Pick<
  QuotaDeps,
  'ledger' | 'times' | 'onEngineLoss' | 'instances' | 'now' | 'wall' | 'random'
> & {
  readonly caps: Readonly<Record<string, number>>
  /** `<name>:<boot>` */
  readonly start: string
  readonly onFault: (target: string, error: unknown) => void
}

export class Quotas {
  readonly #deps: QuotasDeps
  /** Until they have given everything back. */
  readonly #open = new Set<TargetQuota>()
  #made = 0

  constructor(deps: QuotasDeps) {
    this.#deps = deps
  }

  /** Null for a target without a cap. */
  permitsOf(target: string, taker: PermitTaker): Permits | null {
    const { caps, start, onFault, ...shared } = this.#deps
    const cap = Object.hasOwn(caps, target) ? caps[target] : undefined
    if (cap === undefined) return null
    const chunk = Math.max(1, Math.floor(cap / LIMITS.fleetChunksMax))
    const quota = new TargetQuota({
      ...shared,
      taker,
      account: { target, entry: `${start}:${++this.#made}`, cap, chunk, ttlMs: shared.times.ttlMs },
      onFault: error => onFault(target, error),
      onEnd: () => this.#open.delete(quota),
    })
    this.#open.add(quota)
    return quota
  }

  /** What somebody published. */
  heard(kind: 'want' | 'free', target: string, entry: string): void {
    for (const quota of this.#open) {
      const { account } = quota
      if (account.target !== target || account.entry === entry) continue
      if (kind === 'want') quota.onWant()
      else quota.onFree()
    }
  }

  /** By target; of a target that was removed and added again, those of its new pool. */
  get meters(): ReadonlyMap<string, PermitMeters> {
    return new Map([...this.#open].map(quota => [quota.account.target, quota.meters]))
  }

  onBack(spreadMs: number): void {
    for (const quota of this.#open) quota.onBack(spreadMs)
  }

  /** Gives everything back. It never rejects. */
  async close(): Promise<void> {
    await Promise.all([...this.#open].map(quota => quota.close()))
  }
}
