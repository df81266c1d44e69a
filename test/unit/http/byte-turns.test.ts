import { expect, test } from 'vitest'
import { LIMITS } from '../../../src/base/limits.ts'
import { ByteTurns } from '../../../src/http/byte-turns.ts'

const SHARE = LIMITS.httpBytesPerTurn
const nextTurn = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

test('a turn gives its share and no more', () => {
  const turns = new ByteTurns()
  expect(turns.spent(SHARE - 1)).toBeNull()
  expect(turns.spent(1)).not.toBeNull()
})

test('the next turn has a share of its own', async () => {
  const turns = new ByteTurns()
  await turns.spent(SHARE)
  expect(turns.spent(SHARE - 1)).toBeNull()
})

test('those who wait go on in the order in which they came, so many a turn', async () => {
  const turns = new ByteTurns()
  const perTurn = SHARE / LIMITS.kernelReadBytes
  const order: number[] = []
  const all = Array.from({ length: perTurn * 3 }, async (_, index) => {
    await turns.spent(SHARE)
    order.push(index)
  })
  for (let turn = 0; order.length === 0 && turn < 10; turn++) await nextTurn()
  expect(order.length).toBe(perTurn)
  await Promise.all(all)
  expect(order).toEqual(Array.from({ length: perTurn * 3 }, (_, index) => index))
})

test('others are served between the turns of forty large bodies', async () => {
  const turns = new ByteTurns()
  const pieces = 64
  let between = 0
  let isOver = false
  const look = (): void => {
    between++
    if (!isOver) setImmediate(look)
  }
  setImmediate(look)
  const bodies = Array.from({ length: 40 }, async () => {
    for (let piece = 0; piece < pieces; piece++) {
      const turn = turns.spent(LIMITS.kernelReadBytes)
      if (turn !== null) await turn
    }
  })
  await Promise.all(bodies)
  isOver = true
  expect(between).toBeGreaterThan((40 * pieces * LIMITS.kernelReadBytes) / SHARE / 2)
})
