/** The pool thread's half of the messages about listeners in one I/O worker. */
import { reviveError } from '../base/errors.ts'
import type { IoConnection } from './io-connection.ts'
import type {
  BoundAddress,
  IncomingMessage,
  ListeningMessage,
  ListenSpec,
  ToIoWorker,
  UnlistenedMessage,
} from './protocol.ts'

/** An accepted connection that waits for a word. Exactly one of the two is to be called, at once. */
export type Incoming = {
  /** Errors: CONNECTION_RESET (it hung up meanwhile), QUEUE_FULL, WORKER_LOST. */
  adopt(): Promise<IoConnection>
  refuse(): void
}

export type OnIncoming = (incoming: Incoming) => void

/** One bound listener in one worker. */
export type BoundListener = {
  readonly addresses: readonly BoundAddress[]
  /** Announces what waits, and from now on what comes. */
  serve(): void
  /** Resolves when nothing listens any more; what was not adopted is destroyed. */
  close(): Promise<void>
}

export type ThreadListenersDeps = {
  readonly tell: (message: ToIoWorker) => void
  readonly adopt: (listener: number, incoming: number) => Promise<IoConnection>
}

type Entry = {
  readonly onIncoming: OnIncoming
  readonly resolve: (addresses: readonly BoundAddress[]) => void
  readonly reject: (error: Error) => void
  readonly closed: PromiseWithResolvers<void>
}

export class ThreadListeners {
  readonly #deps: ThreadListenersDeps
  readonly #entries = new Map<number, Entry>()
  #next = 1
  #lost: Error | null = null

  constructor(deps: ThreadListenersDeps) {
    this.#deps = deps
  }

  get count(): number {
    return this.#entries.size
  }

  /** Errors: LISTEN_FAILED, DNS_FAILED, WORKER_LOST. */
  async listen(spec: ListenSpec, onIncoming: OnIncoming): Promise<BoundListener> {
    if (this.#lost) throw this.#lost
    const { tell } = this.#deps
    const listener = this.#next++
    const { promise, resolve, reject } = Promise.withResolvers<readonly BoundAddress[]>()
    const closed = Promise.withResolvers<void>()
    this.#entries.set(listener, { onIncoming, resolve, reject, closed })
    tell({ kind: 'listen', listener, spec })
    const addresses = await promise
    let closing = false
    return {
      addresses,
      serve: () => tell({ kind: 'serve', listener }),
      close: () => {
        if (!closing && this.#entries.has(listener)) tell({ kind: 'unlisten', listener })
        closing = true
        return closed.promise
      },
    }
  }

  received(message: ListeningMessage | UnlistenedMessage | IncomingMessage): void {
    const { listener } = message
    const entry = this.#entries.get(listener)
    if (entry === undefined) return
    switch (message.kind) {
      case 'listening':
        return entry.resolve(message.addresses)
      case 'unlistened':
        this.#entries.delete(listener)
        if (message.error) entry.reject(reviveError(message.error))
        return entry.closed.resolve()
      case 'incoming': {
        const { incoming } = message
        return entry.onIncoming({
          adopt: () => this.#deps.adopt(listener, incoming),
          refuse: () => this.#deps.tell({ kind: 'refuse', listener, incoming }),
        })
      }
      default:
        message satisfies never
    }
  }

  /** The thread is gone, and with it what it listened on. */
  fail(error: Error): void {
    this.#lost = error
    for (const { reject, closed } of this.#entries.values()) {
      reject(error)
      closed.resolve()
    }
    this.#entries.clear()
  }
}
