/** What is promised of a fleet, seen from outside: eight instances of the built service, an engine, and an upstream that counts. */
import { afterAll, expect, type TestContext, test } from 'vitest'
import { anywhere } from '../fleet/anywhere.ts'
import { chaos } from '../fleet/chaos.ts'
import { Field } from '../fleet/field.ts'
import { ANYWHERE, CAP, CHAOS, INSTANCES, SKEW } from '../fleet/scales.ts'
import { skew } from '../fleet/skew.ts'
import { TROUBLES } from '../fleet/troubles.ts'
import { REDIS_COMMAND } from '../soak/redis-server.ts'
import { requireProgram } from '../support/own-program.ts'

/** Milliseconds of chaos are a minute; the others wait for nothing that takes long, but on a machine that is busy. */
const CHAOS_TIMEOUT_MS = 600_000
const TIMEOUT_MS = 300_000
const seed = Math.floor(Math.random() * 1e6)

let opened: Promise<Field> | null = null

/** One fleet for all of the tests, the last of which leaves it to be ended. */
async function fleet({ skip }: TestContext): Promise<Field> {
  await requireProgram(REDIS_COMMAND, 'redis-server', skip)
  opened ??= Field.open({ instances: INSTANCES, cap: CAP })
  return await opened
}

afterAll(async () => {
  const field = await opened
  expect(await field?.close()).toEqual(field && [])
}, TIMEOUT_MS)

test('a lease is good at every instance, call by call and as a stream', {
  timeout: TIMEOUT_MS,
}, async context => {
  const { violations, figures } = await anywhere(await fleet(context), { ...ANYWHERE.small, seed })
  expect(violations).toEqual([])
  expect(figures).toMatchObject({ leases: ANYWHERE.small.leases })
})

test('an instance that alone is asked gets what lies idle at the others', {
  timeout: TIMEOUT_MS,
}, async context => {
  const { violations } = await skew(await fleet(context), SKEW.small)
  expect(violations).toEqual([])
})

test('the cap holds while instances and the engine end, start and stand still', {
  timeout: CHAOS_TIMEOUT_MS,
}, async context => {
  const { violations, figures } = await chaos(await fleet(context), { ...CHAOS.small, seed })
  expect(violations).toEqual([])
  for (const trouble of TROUBLES) expect(figures[`troubles: ${trouble}`]).toBeGreaterThan(0)
})
