import { expect, test } from 'vitest'
import { Claim } from '../../../src/channel/claim.ts'

test('Claim is taken once, by whichever side comes first', () => {
  const here = new Claim()
  const there = new Claim(structuredClone(here.memory))
  expect(there.take()).toBe(true)
  expect(here.take()).toBe(false)
  expect(there.take()).toBe(false)
})
