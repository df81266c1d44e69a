/** The pool thread's half of the messages about desks in one I/O worker, where clients of a front door meet connections. */
import type { CallerMessage } from '../frames/frame.ts'
import type { FrameSpec } from '../frames/frame-spec.ts'
import type {
  MovedBytes,
  OfChannel,
  ReturnedMessage,
  StrayedMessage,
  ToIoWorker,
  WantedMessage,
} from './protocol.ts'

/** A client, or a connection that carries for clients, of the desk's own thread. */
export type AtDesk = { readonly channel: { readonly number: number }; readonly generation: number }

/** Who has a desk. Connections and clients are told by their channels. */
export interface DeskListener {
  /** So many clients wait there for a connection. */
  wanted(carriers: number): void
  /** A connection that was lent is its holder's again. `isAtRest`: nothing speaks against it. */
  returned(own: OfChannel, isAtRest: boolean): void
  /** A client is its holder's again, and so is, where some of what it asked is not answered, the connection that was asked. */
  strayed(own: OfChannel & MovedBytes, asked: readonly CallerMessage[], carrier: OfChannel | null): void
  /** The thread is gone: nothing comes back from there. */
  lost(): void
}

/** A desk in that thread. Each client that attends is told to have strayed, once, and each connection that is lent to be returned. */
export type ThreadDesk = {
  /** `served`: bytes of it that were dealt with. */
  attend(client: AtDesk, served: number): void
  lend(carrier: AtDesk): void
  /**
   * A client as soon as it awaits nothing; all connections that are lent, each as soon as it carries nothing; all clients that
   * wait for one, at once.
   */
  recall(what: AtDesk | 'lent' | 'waiting'): void
  close(): void
  /** Nothing is to come back any more. */
  forget(): void
}

export class ThreadDesks {
  readonly #tell: (message: ToIoWorker) => void
  readonly #listeners = new Map<number, DeskListener>()
  #next = 1
  #isLost = false

  constructor(tell: (message: ToIoWorker) => void) {
    this.#tell = tell
  }

  /** Null where the thread is gone. What came there is told of after it is closed, too. */
  open(frame: FrameSpec, listener: DeskListener): ThreadDesk | null {
    if (this.#isLost) return null
    const desk = this.#next++
    const tell = this.#tell
    this.#listeners.set(desk, listener)
    tell({ kind: 'desk', desk, frame })
    return {
      attend: (client, served) => tell({ kind: 'attend', desk, ...ofChannel(client), served }),
      lend: carrier => tell({ kind: 'lend', desk, ...ofChannel(carrier) }),
      recall: what => tell({ kind: 'recall', desk, what: typeof what === 'string' ? what : ofChannel(what) }),
      close: () => tell({ kind: 'desk', desk, frame: null }),
      forget: () => void this.#listeners.delete(desk),
    }
  }

  received(message: WantedMessage | ReturnedMessage | StrayedMessage): void {
    const listener = this.#listeners.get(message.desk)
    switch (message.kind) {
      case 'wanted':
        return listener?.wanted(message.carriers)
      case 'returned':
        return listener?.returned(message, message.isAtRest)
      case 'strayed':
        return listener?.strayed(message, message.asked, message.carrier)
      default:
        message satisfies never
    }
  }

  /** The thread is gone. */
  fail(): void {
    this.#isLost = true
    const all = [...this.#listeners.values()]
    this.#listeners.clear()
    for (const listener of all) listener.lost()
  }
}

function ofChannel({ channel, generation }: AtDesk): OfChannel {
  return { channel: channel.number, generation }
}
