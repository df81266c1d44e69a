/** The pool thread's half of the messages about listeners in one I/O worker. */
import { reviveError } from '../base/errors.ts'
import type { Succession } from '../base/succession.ts'
import type { IoConnection } from './io-connection.ts'
import type {
  BoundAddress,
  DepartedMessage,
  IncomingMessage,
  ListeningMessage,
  ListenSpec,
  ToIoWorker,
  UnlistenedMessage,
} from './protocol.ts'
import { ThreadDesks } from './thread-desks.ts'
import { type ClientLeaving, ThreadSplices, type WaitingIncoming } from './thread-splices.ts'

/** An accepted connection that waits for a word. Exactly one of the two is to be called, at once. */
export type Incoming = {
  /** Errors: CONNECTION_RESET (it hung up meanwhile), QUEUE_FULL, WORKER_LOST. */
  adopt(): Promise<IoConnection>
  refuse(): void
  /** Of a watched listener: who it is, to be joined with a connection of its own thread; else null. */
  readonly client: WaitingIncoming | null
}

export type OnIncoming = (incoming: Incoming) => void

/** One bound listener in one worker. */
export type BoundListener = {
  readonly addresses: readonly BoundAddress[]
  /** How another can be bound there beside it. */
  readonly succession: Succession | null
  /** Announces what waits, and from now on what comes. */
  serve(): void
  /** Listens no more, and resolves when everyone who had come was adopted or refused, or has gone. */
  leave(): Promise<void>
  /** Resolves when nothing listens any more; what was not adopted is destroyed. */
  close(): Promise<void>
}

export type ThreadListenersDeps = {
  /** The number of the thread, which no other has before or after it. */
  readonly thread: () => number
  readonly tell: (message: ToIoWorker) => void
  readonly adopt: (listener: number, incoming: number) => Promise<IoConnection>
}

type Entry = {
  readonly onIncoming: OnIncoming
  readonly resolve: (bound: Pick<BoundListener, 'addresses' | 'succession'>) => void
  readonly reject: (error: Error) => void
  readonly closed: PromiseWithResolvers<void>
  /** Of those who wait and are watched: what they have done, and who hears of it. */
  readonly leaving: Map<number, Leaving>
}

type Leaving = { how: ClientLeaving | null; tell: ((how: ClientLeaving) => void) | null }

export class ThreadListeners {
  readonly splices: ThreadSplices
  readonly desks: ThreadDesks
  readonly #deps: ThreadListenersDeps
  readonly #entries = new Map<number, Entry>()
  #next = 1
  #lost: Error | null = null

  constructor(deps: ThreadListenersDeps) {
    this.#deps = deps
    this.splices = new ThreadSplices(deps.tell)
    this.desks = new ThreadDesks(deps.tell)
  }

  get count(): number {
    return this.#entries.size
  }

  /** Errors: LISTEN_FAILED, DNS_FAILED, WORKER_LOST. */
  async listen(spec: ListenSpec, onIncoming: OnIncoming): Promise<BoundListener> {
    if (this.#lost) throw this.#lost
    const { tell } = this.#deps
    const listener = this.#next++
    const { promise, resolve, reject } =
      Promise.withResolvers<Pick<BoundListener, 'addresses' | 'succession'>>()
    const closed = Promise.withResolvers<void>()
    this.#entries.set(listener, { onIncoming, resolve, reject, closed, leaving: new Map() })
    tell({ kind: 'listen', listener, spec })
    const bound = await promise
    let said: 'nothing' | 'leave' | 'close' = 'nothing'
    const unlisten = (how: 'leave' | 'close'): Promise<void> => {
      const isNews = said === 'nothing' || (said === 'leave' && how === 'close')
      if (isNews && this.#entries.has(listener))
        tell({ kind: 'unlisten', listener, isOrderly: how === 'leave' })
      if (isNews) said = how
      return closed.promise
    }
    return {
      ...bound,
      serve: () => tell({ kind: 'serve', listener }),
      leave: () => unlisten('leave'),
      close: () => unlisten('close'),
    }
  }

  received(message: ListeningMessage | UnlistenedMessage | IncomingMessage | DepartedMessage): void {
    const { listener } = message
    const entry = this.#entries.get(listener)
    if (entry === undefined) return
    switch (message.kind) {
      case 'listening':
        return entry.resolve(message)
      case 'unlistened':
        this.#entries.delete(listener)
        if (message.error) entry.reject(reviveError(message.error))
        return entry.closed.resolve()
      case 'incoming':
        return this.#arrived(entry, message)
      case 'departed': {
        const { incoming, how } = message
        const leaving = entry.leaving.get(incoming)
        if (leaving === undefined) return
        leaving.how = how
        if (how === 'gone') entry.leaving.delete(incoming)
        return leaving.tell?.(how)
      }
      default:
        message satisfies never
    }
  }

  /** The thread is gone, and with it what it listened on. */
  fail(error: Error): void {
    this.#lost = error
    const all = [...this.#entries.values()]
    this.#entries.clear()
    for (const { reject, closed, leaving } of all) {
      reject(error)
      closed.resolve()
      for (const { tell } of leaving.values()) tell?.('gone')
    }
    this.splices.fail()
    this.desks.fail()
  }

  #arrived(entry: Entry, { listener, incoming, from }: IncomingMessage): void {
    const { tell, adopt, thread } = this.#deps
    entry.onIncoming({
      adopt: () => adopt(listener, incoming),
      refuse: () => {
        entry.leaving.delete(incoming)
        tell({ kind: 'refuse', listener, incoming })
      },
      client:
        from === undefined
          ? null
          : { listener, incoming, thread: thread(), from, ...this.#watch(entry, incoming) },
    })
  }

  #watch(entry: Entry, incoming: number): Pick<WaitingIncoming, 'splices' | 'onLeft' | 'forget'> {
    const leaving: Leaving = { how: null, tell: null }
    entry.leaving.set(incoming, leaving)
    return {
      splices: this.splices,
      onLeft: heard => {
        leaving.tell = heard
        if (leaving.how !== null) heard(leaving.how)
      },
      forget: () => void entry.leaving.delete(incoming),
    }
  }
}
