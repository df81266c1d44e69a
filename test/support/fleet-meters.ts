/** The meters of an instance in a fleet of three, one of whose two capped targets is wanted more than the cap has. */
import { DurationTally } from '../../src/base/duration-tally.ts'
import type { InstanceMeters } from '../../src/metrics/instance-samples.ts'

export function fleetMeters(more: Partial<InstanceMeters> = {}): InstanceMeters {
  const waits = new DurationTally()
  for (const ms of [4, 700]) waits.observe(ms)
  const none = new DurationTally()
  return {
    state: 'joined',
    known: 3,
    expected: 4,
    permits: () =>
      new Map([
        ['cache', { cap: 48, granted: 16, taken: 15, wanting: 2, waits }],
        ['ledger', { cap: 10, granted: Number.POSITIVE_INFINITY, taken: 0, wanting: 0, waits: none }],
      ]),
    ...more,
  }
}
