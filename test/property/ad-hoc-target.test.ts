/** What callers may describe as a target, from their JSON to what is dialled: a target or INVALID_REQUEST, never less. */
import { Compile } from 'typebox/compile'
import { describe, expect, onTestFinished, test } from 'vitest'
import { SockpoolError } from '../../src/base/errors.ts'
import type { Target } from '../../src/config/target.ts'
import { EgressRules } from '../../src/egress/egress-rules.ts'
import { admit } from '../../src/egress/judge.ts'
import { rebuildTarget } from '../../src/http/leases/ad-hoc-target.ts'
import type { CallerTarget } from '../../src/http/ports.ts'
import { TargetSchema } from '../../src/http/routes/schemas.ts'
import { describedTarget } from '../../src/library/described-target.ts'
import { targetFuzz } from '../support/target-fuzz.ts'

const { SOCKPOOL_TEST_LONG } = process.env
/** All 10^6 take 25 s of one core, and do so with SOCKPOOL_TEST_LONG=1. */
const BODIES = SOCKPOOL_TEST_LONG === '1' ? 1_000_000 : 200_000
/** Fixed, so that a failure comes again. */
const seed = 20_260_401

const FIELDS = ['host', 'port', 'tls']
const gate = Compile(TargetSchema)
const rules = new EgressRules(['*', '127.0.0.0/8', '::1/128'])

type Outcome =
  | { readonly kind: 'built'; readonly target: Target }
  | { readonly kind: 'refused' }
  | { readonly kind: 'fault'; readonly fault: string }

/** What a caller put beside the known fields must not be in what is handed on, whoever looked at it before. */
function isBare(rebuilt: unknown): boolean {
  if (typeof rebuilt !== 'object' || rebuilt === null) return true
  return Object.getPrototypeOf(rebuilt) === null && Object.keys(rebuilt).every(key => FIELDS.includes(key))
}

/** As the pool builds it, and as its addresses are judged; no schema has looked at the value. */
function build(value: unknown): Outcome {
  try {
    const { target } = describedTarget(value as CallerTarget, { max: 1, isOwnAuthority: false })
    const [place] = target.hosts
    if (place) admit({ ...place, authority: { kind: 'rules', rules } })
    return { kind: 'built', target }
  } catch (error) {
    if (!(error instanceof SockpoolError)) return { kind: 'fault', fault: String(error) }
    if (error.code === 'TARGET_DENIED') return { kind: 'refused' }
    const { code, errors = [] } = error
    const isLocated = errors.length > 0 && errors.every(({ path, message }) => path !== undefined && message)
    return code === 'INVALID_REQUEST' && isLocated
      ? { kind: 'refused' }
      : { kind: 'fault', fault: `${code} ${error}` }
  }
}

/** What is wrong with a target that was built, or null. */
function faultOf({ hosts, tls, reuse }: Target): string | null {
  const [place] = hosts
  if (hosts.length !== 1 || !place || Object.keys(place).join() !== 'host,port') return 'not one place'
  if (typeof place.host !== 'string' || place.host === '') return 'no host'
  if (!Number.isInteger(place.port) || place.port < 1 || place.port > 65_535) return 'no port'
  if (reuse !== 'never') return 'reused'
  if (tls === false) return null
  const known = ['servername', 'ca', 'alpn', 'minVersion']
  if (Object.keys(tls).some(key => !known.includes(key))) return 'an unknown field of tls'
  const texts = [tls.servername, tls.ca, tls.minVersion, ...(tls.alpn ?? [])]
  return texts.every(text => text === undefined || typeof text === 'string') ? null : 'tls is no text'
}

/** The value without what says nothing: null, and what only programs may say. */
function told(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  const entries = Object.entries(value).filter(([key, own]) => own !== null && key !== 'connectTimeoutMs')
  return Object.fromEntries(entries.map(([key, own]) => [key, key === 'tls' ? told(own) : own]))
}

describe('the builder of described targets', () => {
  test('makes of any JSON a whole target or INVALID_REQUEST', { timeout: 300_000 }, () => {
    const { stackTraceLimit } = Error
    onTestFinished(() => {
      Error.stackTraceLimit = stackTraceLimit
    })
    // Nobody reads the traces of refusals, and they are a sixth of the time.
    Error.stackTraceLimit = 0
    const fuzz = targetFuzz(seed)
    const counts = { passed: 0, built: 0, refused: 0 }
    const faults: string[] = []
    for (let n = 0; n < BODIES; n++) {
      const value = fuzz.next()
      const passes = gate.Check(value)
      if (passes) counts.passed++
      const rebuilt = rebuildTarget(value as CallerTarget)
      if (!isBare(rebuilt)) faults.push(`a surplus was handed on: ${JSON.stringify(value)}`)
      // What the schema has refused reaches the builder as it came: the builder must not rely on the schema.
      const outcome = build(passes ? rebuilt : value)
      switch (outcome.kind) {
        case 'refused':
          counts.refused++
          break
        case 'built': {
          counts.built++
          const fault =
            faultOf(outcome.target) ?? (passes || gate.Check(told(value)) ? null : 'beyond the schema')
          if (fault !== null) faults.push(`${fault}: ${JSON.stringify(value)}`)
          break
        }
        case 'fault':
          faults.push(`${outcome.fault}: ${JSON.stringify(value)}`)
          break
        default:
          outcome satisfies never
      }
    }
    expect(faults.slice(0, 10)).toEqual([])
    expect(counts.built + counts.refused).toBe(BODIES)
    // The generator is worth something only where both ways are taken often.
    expect(counts.passed).toBeGreaterThan(BODIES / 50)
    expect(counts.built).toBeGreaterThan(BODIES / 100)
    expect(counts.refused).toBeGreaterThan(BODIES / 50)
    expect(({} as { path?: unknown }).path).toBeUndefined()
  })
})
