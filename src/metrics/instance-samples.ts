/** The figures of a fleet, as far as this instance knows them: nobody else is asked for a scrape, the engine least of all. */
import type { PermitMeters } from '../base/fleet-data.ts'
import type { Samples } from './samples.ts'
import type { ServiceCounts } from './service-counts.ts'

export type InstanceSources = {
  /** Null where this one stands alone. */
  readonly instances: () => InstanceMeters | null
  readonly counts: Pick<ServiceCounts, 'forwarded'>
}

/** What is there to be read at once, on the main thread. */
export type InstanceMeters = {
  readonly state: 'joined' | 'degraded'
  /** How many the engine named last, this one included. */
  readonly known: number
  /** How many the configuration expects. */
  readonly expected: number
  /** Of every capped target that has a pool, by its name. */
  permits(): ReadonlyMap<string, PermitMeters>
}

export function addInstances(samples: Samples, { instances, counts }: InstanceSources): void {
  const meters = instances()
  if (meters === null) return
  samples.add('fleetInstances', {}, meters.known)
  samples.add('fleetExpected', {}, meters.expected)
  samples.add('fleetDegraded', {}, meters.state === 'degraded' ? 1 : 0)
  for (const [target, permits] of meters.permits()) addPermits(samples, target, permits)
  for (const [result, count] of counts.forwarded) samples.add('fleetForwarded', { result }, count)
}

function addPermits(samples: Samples, target: string, permits: PermitMeters): void {
  const { cap, granted, taken, wanting, waits } = permits
  samples.add('fleetCap', { target }, cap)
  if (Number.isFinite(granted)) samples.add('fleetPermits', { target }, granted)
  samples.add('fleetPermitsTaken', { target }, taken)
  samples.add('fleetPermitsWanting', { target }, wanting)
  samples.addDurations('fleetPermitWait', { target }, waits)
}
