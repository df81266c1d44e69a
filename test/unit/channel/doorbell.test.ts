import { setImmediate as nextTurn } from 'node:timers/promises'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { LIMITS } from '../../../src/base/limits.ts'
import {
  allocateDoorbell,
  Doorbell,
  doorbellWords,
  Ringer,
  RungSet,
  TurnRinger,
} from '../../../src/channel/doorbell.ts'
import { SharedWords } from '../../../src/channel/words.ts'
import { collectUntil } from '../../support/collect-garbage.ts'
import { until } from '../../support/until.ts'

const SLEEPING = 0

/** Counts the notifications of a ringer, and keeps them back where it is `mute`. */
class RingerWords extends SharedWords {
  notifications = 0
  mute = false

  override notify(word: number): void {
    this.notifications++
    if (!this.mute) super.notify(word)
  }
}

const opened: Doorbell[] = []

afterEach(() => {
  for (const doorbell of opened.splice(0)) doorbell.stop()
  vi.useRealTimers()
})

/** A doorbell with a ringer, and the channels that were visited in order. */
function open(lingerTurns = 0) {
  const memory = allocateDoorbell()
  const words = doorbellWords(memory)
  const ringing = new RingerWords(new Int32Array(memory), 0, 1)
  const visits: number[] = []
  const listeners: Array<() => void> = []
  const visit = (channel: number): void => {
    visits.push(channel)
    for (const heard of listeners.splice(0)) heard()
  }
  const doorbell = new Doorbell(memory, visit, { lingerTurns })
  doorbell.cover(128)
  opened.push(doorbell)
  const visited = (): Promise<void> => new Promise(resolve => listeners.push(resolve))
  return { doorbell, words, ringing, ringer: new Ringer(ringing), visits, visited }
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await nextTurn()
}

describe('Doorbell', () => {
  test('collects a burst of rings into one notification and one sweep', async () => {
    const { doorbell, ringing, ringer, visits, visited } = open()
    const first = visited()
    for (let round = 0; round < 3; round++)
      for (let channel = 0; channel < 100; channel++) ringer.ring(channel)
    expect(ringing.notifications).toBe(1)
    expect(visits).toEqual([])
    await first
    expect(visits).toEqual(Array.from({ length: 100 }, (_, channel) => channel))
    expect(doorbell.sweeps).toBe(1)
    expect(doorbell.missed).toBe(0)
  })

  test('sleeps with its flag up and is awake with it down', async () => {
    const { words, ringer, visited } = open()
    expect(words.load(SLEEPING)).toBe(1)
    const first = visited()
    ringer.ring(5)
    expect(words.load(SLEEPING)).toBe(0)
    await first
    expect(words.load(SLEEPING)).toBe(0)
    await turns(3)
    expect(words.load(SLEEPING)).toBe(1)
  })

  test.each([
    [0, 2],
    [2, 4],
  ])('with %i linger turns looks %i times for one ring before it sleeps', async (lingerTurns, sweeps) => {
    const { doorbell, ringer, visited } = open(lingerTurns)
    const first = visited()
    ringer.ring(1)
    await first
    await turns(10)
    expect(doorbell.sweeps).toBe(sweeps)
  })

  test('hears rings that come while it is awake without a notification', async () => {
    const { ringing, ringer, visits, visited } = open()
    const first = visited()
    ringer.ring(1)
    await first
    const second = visited()
    ringer.ring(2)
    await second
    expect(visits).toEqual([1, 2])
    expect(ringing.notifications).toBe(1)
  })

  test('hears again after every sleep', async () => {
    const { ringer, visits, visited } = open()
    for (let round = 0; round < 5; round++) {
      const heard = visited()
      ringer.ring(round)
      await heard
      await turns(3)
    }
    expect(visits).toEqual([0, 1, 2, 3, 4])
  })

  test('stirred by its own thread looks by itself and nobody notifies it', async () => {
    const { doorbell, ringing, ringer, words, visits } = open()
    doorbell.stir()
    expect(words.load(SLEEPING)).toBe(0)
    ringer.ring(7)
    expect(ringing.notifications).toBe(0)
    await turns(1)
    expect(visits).toEqual([7])
  })

  test('visits nobody after stop', async () => {
    const { doorbell, ringer, visits } = open()
    doorbell.stir()
    ringer.ring(1)
    doorbell.stop()
    doorbell.stir()
    ringer.ring(2)
    await turns(3)
    expect(visits).toEqual([])
  })
})

describe('Doorbell.stop', () => {
  /** A doorbell whose visits hold on to `ballast`, which nobody else does. */
  function holding(): { doorbell: Doorbell; ringer: Ringer; ballast: WeakRef<Uint8Array> } {
    const memory = allocateDoorbell()
    const ballast = new Uint8Array(1_024)
    const visit = (channel: number): void => void ballast.fill(channel)
    const options = { lingerTurns: 0, onTurn: () => void ballast.fill(0) }
    const doorbell = new Doorbell(memory, visit, options)
    doorbell.cover(32)
    return { doorbell, ringer: Ringer.of(memory), ballast: new WeakRef(ballast) }
  }

  /** Ways of a doorbell to be when it is stopped. */
  const STANDING: Record<string, (made: ReturnType<typeof holding>) => Promise<void>> = {
    'while it sleeps': async () => {},
    'in the turn in which it was rung': async ({ ringer }) => ringer.ring(3),
    'while it looks': async ({ doorbell }) => doorbell.stir(),
    'when it has slept, heard and slept again': async ({ doorbell, ringer }) => {
      ringer.ring(3)
      await until('the ring was heard', () => doorbell.sweeps > 0)
      await turns(4)
    },
    'with a look for missed rings under way': async ({ doorbell, ringer }) => {
      ringer.ring(3)
      doorbell.findMissed(() => {})
    },
  }

  test.each(Object.keys(STANDING))('lets go of all that it held: %s', async standing => {
    const made = await Promise.all(
      Array.from({ length: 100 }, async () => {
        const one = holding()
        await STANDING[standing]?.(one)
        one.doorbell.stop()
        return one.ballast
      }),
    )
    await collectUntil('all was collected', () => made.every(ballast => ballast.deref() === undefined))
  })

  test('is heard by no visit and no turn, whatever is rung by then or later', async () => {
    const memory = allocateDoorbell()
    const ringer = Ringer.of(memory)
    const calls: string[] = []
    const doorbell = new Doorbell(memory, channel => calls.push(`visit ${channel}`), {
      lingerTurns: 2,
      onTurn: () => calls.push('turn'),
    })
    doorbell.cover(32)
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    ringer.ring(1)
    doorbell.findMissed(() => calls.push('missed'))
    doorbell.stop()
    doorbell.stop()
    expect(vi.getTimerCount()).toBe(0)
    ringer.ring(2)
    doorbell.stir()
    doorbell.findMissed(() => calls.push('missed'))
    expect(vi.getTimerCount()).toBe(0)
    await turns(3)
    expect(calls).toEqual([])
    expect(doorbellWords(memory).load(SLEEPING)).toBe(0)
  })

  test('in the middle of a sweep ends it: the others are not visited', async () => {
    const memory = allocateDoorbell()
    const ringer = Ringer.of(memory)
    const visits: number[] = []
    const visit = (channel: number): void => {
      visits.push(channel)
      doorbell.stop()
    }
    const doorbell: Doorbell = new Doorbell(memory, visit, { lingerTurns: 0 })
    doorbell.cover(128)
    for (const channel of [4, 5, 77]) ringer.ring(channel)
    await until('it was heard', () => visits.length > 0)
    await turns(3)
    expect(visits).toEqual([4])
    expect(doorbell.sweeps).toBe(1)
  })
})

describe('Doorbell.findMissed', () => {
  test.each(['before', 'after'])('finds a ring whose ringer died %s it lowered the flag', async when => {
    const { doorbell, ringing, ringer, words, visits, visited } = open()
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    if (when === 'before') words.or(16, 1 << 3)
    else {
      ringing.mute = true
      ringer.ring(3)
    }
    await turns(3)
    expect(visits).toEqual([])
    const onMissed = vi.fn()
    const heard = visited()
    doorbell.findMissed(onMissed)
    vi.advanceTimersByTime(LIMITS.missedConfirmMs)
    await heard
    expect(visits).toEqual([3])
    expect(doorbell.missed).toBe(1)
    expect(onMissed).toHaveBeenCalledOnce()
    await turns(3)
    ringing.mute = false
    const next = visited()
    ringer.ring(4)
    await next
    expect(visits).toEqual([3, 4])
  })

  test('does not count a ring that is still on its way', async () => {
    const { doorbell, ringer, visited } = open()
    // As the sweep timer's, this code runs in the timers' phase of the loop, before it polls.
    await new Promise<void>(resolve => setTimeout(resolve, 1))
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const onMissed = vi.fn()
    const heard = visited()
    ringer.ring(3)
    doorbell.findMissed(onMissed)
    // The loop was busy for the whole time: the timer is due before the notification is heard.
    vi.advanceTimersByTime(LIMITS.missedConfirmMs)
    await heard
    await turns(3)
    expect(onMissed).not.toHaveBeenCalled()
    expect(doorbell.missed).toBe(0)
  })
})

describe('RungSet', () => {
  test('empties every bit of every covered word once, in order', () => {
    const words = doorbellWords(allocateDoorbell())
    const ringer = new Ringer(words)
    const set = new RungSet(words, LIMITS.channelsMax)
    const rung = [0, 30, 31, 32, 63, 64, LIMITS.channelsMax - 1]
    for (const channel of [...rung].reverse()) ringer.ring(channel)
    const visits: number[] = []
    expect(set.isEmpty).toBe(false)
    expect(set.sweep(channel => visits.push(channel))).toBe(rung.length)
    expect(visits).toEqual(rung)
    expect(set.isEmpty).toBe(true)
    expect(set.sweep(channel => visits.push(channel))).toBe(0)
  })

  test('looks only as far as it was told to, and never less far than before', () => {
    const words = doorbellWords(allocateDoorbell())
    const set = new RungSet(words, 32)
    new Ringer(words).ring(40)
    expect(set.isEmpty).toBe(true)
    set.cover(64)
    set.cover(1)
    expect(set.isEmpty).toBe(false)
  })

  test('refuses to sleep while something is rung, and takes its flag back', () => {
    const words = doorbellWords(allocateDoorbell())
    const set = new RungSet(words, 32)
    expect(set.trySleep()).toBe(true)
    expect(words.load(SLEEPING)).toBe(1)
    set.wake()
    new Ringer(words).ring(1)
    expect(set.trySleep()).toBe(false)
    expect(words.load(SLEEPING)).toBe(0)
  })
})

test('TurnRinger sets bits at once, and notifies once for a turn', async () => {
  const { ringing, visits, visited } = open()
  const promiseFlush = vi.fn()
  const turn = new TurnRinger(ringing, promiseFlush)
  turn.flush()
  turn.ring(3)
  turn.ring(9)
  expect(promiseFlush).toHaveBeenCalledOnce()
  expect(ringing.notifications).toBe(0)
  const heard = visited()
  turn.flush()
  turn.flush()
  expect(ringing.notifications).toBe(1)
  await heard
  expect(visits).toEqual([3, 9])
  turn.ring(1)
  expect(promiseFlush).toHaveBeenCalledTimes(2)
})

test('TurnRinger wakes before the end of a turn in which many are rung', async () => {
  const { ringing, visits, visited } = open()
  const turn = new TurnRinger(ringing, () => {})
  for (let channel = 0; channel < LIMITS.ringsPerWake - 1; channel++) turn.ring(channel)
  expect(ringing.notifications).toBe(0)
  const heard = visited()
  turn.ring(LIMITS.ringsPerWake)
  expect(ringing.notifications).toBe(1)
  await heard
  expect(visits).toHaveLength(LIMITS.ringsPerWake)
  turn.flush()
})
