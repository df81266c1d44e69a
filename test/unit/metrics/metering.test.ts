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
  expect(Object.fromEntries(metering.counts.denied)).toEqual({ private_name: 1, no_rule: 1 })
})
