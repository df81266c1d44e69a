/** What a running pool is told anew, judged whole before any of it holds. */
import { LIMITS } from '../base/limits.ts'
import { countOption, invalidOption, optionsObject, requireFunction } from '../base/options.ts'
import { normaliseTarget } from '../config/target.ts'
import { EgressRules } from '../egress/egress-rules.ts'
import { stillAdmits } from '../egress/judge.ts'
import { Resolver } from '../egress/resolver.ts'
import type { PoolChange, ReloadOptions } from '../pool/pool-change.ts'
import type { IoFleet } from '../threads/io-fleet.ts'
import { judgedEgress } from './pool-options.ts'

export type ReloadJudge = {
  /** Those of the pool's thread; null where the caller is its own authority. */
  readonly rules: EgressRules | null
  readonly fleet: Pick<IoFleet, 'setEgress'>
}

/** Errors: INVALID_REQUEST with the faults. */
export function judgedReload(options: ReloadOptions, judge: ReloadJudge): PoolChange {
  const { targets, egress, limits, mayUse = () => true, mayListen = () => true } = optionsObject(options)
  const { leases, waiters } = limits === undefined ? {} : optionsObject(limits, 'limits')
  requireFunction('mayUse', mayUse)
  requireFunction('mayListen', mayListen)
  return {
    targets: targets === undefined ? null : judgedTargets(targets),
    egress: egress === undefined ? null : egressChange(egress, judge),
    leasesMax: countOption('limits.leases', leases, 1, LIMITS.channelsMax),
    waitersMax: countOption('limits.waiters', waiters, 0, LIMITS.waitersMax),
    mayUse,
    mayListen,
  }
}

function judgedTargets(targets: NonNullable<ReloadOptions['targets']>): NonNullable<PoolChange['targets']> {
  const entries = Object.entries(optionsObject(targets, 'targets'))
  return Object.fromEntries(entries.map(([name, input]) => [name, normaliseTarget(input, `targets.${name}`)]))
}

function egressChange(
  egress: NonNullable<ReloadOptions['egress']>,
  { rules, fleet }: ReloadJudge,
): PoolChange['egress'] {
  if (rules === null) throw invalidOption('egress', 'is for a pool that was made with egress rules')
  const { allow, dnsServers = [] } = judgedEgress(egress)
  // Both are refused here or never: the threads that are told of them have no way to refuse.
  void new EgressRules(allow)
  new Resolver({ servers: dnsServers }).close()
  return {
    apply: () => {
      rules.setAllow(allow)
      fleet.setEgress({ allow, dnsServers })
    },
    admits: ({ host, port }, reached) =>
      stillAdmits({ host, port, authority: { kind: 'rules', rules } }, reached),
  }
}
