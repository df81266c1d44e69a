/** Who may come in, and under which names: what a reload of the configuration changes of the HTTP app, in one step. */
import type { Config } from '../../config/config.ts'
import type { DoorDeps } from '../ports.ts'
import { Callers } from './auth.ts'
import { HostPolicy } from './hosts.ts'
import { matchesGlob } from './principal.ts'

export type DoorRules = Pick<DoorDeps, 'auth' | 'hosts' | 'origins'>

export class LiveDoor {
  readonly policy: HostPolicy
  readonly callers: Callers

  constructor(deps: DoorRules & Pick<DoorDeps, 'listen' | 'tls' | 'limits' | 'now' | 'tallies' | 'members'>) {
    this.policy = new HostPolicy({ ...deps, tls: deps.tls !== false })
    this.callers = new Callers(deps)
  }

  /** Requests that have come in already are judged by these rules too, where they still are to be judged. */
  replace({ auth, hosts, origins }: DoorRules): void {
    this.policy.replace({ hosts, origins })
    if (auth !== null) this.callers.replace(auth.tokens)
  }
}

/**
 * Whether a tenant may use a target by these tokens; null: one that it described. The tenant without a name is the operator's
 * own, and with `auth` null there is one tenant, who may use all.
 */
export function tokensAllow(auth: Config['auth'], tenant: string, target: string | null): boolean {
  if (auth === null || tenant === '') return true
  const token = auth.tokens.find(({ name }) => name === tenant)
  return token?.targets.some(glob => (target === null ? glob === '*' : matchesGlob(glob, target))) ?? false
}
