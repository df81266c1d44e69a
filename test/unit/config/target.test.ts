import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { DEFAULTS } from '../../../src/base/defaults.ts'
import { SockpoolError } from '../../../src/base/errors.ts'
import { normaliseTarget, type Target } from '../../../src/config/target.ts'
import type { TargetInput } from '../../../src/config/target-input.ts'

/** A certificate and its key. */
const PEM = readFileSync(new URL('../../fixtures/config/pair.pem', import.meta.url), 'utf8')
const [CERT = '', KEY = ''] = PEM.split(/(?=-----BEGIN PRIVATE)/)

function faultsOf(input: unknown, path?: string): readonly { path: string; message: string }[] {
  try {
    normaliseTarget(input, path)
  } catch (error) {
    if (error instanceof SockpoolError && error.code === 'INVALID_REQUEST') return error.errors ?? []
    throw error
  }
  return []
}

describe('normaliseTarget', () => {
  it('fills the defaults in', () => {
    expect(normaliseTarget({ host: '127.0.0.1', port: 6379 })).toEqual({
      hosts: [{ host: '127.0.0.1', port: 6379 }],
      balance: 'round-robin',
      tls: false,
      pool: {
        min: DEFAULTS.poolMin,
        max: DEFAULTS.poolMax,
        idleTimeoutMs: DEFAULTS.idleTimeoutMs,
        maxLifetimeMs: DEFAULTS.maxLifetimeMs,
        waitTimeoutMs: DEFAULTS.waitTimeoutMs,
        leaseTtlMs: DEFAULTS.leaseTtlMs,
        connectTimeoutMs: DEFAULTS.connectTimeoutMs,
        maxUses: DEFAULTS.poolMaxUses,
        probeAfterMs: DEFAULTS.probeAfterMs,
        keepaliveMs: DEFAULTS.keepaliveMs,
        maxConnecting: DEFAULTS.poolMaxConnecting,
      },
      breaker: { failures: DEFAULTS.breakerFailures, openForMs: DEFAULTS.breakerOpenForMs },
      reuse: 'never',
    })
  })

  it('takes durations as text, as a number and by their names in milliseconds', () => {
    const pool = { idleTimeout: '60s', maxLifetime: 5_000, leaseTtlMs: 7 }
    const target = normaliseTarget({ host: 'a', port: 1, pool, leakDetectionMs: 9 })
    expect(target.pool).toMatchObject({ idleTimeoutMs: 60_000, maxLifetimeMs: 5_000, leaseTtlMs: 7 })
    expect(target.leakDetectionMs).toBe(9)
  })

  it('passes what it returned through unchanged', () => {
    const input: TargetInput = {
      hosts: ['a:1', { host: '::1', port: 2 }],
      tls: {
        servername: 's',
        ca: Buffer.from(PEM),
        cert: PEM,
        key: PEM,
        alpn: ['h2'],
        minVersion: 'TLSv1.3',
      },
      pool: { min: 1, max: 2, waitTimeout: 0 },
      onConnect: [{ send: 'a' }, { expect: 'b' }],
      probe: [{ send: 'c' }],
      onRelease: [{ send: 'd' }],
      frame: { lengthField: { bytes: 2 } },
      leakDetection: '1m',
    }
    const target: Target = normaliseTarget(input)
    // A Target is itself an input, to the compiler too.
    const again: TargetInput = target
    expect(target.tls).toMatchObject({ ca: CERT, cert: CERT, key: KEY })
    expect(target.reuse).toBe('clean')
    expect(normaliseTarget(again)).toEqual(target)
    expect(normaliseTarget(structuredClone(target))).toEqual(target)
  })

  it('reads tls true as the platform defaults', () => {
    expect(normaliseTarget({ host: 'a', port: 1, tls: true }).tls).toEqual({})
    expect(normaliseTarget({ host: 'a', port: 1, tls: false }).tls).toBe(false)
  })

  it('reads a breaker as true, as false, or as a mapping whose rest is the default', () => {
    const breakerOf = (breaker: NonNullable<TargetInput['breaker']>) =>
      normaliseTarget({ host: 'a', port: 1, breaker }).breaker
    expect(breakerOf(true)).toEqual({ failures: 5, openForMs: 10_000 })
    expect(breakerOf(false)).toBe(false)
    expect(breakerOf({ failures: 2 })).toEqual({ failures: 2, openForMs: 10_000 })
    expect(breakerOf({ openFor: '1s' })).toEqual({ failures: 5, openForMs: 1_000 })
    expect(breakerOf({ openForMs: 7 })).toEqual({ failures: 5, openForMs: 7 })
    const faults = faultsOf({ host: 'a', port: 1, breaker: { failures: 0, openForMs: '1s' } }, 'targets.a')
    expect(faults.map(({ path }) => path).sort()).toEqual([
      'targets.a.breaker.failures',
      'targets.a.breaker.openForMs',
    ])
  })

  it('refuses unknown keys with their path', () => {
    const input = { host: 'a', prt: 1, tls: { rejectUnauthorized: false }, pool: { idleTimeoutMS: 1 } }
    expect(faultsOf(input, 'targets.cache')).toEqual(
      expect.arrayContaining([
        { path: 'targets.cache.prt', message: 'is not a known key; did you mean "port"?' },
        {
          path: 'targets.cache.tls.rejectUnauthorized',
          message: expect.stringMatching(/^is not a known key; known here: servername, ca/),
        },
        {
          path: 'targets.cache.pool.idleTimeoutMS',
          message: expect.stringContaining('did you mean "idleTimeout"'),
        },
        { path: 'targets.cache.port', message: 'is required beside host' },
      ]),
    )
  })

  it('reports a fault under the name the caller used', () => {
    const [idle, wait] = faultsOf({ host: 'a', port: 1, pool: { idleTimeoutMs: -5, waitTimeoutMs: '5s' } })
    expect(idle).toMatchObject({ path: 'pool.waitTimeoutMs', message: 'must be a number of milliseconds' })
    expect(wait).toMatchObject({ path: 'pool.idleTimeoutMs' })
  })

  it('refuses one duration under two names', () => {
    expect(faultsOf({ host: 'a', port: 1, pool: { idleTimeout: 1, idleTimeoutMs: 2 } })).toEqual([
      { path: 'pool.idleTimeoutMs', message: 'cannot stand beside idleTimeout; use one of them' },
    ])
  })

  it.each([
    ['a host that is a list', { host: ['127.0.0.1'], port: 1 }, 'host'],
    ['a host that is an object', { host: { toString: (): string => 'a' }, port: 1 }, 'host.toString'],
    ['a path', { host: 'a', port: 1, path: '/run/x.sock' }, 'path'],
    ['a port as text', { host: 'a', port: '80' }, 'port'],
    ['a fractional port', { host: 'a', port: 80.5 }, 'port'],
    ['a function', { host: 'a', port: 1, lookup: () => null }, 'lookup'],
    ['an instance', { host: 'a', port: 1, pool: new Map() }, 'pool'],
    ['a key that is no PEM', { host: 'a', port: 1, tls: { ca: './ca.pem' } }, 'tls.ca'],
    ['a reference to the environment', { host: 'env:HOME', port: 1 }, 'host'],
    ['not a mapping', 'a:1', ''],
    ['nothing', undefined, ''],
  ])('refuses %s', (_name, input, path) => {
    expect(faultsOf(input).map(fault => fault.path)).toContain(path)
  })

  it('shows no secret in its message', () => {
    const faults = faultsOf({
      host: 'a',
      port: 1,
      tls: { cert: PEM, key: 'hunter2' },
      onConnect: [{ send: 12_345 }],
    })
    expect(JSON.stringify(faults)).not.toMatch(/hunter2|12345/)
    expect(faults).toHaveLength(2)
  })

  it('reads each property once', () => {
    let reads = 0
    const input = {
      port: 1,
      get host() {
        reads++
        return reads === 1 ? 'public.example.com' : '127.0.0.1'
      },
    }
    expect(normaliseTarget(input).hosts).toEqual([{ host: 'public.example.com', port: 1 }])
    expect(reads).toBe(1)
  })

  it('takes nothing from a prototype', () => {
    const input = JSON.parse('{"host": "a", "port": 1, "__proto__": {"tls": true}}')
    expect(faultsOf(input).map(fault => fault.path)).toEqual(['__proto__'])
    const inherited = Object.create({ tls: true })
    expect(faultsOf(Object.assign(inherited, { host: 'a', port: 1 })).map(fault => fault.message)).toContain(
      'must be a plain object',
    )
  })

  it('refuses what is nested without end', () => {
    const input: { host: string; port: number; tls?: unknown } = { host: 'a', port: 1 }
    input.tls = input
    expect(faultsOf(input)).not.toEqual([])
  })
})
