/** What callers may describe as a target, from their JSON to what is dialled: a target or INVALID_REQUEST, never less. */
import { Compile } from 'typebox/compile'
import { describe, expect, test } from 'vitest'
import { SockpoolError } from '../../src/base/errors.ts'
import { normaliseTarget, type Target } from '../../src/config/target.ts'
import { rebuildTarget } from '../../src/http/ad-hoc-target.ts'
import type { AdHocTarget } from '../../src/http/parts.ts'
import { TargetSchema } from '../../src/http/schemas.ts'
import { targetFuzz } from '../support/target-fuzz.ts'

const BODIES = 1_000_000
/** How many that the schema has refused go on to the builder all the same: it must not rely on the schema. */
const REFUSED_SHARE = 40

const gate = Compile(TargetSchema)
/** Fixed, so that a failure comes again. */
const seed = 20_260_401

/** As the pool builds it; null where it is refused as it should be. */
function build(value: unknown): Target | null {
  try {
    const rebuilt = rebuildTarget(value as AdHocTarget)
    if (typeof rebuilt === 'string') return null
    const { host, port, tls } = rebuilt
    return normaliseTarget({
      host,
      port,
      ...(tls === undefined ? {} : { tls }),
      pool: { max: 1 },
      reuse: 'never',
    })
  } catch (error) {
    const isRefusal =
      error instanceof SockpoolError && error.code === 'INVALID_REQUEST' && error.errors?.length
    // Values that are no object at all never come past the schema.
    if (isRefusal || !isObject(value)) return null
    throw new Error(`seed ${seed}: ${JSON.stringify(value)}`, { cause: error })
  }
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null
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

describe('the builder of described targets', () => {
  test('makes of any JSON a whole target or INVALID_REQUEST', () => {
    const fuzz = targetFuzz(seed)
    const counts = { passed: 0, built: 0, refused: 0 }
    const faults: string[] = []
    for (let n = 0; n < BODIES; n++) {
      const value = fuzz.next()
      const passes = gate.Check(value)
      if (passes) counts.passed++
      else if (n % REFUSED_SHARE !== 0) continue
      const target = build(value)
      if (target === null) {
        counts.refused++
        continue
      }
      counts.built++
      const fault = faultOf(target)
      if (fault !== null) faults.push(`${fault}: ${JSON.stringify(value)}`)
    }
    expect(faults).toEqual([])
    // The generator is worth something only where both ways are taken often.
    expect(counts.passed).toBeGreaterThan(BODIES / 50)
    expect(counts.built).toBeGreaterThan(BODIES / 100)
    expect(counts.refused).toBeGreaterThan(BODIES / 50)
    expect(({} as { path?: unknown }).path).toBeUndefined()
  })
})
