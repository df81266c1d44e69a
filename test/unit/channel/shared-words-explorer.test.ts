/** Every interleaving of those who write one word of a channel: what one has said nobody takes back. */
import { describe, expect, test } from 'vitest'
import { Channel } from '../../../src/channel/channel.ts'
import {
  CHECK,
  CHECK_NAMES,
  type CheckName,
  END,
  type EndName,
  SHUT,
  type ShutName,
} from '../../../src/channel/values.ts'
import type { Words } from '../../../src/channel/words.ts'
import {
  CHECKED,
  CLOSED,
  channelOn,
  channelScene,
  HOLDER_BELL,
  IN_END,
  IO_BELL,
  LoadThenStore,
  loanOn,
  OUT_END,
  Overwriting,
  StoreForOr,
  TOLD,
} from '../../support/channel-scenes.ts'
import { countingExplorer } from '../../support/explored-scenes.ts'
import { explore, type Scene, type Thread } from '../../support/interleavings.ts'
import { check } from '../../support/ring-threads.ts'

const exploreAll = countingExplorer()

type Through = (words: Words) => Words
const asTheyAre: Through = words => words

/** The two words that are settled once: how each is written and read. */
const SETTLED = {
  inEnd: { word: IN_END, end: 'endInbound', look: 'inEnd' },
  closed: { word: CLOSED, end: 'close', look: 'closed' },
} as const
type Settled = (typeof SETTLED)[keyof typeof SETTLED]

type Seen = { readonly seen: number; readonly turn: number }

/** One look, which must show what the thread has seen before, if that was an end. */
function looked(channel: Channel, { look }: Settled, seen: number): number {
  const now = END[channel[look]]
  check(seen === END.open || seen === now, `the end ${seen} that was seen has become ${now}`)
  return now
}

/** Says how the channel ends, one way after another, and looks after each. */
function ender(told: number, ends: readonly EndName[], settled: Settled, through: Through): Thread<Seen> {
  return {
    name: ends.join('-then-'),
    start: { seen: END.open, turn: 0 },
    operation({ seen, turn }, memory) {
      const channel = channelOn(through(memory))
      channel[settled.end](ends[turn] ?? 'reset')
      const now = looked(channel, settled, seen)
      if (turn + 1 < ends.length) return { seen: now, turn: turn + 1 }
      memory.store(told, now)
      memory.store(HOLDER_BELL, 1)
      return null
    },
  }
}

/** Looks so many times, whenever that is. */
function observer(looks: number, settled: Settled): Thread<Seen> {
  return {
    name: 'observer',
    start: { seen: END.open, turn: 0 },
    operation({ seen, turn }, memory) {
      const now = looked(channelOn(memory), settled, seen)
      return turn + 1 < looks ? { seen: now, turn: turn + 1 } : null
    },
  }
}

/** Waits for the end at its doorbell, and tells which it was. */
function listener(told: number, settled: Settled): Thread<Seen> {
  return {
    name: 'listener',
    start: { seen: END.open, turn: 0 },
    operation({ turn }, memory) {
      const now = looked(channelOn(memory), settled, END.open)
      if (now === END.open) {
        memory.awaitBell(HOLDER_BELL)
        return { seen: END.open, turn: turn + 1 }
      }
      memory.store(told, now)
      return null
    },
  }
}

function endsScene(settled: Settled, enders: ReadonlyArray<readonly EndName[]>, through: Through): Scene {
  const told = enders.map((_, index) => TOLD + index)
  const heard = TOLD + enders.length
  return channelScene({
    threads: [
      ...enders.map((ends, index) => ender(TOLD + index, ends, settled, through)),
      observer(3, settled),
      listener(heard, settled),
    ],
    atEnd: words => {
      const firsts: readonly number[] = enders.map(ends => END[ends[0] ?? 'reset'])
      const end = words[settled.word] ?? 0
      check(firsts.includes(end), `${end} came last, and no thread said it first`)
      for (const word of [...told, heard])
        check(words[word] === end, `a thread saw ${words[word]}, and ${end} stands`)
    },
  })
}

describe.each(Object.entries(SETTLED))('Channel.%s', (name, settled) => {
  const writers =
    name === 'inEnd' ? ([['fin', 'reset'], ['killed']] as const) : ([['closed'], ['workerLost']] as const)

  test('is settled by the first of two threads, and all agree on it ever after', () => {
    exploreAll([
      endsScene(settled, writers, asTheyAre),
      endsScene(settled, [['fin'], ['expired', 'killed']], asTheyAre),
    ])
  })

  test('is settled by the first of three threads', () => {
    exploreAll([endsScene(settled, [['fin'], ['killed'], ['expired']], asTheyAre)])
  })

  test('would change under its observers if it were looked at first and stored next', () => {
    const faulty = endsScene(settled, writers, words => new LoadThenStore(words))
    expect(() => explore(faulty)).toThrow(
      /^violation: .*the end \d+ that was seen has become \d+|^violation: .*a thread saw/,
    )
  })
})

/** Asks for one thing after another. */
function asker(
  name: string,
  requests: readonly ShutName[],
  through: Through,
): Thread<{ readonly turn: number }> {
  return {
    name,
    start: { turn: 0 },
    operation({ turn }, memory) {
      channelOn(through(memory)).requestShut(requests[turn] ?? 'abort')
      return turn + 1 < requests.length ? { turn: turn + 1 } : null
    },
  }
}

/** The I/O worker, which looks at what is asked for: so many times, and it only ever becomes more. */
function strengthObserver(looks: number): Thread<Seen> {
  return {
    name: 'observer',
    start: { seen: SHUT.open, turn: 0 },
    operation({ seen, turn }, memory) {
      const now = SHUT[channelOn(memory).shut]
      check(now >= seen, `the request ${seen} that was seen has become ${now}`)
      return turn + 1 < looks ? { seen: now, turn: turn + 1 } : null
    },
  }
}

function shutScene(askers: Readonly<Record<string, readonly ShutName[]>>, through: Through): Scene {
  const all = Object.values(askers).flat()
  return channelScene({
    threads: [
      ...Object.entries(askers).map(([name, requests]) => asker(name, requests, through)),
      strengthObserver(4),
    ],
    atEnd: words => {
      for (const how of all) check(((words[OUT_END] ?? 0) & SHUT[how]) !== 0, `the request to ${how} is lost`)
    },
  })
}

describe('Channel.requestShut', () => {
  const askers = { holder: ['finish', 'close'], pool: ['abort'] } as const

  test('loses no request of a holder and its pool, and what is asked for only becomes more', () => {
    exploreAll([
      shutScene(askers, asTheyAre),
      shutScene({ holder: ['close'], pool: ['abort', 'close'], other: ['finish'] }, asTheyAre),
    ])
  })

  test('would lose one if it stored the flags that it had looked at', () => {
    expect(() => explore(shutScene(askers, words => new StoreForOr(words)))).toThrow(
      /^violation: .*the request (\d that was seen has become \d|to \w+ is lost)/,
    )
  })

  test('would lose one if it stored its flag alone', () => {
    expect(() => explore(shutScene(askers, words => new Overwriting(words)))).toThrow(
      /^violation: .*the request (\d that was seen has become \d|to \w+ is lost)/,
    )
  })
})

/** How many of the two sides of a loan have taken it, and which number the lender then sees. */
function loanScene(through: Through): Scene {
  const [begun, calledOff, seen] = [TOLD, TOLD + 1, TOLD + 2]
  const borrower: Thread = {
    name: 'borrower',
    start: {},
    operation(_state, memory) {
      memory.store(begun, loanOn(through(memory)).begin(7) ? 1 : 0)
      return null
    },
  }
  const lender: Thread = {
    name: 'lender',
    start: {},
    operation(_state, memory) {
      const loan = loanOn(through(memory))
      loan.recall()
      const isOff = loan.callOff()
      memory.store(calledOff, isOff ? 1 : 0)
      if (!isOff) memory.store(seen, loan.borrower)
      check(loan.isRecalled, 'the recall is lost')
      return null
    },
  }
  return channelScene({
    threads: [borrower, lender],
    atEnd: words => {
      const taken = (words[begun] ?? 0) + (words[calledOff] ?? 0)
      check(taken === 1, `the task was taken ${taken} times`)
      check(words[calledOff] === 1 || words[seen] === 7, 'the lender does not know who has begun')
    },
  })
}

describe('LoanWords', () => {
  test('are taken by one of two sides, and the other knows by which', () => {
    exploreAll([loanScene(asTheyAre)])
  })

  test('would be taken by both, or lose a recall, if they were looked at first and stored next', () => {
    expect(() => explore(loanScene(words => new StoreForOr(words)))).toThrow(
      /^violation: Error: the (task was taken 2 times|recall is lost)/,
    )
  })
})

/** What the I/O worker finds at the release that begins each epoch. */
const FOUND: Readonly<Record<number, CheckName>> = { 2: 'clean', 4: 'unread' }
const LAST_EPOCH = 4

type OnWords = (words: Words) => Channel

/** Hears of releases, and says what it found, which may be long after it has looked. */
function checker(channelOf: OnWords): Thread<{ readonly settled: number }> {
  return {
    name: 'worker',
    start: { settled: 0 },
    operation({ settled }, memory) {
      const channel = channelOf(memory)
      memory.awaitBell(IO_BELL)
      const { epoch } = channel
      const found = FOUND[epoch]
      if (found === undefined || epoch === settled) return { settled }
      channel.setChecked(epoch, found)
      memory.store(HOLDER_BELL, 1)
      return epoch === LAST_EPOCH ? null : { settled: epoch }
    },
  }
}

/** Leases and releases twice; gives up the wait for the first finding at any moment, and waits for the second. */
function releaser(channelOf: OnWords): Thread<{ readonly at: 'lease' | 'release' | 'look' | 'await' }> {
  return {
    name: 'pool',
    start: { at: 'lease' },
    operation({ at }, memory) {
      const channel = channelOf(memory)
      switch (at) {
        case 'lease':
          channel.advanceEpoch()
          return { at: 'release' }
        case 'release':
          channel.advanceEpoch()
          memory.store(IO_BELL, 1)
          return { at: 'look' }
        case 'await':
          memory.awaitBell(HOLDER_BELL)
          return { at: 'look' }
        case 'look': {
          const { epoch } = channel
          const found = channel.checkedAt(epoch)
          check(found === 'none' || found === FOUND[epoch], `epoch ${epoch} was found ${found}`)
          if (epoch !== LAST_EPOCH) return { at: 'lease' }
          return found === 'none' ? { at: 'await' } : null
        }
        default:
          return at satisfies never
      }
    },
  }
}

describe('Channel.checkedAt', () => {
  const scene = (channelOf: OnWords): Scene =>
    channelScene({ threads: [releaser(channelOf), checker(channelOf)] })

  test('never takes what was found at one release for another’s', () => {
    exploreAll([scene(channelOn)])
  })

  test('would, if the word said only what was found', () => {
    class Epochless extends Channel {
      override setChecked(_epoch: number, found: CheckName): void {
        this.words.store(CHECKED, CHECK[found])
      }

      override checkedAt(): keyof typeof CHECK {
        return CHECK_NAMES[this.words.load(CHECKED)] ?? 'error'
      }
    }
    const epochless = (words: Words): Channel => new Epochless(channelOn(words).memory, words)
    expect(() => explore(scene(epochless))).toThrow(/^violation: .*epoch 4 was found clean/)
  })
})
