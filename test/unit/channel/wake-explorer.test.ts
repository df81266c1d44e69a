/** Every interleaving of a holder that is about to block with those who end, recall or serve what it waits for. */
import { describe, expect, test } from 'vitest'
import { SockpoolError } from '../../../src/base/errors.ts'
import { IN } from '../../../src/channel/channel.ts'
import { settle } from '../../../src/channel/monotone.ts'
import { RingConsumer, RingProducer } from '../../../src/channel/ring.ts'
import { END, type EndName } from '../../../src/channel/values.ts'
import type { Words } from '../../../src/channel/words.ts'
import {
  channelOn,
  channelScene,
  EMPTY_RING,
  EPOCH,
  HOLDER_BELL,
  IN_END,
  loanOn,
  WordsThrough,
} from '../../support/channel-scenes.ts'
import { countingExplorer } from '../../support/explored-scenes.ts'
import { explore, type Scene, type Thread, type ThreadMemory } from '../../support/interleavings.ts'

const exploreAll = countingExplorer()

const FOREVER_MS = Number.POSITIVE_INFINITY

/** `head`: how far the reader has read; nobody else writes that counter. */
type Reading = { readonly head: number }

function readerAt(memory: ThreadMemory, head: number): RingConsumer {
  return memory.knowing(new Map([[IN.head, head]]), () => new RingConsumer(memory, IN, memory.bytes))
}

/** Reads what comes until the channel ends, blocking. */
const blocked: Thread<Reading> = {
  name: 'holder',
  start: { head: 0 },
  operation({ head }, memory) {
    const channel = channelOn(memory)
    const ring = readerAt(memory, head)
    if (ring.wish(1, 'block')) {
      if (channel.inEnd !== 'open') return null
      channel.waitInbound(FOREVER_MS)
      return { head }
    }
    ring.consume(ring.readable)
    return { head: memory.peek(IN.head) }
  },
}

function ender(how: EndName, end: (words: ThreadMemory) => void): Thread {
  return {
    name: how,
    start: {},
    operation(_state, memory) {
      end(memory)
      return null
    },
  }
}

/** Publishes bytes one by one, and rings the holder where it is told to. */
function sender(count: number): Thread<{ readonly tail: number }> {
  return {
    name: 'sender',
    start: { tail: 0 },
    operation({ tail }, memory) {
      const known = new Map([[IN.tail, tail]])
      const ring = memory.knowing(known, () => new RingProducer(memory, IN, memory.bytes))
      if (ring.publish(ring.fill(Uint8Array.of(tail)))) memory.store(HOLDER_BELL, 1)
      return tail + 1 < count ? { tail: tail + 1 } : null
    },
  }
}

const wakeScene = (...threads: readonly Thread[]): Scene => channelScene({ threads, bytes: EMPTY_RING })

describe('Channel.endInbound', () => {
  const fin = ender('fin', memory => channelOn(memory).endInbound('fin'))
  const killed = ender('killed', memory => channelOn(memory).endInbound('killed'))

  test('wakes a holder that blocks or is about to, whichever of two threads says it', () => {
    exploreAll([wakeScene(blocked, fin), wakeScene(blocked, fin, killed), wakeScene(blocked, sender(2), fin)])
  })

  test('would not if it woke the blocked before it said what for', () => {
    const late = ender('killed', memory => {
      channelOn(memory).wakeBlocked()
      settle(memory, IN_END, END.killed)
    })
    expect(() => explore(wakeScene(blocked, late))).toThrow(/^deadlock: holder/)
  })
})

const recaller = (recall: (memory: ThreadMemory) => void): Thread => ({
  name: 'recaller',
  start: {},
  operation(_state, memory) {
    recall(memory)
    return null
  },
})

const LEASE_EPOCH = 1

/** Blocks until its lease is over. It asks its tenure once its wish stands, and after each wake-up. */
const leased: Thread = {
  name: 'holder',
  start: {},
  operation(state, memory) {
    const channel = channelOn(memory)
    const tenure = channel.leaseTenure(LEASE_EPOCH)
    const known = new Map([[IN.head, 0]])
    const ring = memory.knowing(known, () => new RingConsumer(memory, IN, memory.bytes, null, tenure))
    if (!tenure.holds) return null
    try {
      ring.wish(1, 'block')
    } catch (error) {
      if (error instanceof SockpoolError && error.code === 'LEASE_GONE') return null
      throw error
    }
    if (tenure.stillHolds) channel.waitInbound(FOREVER_MS)
    return state
  },
}

describe('Channel.advanceEpoch and wakeBlocked', () => {
  const scene = (end: (memory: ThreadMemory) => void): Scene =>
    channelScene({ threads: [leased, recaller(end)], words: { [EPOCH]: LEASE_EPOCH }, bytes: EMPTY_RING })

  test('wake a holder whose lease they end, whether it blocks or is about to', () => {
    const endsLease = (memory: ThreadMemory): void => {
      channelOn(memory).advanceEpoch()
      channelOn(memory).wakeBlocked()
    }
    exploreAll([scene(endsLease)])
  })

  test('would not if the epoch moved on last', () => {
    const late = (memory: ThreadMemory): void => {
      channelOn(memory).wakeBlocked()
      channelOn(memory).advanceEpoch()
    }
    expect(() => explore(scene(late))).toThrow(/^deadlock: holder/)
  })
})

type Borrowing = Reading & { readonly phase: 'begin' | 'read' }

/** A borrower that gives back what it reads from as soon as it is recalled. */
class Borrower implements Thread<Borrowing> {
  readonly name = 'borrower'
  readonly start: Borrowing = { head: 0, phase: 'begin' }

  operation({ head }: Borrowing, memory: ThreadMemory): Borrowing | null {
    const ring = readerAt(memory, head)
    if (this.awaits(ring, memory)) {
      channelOn(memory).waitInbound(FOREVER_MS)
      return { head, phase: 'begin' }
    }
    if (loanOn(memory).isRecalled) return null
    ring.consume(ring.readable)
    return { head: memory.peek(IN.head), phase: 'read' }
  }

  /** Another number each time, so that one wish can be told from the next. */
  protected count(memory: ThreadMemory): number {
    return 1 + memory.peek(IN.head)
  }

  /** Whether there is something to block for. */
  protected awaits(ring: RingConsumer, memory: ThreadMemory): boolean {
    return ring.wish(this.count(memory), 'block') && !loanOn(memory).isRecalled
  }
}

/** Looks whether it is recalled, and only then says that it will block. */
class HastyBorrower extends Borrower {
  protected override awaits(ring: RingConsumer, memory: ThreadMemory): boolean {
    return !loanOn(memory).isRecalled && ring.wish(this.count(memory), 'block')
  }
}

const recalls = recaller(memory => {
  loanOn(memory).recall()
  channelOn(memory).wakeBlocked()
})

describe('Channel.wakeBlocked', () => {
  test('loses no recall of a borrower that blocks or is about to', () => {
    exploreAll([
      wakeScene(new Borrower(), recalls),
      wakeScene(new Borrower(), recalls, sender(2)),
      wakeScene(
        new Borrower(),
        recalls,
        ender('fin', memory => channelOn(memory).endInbound('fin')),
      ),
    ])
  })

  test('would lose one if the borrower looked for the recall before it stored its wish', () => {
    expect(() => explore(wakeScene(new HastyBorrower(), recalls))).toThrow(/^deadlock: borrower/)
  })

  test('would lose one if the recaller woke the borrower before it said that it recalls', () => {
    const late = recaller(memory => {
      channelOn(memory).wakeBlocked()
      loanOn(memory).recall()
    })
    expect(() => explore(wakeScene(new Borrower(), late))).toThrow(/^deadlock: borrower/)
  })

  /** Blocks for its first byte, and waits for its second at the doorbell. */
  const changing: Thread<Reading> = {
    name: 'holder',
    start: { head: 0 },
    operation({ head }, memory) {
      const ring = readerAt(memory, head)
      if (ring.wish(1, head === 0 ? 'block' : 'bell')) {
        if (head === 0) channelOn(memory).waitInbound(FOREVER_MS)
        else memory.awaitBell(HOLDER_BELL)
        return { head }
      }
      ring.consume(1)
      return head === 0 ? { head: memory.peek(IN.head) } : null
    },
  }

  const wakes = (through: (words: Words) => Words): Thread =>
    recaller(memory => channelOn(through(memory)).wakeBlocked())

  test('takes no wish for the doorbell that a holder made in place of the one it saw', () => {
    exploreAll([
      wakeScene(
        changing,
        sender(2),
        wakes(words => words),
      ),
    ])
  })

  test('would, if it took whatever wish there is', () => {
    class Taking extends WordsThrough {
      override compareExchange(word: number, _expected: number, value: number): number {
        return this.inner.exchange(word, value)
      }
    }
    const takes = wakes(words => new Taking(words))
    expect(() => explore(wakeScene(changing, sender(2), takes))).toThrow(/^deadlock: holder/)
  })
})
