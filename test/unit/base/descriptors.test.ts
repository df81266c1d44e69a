import { describe, expect, test } from 'vitest'
import { descriptorLimit, exhausted, isExhaustion, shareDescriptors } from '../../../src/base/descriptors.ts'
import { LIMITS } from '../../../src/base/limits.ts'

describe('shareDescriptors', () => {
  test('halves what the threads and files leave over', () => {
    const { http, dials } = shareDescriptors(1_024, 6)
    expect(http).toBe(dials)
    expect(http + dials + LIMITS.descriptorsKept + 6 * LIMITS.descriptorsPerThread).toBeLessThanOrEqual(1_024)
    expect(http).toBeGreaterThan(400)
  })

  test('never passes the fixed bounds, whatever the limit', () => {
    for (const limit of [null, 1_000_000])
      expect(shareDescriptors(limit, 6)).toEqual({
        http: LIMITS.httpConnectionsMax,
        dials: LIMITS.channelsMax,
      })
  })

  test('leaves each side something where the limit leaves nothing', () => {
    expect(shareDescriptors(64, 6)).toEqual({
      http: LIMITS.descriptorShareMin,
      dials: LIMITS.descriptorShareMin,
    })
  })
})

test('descriptorLimit is the soft limit of this process', () => {
  const limit = descriptorLimit()
  expect(limit === null || limit > 0).toBe(true)
})

test('exhausted is the service running out, not the caller or the target', () => {
  const cause = Object.assign(new Error('connect EMFILE'), { code: 'EMFILE' })
  expect(isExhaustion(cause)).toBe(true)
  expect(isExhaustion(Object.assign(new Error('no'), { code: 'ECONNREFUSED' }))).toBe(false)
  expect(exhausted('no connection can be opened', cause)).toMatchObject({
    code: 'QUEUE_FULL',
    retryable: true,
    reason: 'EMFILE',
    status: 503,
  })
})
