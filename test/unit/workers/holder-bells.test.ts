import { expect, test } from 'vitest'
import { allocateDoorbell, doorbellWords, RungSet, TurnRinger } from '../../../src/channel/doorbell.ts'
import { SlabAllocator, SlabNumbers } from '../../../src/channel/slab.ts'
import { HolderBells } from '../../../workers/io/holder-bells.ts'

/** The word that is 1 while the owner of a doorbell sleeps. */
const SLEEPING = 0

/** A doorbell, and which channels it was rung for since the last look. */
function bell() {
  const memory = allocateDoorbell()
  const words = doorbellWords(memory)
  const set = new RungSet(words, 64)
  const rung = (): number[] => {
    const numbers: number[] = []
    set.sweep(number => numbers.push(number))
    return numbers
  }
  return { memory, words, set, rung }
}

function bells(holders: ReadonlyMap<number, SharedArrayBuffer> = new Map()) {
  const pool = bell()
  const promises: number[] = []
  const promise = (): void => void promises.push(1)
  const all = new HolderBells(new TurnRinger(doorbellWords(pool.memory), promise), holders, promise)
  return { pool, all, promises }
}

const channel = new SlabAllocator({ inboundBytes: 64, outboundBytes: 64 }, new SlabNumbers()).take()

test('HolderBells rings the pool while it holds a channel, then the attached thread that does', () => {
  const thread = bell()
  const { pool, all } = bells(new Map([[7, thread.memory]]))
  channel.setHolder(0)
  all.ring(channel)
  expect([pool.rung(), thread.rung()]).toEqual([[channel.number], []])
  channel.setHolder(7)
  all.ring(channel)
  expect([pool.rung(), thread.rung()]).toEqual([[], [channel.number]])
})

test('HolderBells rings the pool for a thread that it does not know yet, or any more', () => {
  const thread = bell()
  const { pool, all } = bells()
  channel.setHolder(3)
  all.ring(channel)
  expect(pool.rung()).toEqual([channel.number])
  all.set(3, thread.memory)
  all.ring(channel)
  expect([pool.rung(), thread.rung()]).toEqual([[], [channel.number]])
  all.set(3, null)
  all.ring(channel)
  expect([pool.rung(), thread.rung()]).toEqual([[channel.number], []])
})

test('HolderBells wakes a sleeping thread at the flush that it was promised', () => {
  const thread = bell()
  const { all, promises } = bells(new Map([[1, thread.memory]]))
  channel.setHolder(1)
  expect(thread.set.trySleep()).toBe(true)
  all.ring(channel)
  expect([thread.words.load(SLEEPING), promises.length]).toEqual([1, 1])
  all.flush()
  expect(thread.words.load(SLEEPING)).toBe(0)
})
