/** What one instance says of a caller to another: when it holds, and for how long it is remembered. */
import { describe, expect, test } from 'vitest'
import { LIMITS } from '../../../src/base/limits.ts'
import {
  CALLER_HEADER,
  callerWord,
  FORWARDED_HEADER,
  ForwardedCallers,
} from '../../../src/http/door/forwarded-caller.ts'

const SECRET = 'a-secret-of-all-instances-of-this-fleet'
const FLEET = { name: 'me', secrets: [SECRET] }
const CALL = { method: 'GET', path: '/v1/leases/x', owner: 'me' }

const asked = (word: string) => ({
  method: 'GET',
  url: '/v1/leases/x',
  headers: { [CALLER_HEADER]: word, [FORWARDED_HEADER]: 'other' },
})

describe('ForwardedCallers', () => {
  test('believes a word within the skew of two clocks, either way', () => {
    let nowMs = 1_000_000
    const callers = new ForwardedCallers(FLEET, () => nowMs)
    const word = (): string => callerWord(SECRET, 'alice', CALL, 1_000_000)
    for (const late of [0, LIMITS.forwardedSkewMs, -LIMITS.forwardedSkewMs]) {
      nowMs = 1_000_000 + late
      expect(callers.tenantOf(asked(word()))).toBe('alice')
    }
    for (const late of [LIMITS.forwardedSkewMs + 1, -LIMITS.forwardedSkewMs - 1]) {
      nowMs = 1_000_000 + late
      expect(() => callers.tenantOf(asked(word()))).toThrowError(/does not hold/)
    }
  })

  test('believes a word once, however late within its time the second comes', () => {
    let nowMs = 1_000_000
    const callers = new ForwardedCallers(FLEET, () => nowMs)
    const word = callerWord(SECRET, 'alice', CALL, 1_000_000 + LIMITS.forwardedSkewMs)
    expect(callers.tenantOf(asked(word))).toBe('alice')
    nowMs += 2 * LIMITS.forwardedSkewMs
    callers.tenantOf(asked(callerWord(SECRET, 'bob', CALL, nowMs)))
    expect(() => callers.tenantOf(asked(word))).toThrowError(/does not hold/)
  })

  test('knows names of all characters, and nobody where there is no word', () => {
    const callers = new ForwardedCallers(FLEET, () => 5)
    expect(callers.tenantOf(asked(callerWord(SECRET, 'a.b/ü\n', CALL, 5)))).toBe('a.b/ü\n')
    expect(callers.tenantOf({ ...asked(''), headers: {} })).toBe(null)
  })

  test('believes a word by a secret of before, and none by one that the fleet never had', () => {
    const callers = new ForwardedCallers({ ...FLEET, secrets: ['another'.repeat(6), SECRET] }, () => 5)
    expect(callers.tenantOf(asked(callerWord(SECRET, 'alice', CALL, 5)))).toBe('alice')
    const foreign = callerWord('foreign'.repeat(6), 'alice', CALL, 5)
    expect(() => callers.tenantOf(asked(foreign))).toThrowError(/does not hold/)
  })

  test('believes nobody without a fleet, or before its secret is known', () => {
    const word = callerWord(SECRET, 'alice', CALL, 5)
    for (const fleet of [null, { ...FLEET, secrets: [] }])
      expect(() => new ForwardedCallers(fleet, () => 5).tenantOf(asked(word))).toThrowError(/does not hold/)
  })
})
