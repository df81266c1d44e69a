/** What is known of the fleet: most services have none, and are not asked again and again whether they have. */
import type { FleetStory } from './figures.ts'
import { isAbort, type ServiceApi } from './service-api.ts'
import { ServiceProblem } from './service-problem.ts'

export type FleetLook =
  /** Nobody has asked yet: an admin alone may. */
  | { readonly kind: 'unknown' }
  | { readonly kind: 'alone' }
  | { readonly kind: 'there'; readonly fleet: FleetStory }
  /** With what was known of it last. */
  | { readonly kind: 'failed'; readonly problem: ServiceProblem; readonly fleet: FleetStory | null }

/** What was known last; null where there was nothing. */
export function knownFleet(look: FleetLook): FleetStory | null {
  return look.kind === 'there' || look.kind === 'failed' ? look.fleet : null
}

/** Errors: where the service is away, or wants another token; another problem is a look of its own. */
export async function lookAtFleet(
  api: Pick<ServiceApi, 'look'>,
  before: FleetLook,
  signal: AbortSignal,
): Promise<FleetLook> {
  if (before.kind === 'alone') return before
  try {
    const fleet = await api.look<FleetStory>('/v1/fleet', signal)
    return fleet.state === 'alone' ? { kind: 'alone' } : { kind: 'there', fleet }
  } catch (error) {
    const problem = ServiceProblem.of(error)
    if (isAbort(error) || problem.status === 0 || problem.status === 401) throw error
    return { kind: 'failed', problem, fleet: knownFleet(before) }
  }
}
