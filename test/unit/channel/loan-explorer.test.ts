/** Every interleaving of a loan: its recall, its bytes and its end; and proof that the explorer sees a fault. */
import { describe, expect, test } from 'vitest'
import { LoanWords } from '../../../src/channel/loan-words.ts'
import type { Words } from '../../../src/channel/words.ts'
import { explore, FaultFound, type Thread, type ThreadMemory } from '../../support/interleavings.ts'
import {
  type ConsumerState,
  ConsumerThread,
  check,
  END,
  killer,
  ProducerThread,
  RING,
  ringConsumer,
  sceneOf,
  waitFor,
  withdrawBlockedWishes,
} from '../../support/ring-threads.ts'

/** The words of the loan lie behind those of the ring. */
const LOAN = 7
const TALLY = 9
const BORROWER_THREAD = 3

function loanOf(memory: ThreadMemory): LoanWords {
  const words: Words = {
    load: word => memory.load(LOAN + word),
    glance: word => memory.glance(LOAN + word),
    store: (word, value) => memory.store(LOAN + word, value),
    exchange: (word, value) => memory.exchange(LOAN + word, value),
    compareExchange: (word, expected, value) => memory.compareExchange(LOAN + word, expected, value),
    or: (word, bits) => memory.or(LOAN + word, bits),
    notify: word => memory.notify(LOAN + word),
    wait: (word, value) => memory.wait(LOAN + word, value),
    waitAsync: word => memory.waitAsync(LOAN + word),
  }
  return new LoanWords(words)
}

function sceneWith(threads: readonly Thread[]) {
  const scene = sceneOf(2, threads)
  return { ...scene, words: [...scene.words, 0, 0, 0] }
}

/** A borrower that blocks until it has two bytes, its loan is recalled or the stream ends; it reads what is there. */
class BorrowerThread extends ConsumerThread {
  readonly #looks: 'before the wish' | 'after the wish'

  constructor(looks: 'before the wish' | 'after the wish' = 'after the wish') {
    super({ capacity: 2, how: 'block', wishes: [2], total: null, least: 0 })
    this.#looks = looks
  }

  protected override waitForBytes(state: ConsumerState, memory: ThreadMemory): ConsumerState {
    const isEarly = this.#looks === 'before the wish' && loanOf(memory).isRecalled
    if (isEarly || memory.load(END) !== 0) return { ...state, phase: 'last' }
    const ring = ringConsumer(memory, state, this.script)
    if (!ring.wish(2, 'block')) return { ...state, phase: 'read' }
    if (memory.load(END) !== 0) return { ...state, phase: 'last' }
    if (this.#looks === 'after the wish' && loanOf(memory).isRecalled) {
      ring.withdrawWish()
      return { ...state, phase: 'last' }
    }
    waitFor('block', RING.want, 0, memory)
    return state
  }
}

const recaller: Thread = {
  name: 'lender',
  start: {},
  operation(_state, memory) {
    loanOf(memory).recall()
    withdrawBlockedWishes(memory)
    return null
  },
}

const hastyRecaller: Thread = {
  name: 'lender',
  start: {},
  operation(_state, memory) {
    withdrawBlockedWishes(memory)
    loanOf(memory).recall()
    return null
  },
}

function sends(...writes: number[]): Thread {
  const producer = new ProducerThread({ capacity: 2, how: 'bell', writes, roomMax: 2, finishes: false })
  return producer as Thread
}

const BITS = { borrower: { took: 1, came: 4 }, lender: { took: 2, came: 8 } } as const

/** Takes the loan for its side, and checks that not both sides took it, and that not both came too late. */
function taking(side: keyof typeof BITS, take: (loan: LoanWords) => boolean): Thread {
  return {
    name: side,
    start: {},
    operation(_state, memory) {
      const loan = loanOf(memory)
      const isFirst = take(loan)
      const bit = BITS[side][isFirst ? 'took' : 'came']
      const tally = memory.or(TALLY, bit) | bit
      check(tally !== 3, 'both sides took the loan')
      check(tally !== 12, 'no side took the loan')
      if (side === 'lender' && !isFirst) check(loan.borrower === BORROWER_THREAD, 'nobody knows the borrower')
      return null
    },
  }
}

describe('a loan in every interleaving', () => {
  test.each([
    ['no byte comes', []],
    ['a byte comes that is not enough', [1]],
    ['bytes come that are enough', [2]],
  ])('that is recalled ends the wait of its borrower: %s', (_name, writes) => {
    const threads = [
      new BorrowerThread() as Thread,
      recaller,
      ...(writes.length > 0 ? [sends(...writes)] : []),
    ]
    expect(explore(sceneWith(threads)).interleavings).toBeGreaterThan(10n)
  })

  test('that is recalled while the stream ends', () => {
    expect(explore(sceneWith([new BorrowerThread() as Thread, recaller, killer])).states).toBeGreaterThan(100)
  })

  test('is taken by one side, which knows the other', () => {
    const threads = [
      taking('borrower', loan => loan.begin(BORROWER_THREAD)),
      taking('lender', loan => loan.callOff()),
      recaller,
    ]
    expect(explore(sceneWith(threads)).interleavings).toBeGreaterThan(10n)
  })
})

describe('the explorer finds', () => {
  const deadlock = (threads: readonly Thread[]): unknown => {
    try {
      explore(sceneWith(threads))
      return null
    } catch (error) {
      return error instanceof FaultFound ? error.kind : error
    }
  }

  test('a borrower that looks for a recall before its wish stands', () => {
    expect(deadlock([new BorrowerThread('before the wish') as Thread, recaller])).toBe('deadlock')
  })

  test('a lender that wakes its borrower before it recalls', () => {
    expect(deadlock([new BorrowerThread() as Thread, hastyRecaller])).toBe('deadlock')
  })

  test('a loan that is taken by a look and a store', () => {
    const look = (loan: LoanWords, take: () => boolean): boolean => loan.borrower === 0 && take()
    const threads = [
      taking('borrower', loan => look(loan, () => loan.begin(BORROWER_THREAD) || true)),
      taking('lender', loan => look(loan, () => loan.callOff() || true)),
    ]
    expect(deadlock(threads)).toBe('violation')
  })

  test('a thread number that is stored after the loan is taken', () => {
    const late: Thread = taking('borrower', loan => loan.callOff())
    expect(deadlock([late, taking('lender', loan => loan.callOff())])).toBe('violation')
  })
})
