import { expect, test } from 'vitest'
import { canary } from '../soak/canary.ts'
import { CANARY } from '../soak/scales.ts'
import { watchLeaks } from '../support/leak-watch.ts'

const { SOCKPOOL_TEST_SEED } = process.env
const SEED = Number(SOCKPOOL_TEST_SEED ?? Math.floor(Math.random() * 1_000_000))

test(`callers of 64 connections that give up at any time hear no byte of one another (seed ${SEED})`, async () => {
  watchLeaks()
  const { figures, violations } = await canary({ ...CANARY.small, seed: SEED })
  expect(violations).toEqual([])
  const { answers } = figures
  expect(answers).toBeGreaterThan(CANARY.small.leases / 2)
})
