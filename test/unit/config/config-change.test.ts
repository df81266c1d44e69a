import { describe, expect, test } from 'vitest'
import type { Config } from '../../../src/config/config.ts'
import { configChange } from '../../../src/config/config-change.ts'
import { loadConfig } from '../../../src/config/load.ts'
import { normaliseTarget } from '../../../src/config/target.ts'

const running = loadConfig({ environment: {}, flags: { ioWorkers: '2' } })
const TLS = { cert: 'a certificate', key: 'its key' }
const token = (name: string, targets: readonly string[] = ['*']) => ({
  name,
  sha256: '0'.repeat(64),
  targets,
  admin: false,
})
const target = (port: number) => normaliseTarget({ host: '127.0.0.1', port })

describe('configChange', () => {
  test('finds nothing in the same once more', () => {
    const again = loadConfig({ environment: {}, flags: { ioWorkers: '2' } })
    expect(configChange(running, again)).toEqual({
      config: running,
      ignored: [],
      targets: { added: 0, changed: 0, removed: 0, unchanged: 0 },
      tokens: { added: 0, changed: 0, removed: 0, unchanged: 0 },
      forwards: { added: 0, changed: 0, removed: 0, unchanged: 0 },
    })
  })

  const { http, limits, parse } = running
  test.each<[string, Partial<Config>]>([
    ['listen', { listen: { kind: 'tcp', host: '127.0.0.1', port: 1 } }],
    ['ioWorkers', { ioWorkers: 3 }],
    ['parse.workers', { parse: { ...parse, workers: 9 } }],
    ['parse.isolation', { parse: { ...parse, isolation: 'process' } }],
    ['http.threads', { http: { ...http, threads: 2 } }],
    ['http.tls', { http: { ...http, tls: { ...TLS, clientCa: 'an authority' } } }],
    ['metrics.listen', { metrics: { listen: { kind: 'tcp', host: '127.0.0.1', port: 9464 } } }],
    ['limits.bodyBytes', { limits: { ...limits, bodyBytes: 1 } }],
    ['limits.operationTimeout', { limits: { ...limits, operationTimeoutMs: 1 } }],
    ['telemetry.traces', { telemetry: { traces: 'otlp' } }],
  ])('leaves %s as it runs, and says so', (path, other) => {
    const change = configChange(running, { ...running, ...other })
    expect(change.ignored).toEqual([path])
    expect(change.config).toEqual(running)
    // It is said again as long as it is so.
    expect(configChange(change.config, { ...running, ...other }).ignored).toEqual([path])
  })

  test('takes another certificate, and never begins or ends to ask for one', () => {
    const secure = { ...running, http: { ...http, tls: TLS } }
    const renewed = { cert: 'a newer one', key: 'its key' }
    const change = configChange(secure, { ...running, http: { ...http, tls: renewed } })
    expect([change.ignored, change.config.http.tls]).toEqual([[], renewed])
    const asking = { ...renewed, clientCa: 'an authority' }
    const begun = configChange(secure, { ...running, http: { ...http, tls: asking } })
    expect([begun.ignored, begun.config.http.tls]).toEqual([['http.tls.clientCa'], renewed])
    const ended = configChange({ ...secure, http: { ...http, tls: asking } }, secure)
    expect([ended.ignored, ended.config.http.tls]).toEqual([
      ['http.tls.clientCa'],
      { ...TLS, clientCa: 'an authority' },
    ])
  })

  test('takes what can hold at once', () => {
    const next: Config = {
      ...running,
      auth: { tokens: [token('a')] },
      http: { ...http, hosts: ['it.internal'], origins: ['https://it.internal'] },
      egress: { allow: ['10.0.0.0/8'], dnsServers: ['10.0.0.53'] },
      limits: { ...limits, leases: 1, waiters: 2, drainTimeoutMs: 3 },
      targets: { it: target(1) },
    }
    expect(configChange(running, next)).toMatchObject({ config: next, ignored: [] })
  })

  test('counts targets and tokens by their names', () => {
    const before: Config = {
      ...running,
      auth: { tokens: [token('a'), token('b'), token('c')] },
      targets: { one: target(1), two: target(2) },
    }
    const after: Config = {
      ...running,
      auth: { tokens: [token('c', ['x']), token('d'), token('a')] },
      targets: { two: target(3), three: target(3), four: target(4) },
    }
    expect(configChange(before, after)).toMatchObject({
      targets: { added: 2, changed: 1, removed: 1, unchanged: 0 },
      tokens: { added: 1, changed: 1, removed: 1, unchanged: 1 },
    })
  })
})
