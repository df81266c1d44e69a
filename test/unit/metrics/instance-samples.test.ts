import { Registry } from '@prometheus-io/client'
import { expect, test } from 'vitest'
import { exposition } from '../../../src/metrics/exposition.ts'
import { FAMILIES, type FamilyKey } from '../../../src/metrics/families.ts'
import { addInstances, type InstanceMeters } from '../../../src/metrics/instance-samples.ts'
import { Samples } from '../../../src/metrics/samples.ts'
import { ServiceCounts } from '../../../src/metrics/service-counts.ts'
import { ExpositionPage } from '../../support/exposition.ts'
import { fleetMeters } from '../../support/fleet-meters.ts'

async function pageOf(meters: InstanceMeters | null): Promise<ExpositionPage> {
  const samples = new Samples()
  const counts = new ServiceCounts()
  for (const result of ['ok', 'ok', 'queue_full']) counts.countForwarded(result)
  addInstances(samples, { instances: () => meters, counts })
  return new ExpositionPage((await exposition(samples, new Registry(), 'text/plain')).text)
}

const OWN = Object.entries(FAMILIES).filter(([key]) => (key as FamilyKey).startsWith('fleet'))

test('addInstances has every metric of a fleet, with the labels that are written down', async () => {
  const page = await pageOf(fleetMeters())
  expect(OWN.length).toBe(9)
  for (const [, { name, type, labels }] of OWN) {
    const lines = page.all(type === 'histogram' ? `${name}_bucket` : name)
    expect(lines.length, name).toBeGreaterThan(0)
    const own = type === 'histogram' ? [...labels, 'le'] : labels
    for (const line of lines) expect(Object.keys(line.labels).toSorted(), name).toEqual([...own].toSorted())
  }
})

test('addInstances says what this instance knows of the caps, and what it has of them', async () => {
  const page = await pageOf(fleetMeters())
  const of = (name: string, labels: Readonly<Record<string, string>> = {}): readonly number[] =>
    page.all(`sockpool_fleet_${name}`, labels).map(({ value }) => value)
  expect([of('instances'), of('instances_expected'), of('degraded')]).toEqual([[3], [4], [0]])
  const cache = { target: 'cache' }
  expect(['cap', 'permits', 'permits_taken', 'permits_wanting'].map(name => of(name, cache))).toEqual([
    [48],
    [16],
    [15],
    [2],
  ])
  expect(of('permit_wait_duration_seconds_count', cache)).toEqual([2])
  expect(of('permit_wait_duration_seconds_sum', cache)).toEqual([0.704])
  const forwarded = (result: string): readonly number[] => of('forwarded_total', { result })
  expect([forwarded('ok'), forwarded('queue_full')]).toEqual([[2], [1]])
  // What has never happened is 0, so that the first time is an increase.
  expect([forwarded('instance_unreachable'), forwarded('lease_gone')]).toEqual([[0], [0]])
})

test('addInstances has no number of permits where nothing but the pool bounds a target', async () => {
  const page = await pageOf(fleetMeters({ state: 'degraded' }))
  expect(page.all('sockpool_fleet_permits', { target: 'ledger' })).toEqual([])
  expect(page.sum('sockpool_fleet_permits_taken', { target: 'ledger' })).toBe(0)
  expect(page.sum('sockpool_fleet_degraded')).toBe(1)
})

test('addInstances says nothing of a service that stands alone', async () => {
  expect((await pageOf(null)).samples).toEqual([])
})
