/** The pool thread's half of the messages about clients that are joined with connections in one I/O worker. */
import type { ClientFacts, MovedMessage, SpliceTerms, ToIoWorker, UnsplicedMessage } from './protocol.ts'

/** An accepted client that waits to be joined, by the numbers that its worker knows it by. */
export type JoinedClient = { readonly listener: number; readonly incoming: number }

/** An accepted client that is read while it waits. */
export type WaitingIncoming = JoinedClient & {
  /** Its thread's: a connection of another cannot be joined with it. */
  readonly splices: ThreadSplices
  /** The number of its thread. */
  readonly thread: number
  readonly from: ClientFacts
  /** `ended`: it sends nothing more, and may still listen; `gone`: it does neither. Told until it is joined or refused. */
  onLeft(listener: (how: ClientLeaving) => void): void
  /** It waits no more. */
  forget(): void
}

export type ClientLeaving = 'ended' | 'gone'

/** Who hears of a pair. */
export interface SpliceListener {
  /** Bytes from the target, and to it, so far. */
  moved(bytesIn: number, bytesOut: number): void
  /**
   * They are joined no more; called once. `freed`: nothing speaks against the connection, which is to be released; `lost`:
   * it ends, or has.
   */
  parted(how: 'freed' | 'lost'): void
}

type JoinedPair = { readonly generation: number; readonly listener: SpliceListener }

export class ThreadSplices {
  readonly #tell: (message: ToIoWorker) => void
  readonly #pairs = new Map<number, JoinedPair>()
  #isLost = false

  constructor(tell: (message: ToIoWorker) => void) {
    this.#tell = tell
  }

  begin(
    connection: { readonly channel: number; readonly generation: number },
    client: JoinedClient,
    terms: SpliceTerms,
    listener: SpliceListener,
  ): void {
    if (this.#isLost) return listener.parted('lost')
    const { channel, generation } = connection
    this.#pairs.set(channel, { generation, listener })
    this.#tell({ kind: 'splice', ...client, channel, generation, terms })
  }

  received(message: UnsplicedMessage | MovedMessage): void {
    switch (message.kind) {
      case 'moved':
        for (const { channel, generation, bytesIn, bytesOut } of message.pairs)
          this.#find(channel, generation)?.moved(bytesIn, bytesOut)
        return
      case 'unspliced': {
        const { channel, generation, how, bytesIn, bytesOut } = message
        const listener = this.#find(channel, generation)
        if (listener === undefined) return
        this.#pairs.delete(channel)
        listener.moved(bytesIn, bytesOut)
        return listener.parted(how)
      }
      default:
        message satisfies never
    }
  }

  /** The thread is gone, and all pairs with it. */
  fail(): void {
    this.#isLost = true
    const all = [...this.#pairs.values()]
    this.#pairs.clear()
    for (const { listener } of all) listener.parted('lost')
  }

  #find(channel: number, generation: number): SpliceListener | undefined {
    const pair = this.#pairs.get(channel)
    return pair?.generation === generation ? pair.listener : undefined
  }
}
