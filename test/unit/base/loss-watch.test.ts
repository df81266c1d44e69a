import { expect, test } from 'vitest'
import { LossWatch, type Watched } from '../../../src/base/loss-watch.ts'
import { collected, collectUntil } from '../../support/collect-garbage.ts'

function watching(): { watch: LossWatch<string>; lost: string[] } {
  const lost: string[] = []
  return { watch: new LossWatch<string>(value => lost.push(value)), lost }
}

/** Watches the values by grips that nothing refers to but the list. */
function gripsOf(watch: LossWatch<string>, values: readonly string[]): object[] {
  return values.map(value => {
    const grip = {}
    watch.watch(grip, value)
    return grip
  })
}

test('LossWatch tells of each value whose grip is out of reach, once', async () => {
  const { watch, lost } = watching()
  const kept = {}
  watch.watch(kept, 'kept')
  for (const value of ['one', 'two', 'three']) watch.watch({}, value)
  await collectUntil('they were told', () => lost.length === 3)
  await collected()
  expect(lost.toSorted()).toEqual(['one', 'three', 'two'])
  expect(kept).toBeDefined()
})

test('LossWatch says nothing of what was forgotten, however often, and not for what took its place', async () => {
  const { watch, lost } = watching()
  const forgotten: Watched[] = [watch.watch({}, 'a'), watch.watch({}, 'b')]
  for (const watched of [...forgotten, ...forgotten]) watch.forget(watched)
  const grips = gripsOf(watch, ['kept 0', 'kept 1', 'kept 2'])
  for (const watched of forgotten) watch.forget(watched)
  await collected()
  expect(lost).toEqual([])
  grips.length = 1
  await collectUntil('they were told', () => lost.length === 2)
  expect(lost.toSorted()).toEqual(['kept 1', 'kept 2'])
  expect(grips).toHaveLength(1)
})

test('LossWatch can be told to forget what it has told of', async () => {
  const { watch, lost } = watching()
  const watched = watch.watch({}, 'first')
  await collectUntil('it was told', () => lost.length === 1)
  watch.watch({}, 'second')
  watch.forget(watched)
  await collectUntil('the other was told', () => lost.length === 2)
  expect(lost).toEqual(['first', 'second'])
})
