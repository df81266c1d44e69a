/**
 * Which channels a pool takes and gives back, for tests that must see two leases on one channel. It looks into the slabs,
 * since no public call tells the number of a channel.
 *
 * The calls of a pool are told from those of another by the asynchronous context that they are made in.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import type { Channel } from '../../src/channel/channel.ts'
import { SlabAllocator } from '../../src/channel/slab.ts'
import { PATIENCE_MS } from './fence-peers.ts'
import { within } from './service-process.ts'

/** The words that holders and the pool write; the I/O worker writes the others whenever it likes. See channel.ts. */
const WATCHED = {
  inHead: 0,
  inWant: 2,
  outTail: 6,
  outRoom: 8,
  outEnd: 9,
  closed: 10,
  epoch: 11,
  generation: 13,
  holder: 14,
}
const IN_WANT = 2
const IN_END = 4
const OUT_ROOM = 8
const CLOSED = 10

export class TakenChannel {
  readonly number: number
  readonly #channel: Channel
  readonly #back = Promise.withResolvers<void>()
  isBack = false

  constructor(channel: Channel) {
    this.#channel = channel
    this.number = channel.number
  }

  /** Resolves when the pool has it back, to give it to another connection. */
  async givenBack(): Promise<void> {
    await within(PATIENCE_MS, this.#back.promise, `channel ${this.number} was not given back`)
  }

  returned(): void {
    this.isBack = true
    this.#back.resolve()
  }

  /** A thread blocks on the reading end, or a call waits for its bytes. */
  get awaitsBytes(): boolean {
    return this.#word(IN_WANT) !== 0
  }

  get isBlockedOn(): boolean {
    return this.#word(IN_WANT) < 0
  }

  get awaitsRoom(): boolean {
    return this.#word(OUT_ROOM) !== 0
  }

  /** The inbound direction has ended, or the whole connection. */
  get hasEnded(): boolean {
    return this.#word(IN_END) !== 0 || this.#word(CLOSED) !== 0
  }

  /** Its I/O worker has said that the socket is gone. */
  get isClosed(): boolean {
    return this.#word(CLOSED) !== 0
  }

  words(): Readonly<Record<string, number>> {
    return Object.fromEntries(Object.entries(WATCHED).map(([name, word]) => [name, this.#word(word)]))
  }

  /** Bytes that were put into the outbound ring so far. */
  get put(): number {
    return this.#word(WATCHED.outTail)
  }

  #word(word: number): number {
    return this.#channel.words.load(word)
  }
}

/** The channels of one pool. */
export class ChannelLog {
  #last: TakenChannel | null = null
  readonly #out = new Map<Channel, TakenChannel>()

  /** The channel that was taken last. */
  get last(): TakenChannel {
    if (this.#last === null) throw new Error('no channel was taken')
    return this.#last
  }

  /** Channels that are not given back. */
  get out(): number {
    return this.#out.size
  }

  took(channel: Channel): void {
    const taken = new TakenChannel(channel)
    this.#last = taken
    this.#out.set(channel, taken)
  }

  gaveBack(channel: Channel): void {
    this.#out.get(channel)?.returned()
    this.#out.delete(channel)
  }

  abandoned(): void {
    for (const channel of [...this.#out.keys()]) this.gaveBack(channel)
  }
}

const context = new AsyncLocalStorage<ChannelLog>()
const logs = new WeakMap<SlabAllocator, ChannelLog>()

/** What `run` takes, and every allocator it takes from, belongs to the log. */
export function logChannels<T>(log: ChannelLog, run: () => T): T {
  return context.run(log, run)
}

/** Watches all slabs of this thread; the undo of it. */
export function watchChannels(): () => void {
  const { take, giveBack, abandon } = SlabAllocator.prototype
  Object.assign(SlabAllocator.prototype, {
    take(this: SlabAllocator): Channel {
      const channel = take.call(this)
      const log = logs.get(this) ?? context.getStore()
      if (log !== undefined) logs.set(this, log)
      log?.took(channel)
      return channel
    },
    giveBack(this: SlabAllocator, channel: Channel): void {
      giveBack.call(this, channel)
      logs.get(this)?.gaveBack(channel)
    },
    abandon(this: SlabAllocator): void {
      abandon.call(this)
      logs.get(this)?.abandoned()
    },
  })
  return () => void Object.assign(SlabAllocator.prototype, { take, giveBack, abandon })
}
