import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { configReference, configSection, README } from '../../support/config-reference.ts'

describe('the config reference of the README', () => {
  test('is what the schema says; node test/support/config-reference.ts writes it anew', () => {
    expect(configSection(readFileSync(README, 'utf8'))).toBe(configReference())
  })

  test('has a sentence for every key, and one row for each', () => {
    const rows = configReference().split('\n').slice(2)
    const keys = rows.map(row => /^\| `([^`]+)` \|/.exec(row)?.[1])
    expect(new Set(keys).size).toBe(rows.length)
    for (const key of [
      'listen',
      'ioWorkers',
      'auth.tokens[].limits.requestsPerSecond',
      'http.tls.clientCa',
      'egress.allow',
      'limits.drainTimeout',
      'targets.NAME.tls.alpn',
      'targets.NAME.pool.max',
      'targets.NAME.onConnect[].send',
      'targets.NAME.frame.lengthField.bytes',
      'forwards[].target',
    ])
      expect(keys).toContain(key)
    for (const row of rows) expect(row).toMatch(/\| [^|\s].* \|$/)
  })
})
