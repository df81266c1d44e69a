import { expect, test } from 'vitest'
import type { Decision } from '../../../src/base/egress-data.ts'
import { Metering } from '../../../src/service/metering.ts'

test('Metering counts who dies, and what the egress rules refuse, by reason', () => {
  const metering = new Metering()
  metering.stop()
  const decision: Decision = {
    verdict: 'denied',
    authority: 'rules',
    tenant: null,
    host: 'db.internal',
    port: 5432,
    addresses: [],
    rule: null,
    reason: 'private_name',
    detail: null,
    elapsedMs: 1,
  }
  metering.heard({ kind: 'worker_lost', worker: 0, error: null })
  metering.heard({ kind: 'decision', decision })
  // Nobody was refused: the name has no address, or may be dialled.
  metering.heard({ kind: 'decision', decision: { ...decision, verdict: 'failed', reason: 'unresolved' } })
  metering.heard({ kind: 'decision', decision: { ...decision, verdict: 'admitted', reason: null } })
  metering.traits.onDenied('no_rule')
  metering.counts.countLost('http')
  expect(Object.fromEntries(metering.counts.lost)).toEqual({ io: 1, http: 1 })
  const denied = [...metering.counts.denied].filter(([, count]) => count > 0)
  expect(Object.fromEntries(denied)).toEqual({ private_name: 1, no_rule: 1 })
})

test('Metering shows what has never happened as 0, so that the first time is an increase', () => {
  const metering = new Metering()
  metering.stop()
  const { counts, traits } = metering
  const lost = { expired: 0, killed: 0, revoked: 0, worker_lost: 0, reset: 0 }
  expect(Object.fromEntries(traits.tallies.begin('it', 'named').lost)).toEqual(lost)
  expect(Object.fromEntries(traits.tallies.described.lost)).toEqual(lost)
  expect(Object.fromEntries(counts.denied)).toEqual({
    ...{ no_rule: 0, own_listener: 0, own_address: 0, special_range: 0, private_name: 0 },
    ...{ too_many_records: 0, mixed_answer: 0, malformed: 0 },
  })
})
