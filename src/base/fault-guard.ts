/**
 * The one place where a throw ends up that nobody above could catch. Whatever the event loop calls (a doorbell, a socket's
 * events and callbacks, messages, signals, timers, immediates, promises) calls a guarded entry; what that throws goes to
 * `onFault`, which ends what the entry serves (one connection, client, listener or request) and nothing else, and the
 * caller goes on to the others.
 *
 * Any thread. A guard that cannot contain a fault says so as a process warning, and still does not throw: on an I/O
 * worker that would end every connection of the thread, on the pool's thread the whole program.
 */
export class FaultGuard {
  readonly #onFault: (error: unknown) => void

  constructor(onFault: (error: unknown) => void) {
    this.#onFault = onFault
  }

  /** The entry, guarded: where it throws, its caller gets `otherwise`. */
  entry<A extends readonly unknown[], R>(entry: (...args: A) => R, otherwise: R): (...args: A) => R {
    return (...args) => {
      try {
        return entry(...args)
      } catch (error) {
        this.#faulty(error)
        return otherwise
      }
    }
  }

  /**
   * Calls a method of `on` as an entry, guarded: for what there are thousands of at once, as an entry of each would be
   * memory for each.
   */
  enter<T, A extends unknown[], R>(on: T, method: (this: T, ...args: A) => R, otherwise: R, ...args: A): R {
    try {
      return method.apply(on, args)
    } catch (error) {
      this.#faulty(error)
      return otherwise
    }
  }

  /** An entry that returns nothing, guarded. */
  action<A extends readonly unknown[]>(action: (...args: A) => void): (...args: A) => void {
    return this.entry(action, undefined)
  }

  /** Does it now. For where several are served in a row: what fails one does not keep the rest from being served. */
  run(action: () => void): void {
    try {
      action()
    } catch (error) {
      this.#faulty(error)
    }
  }

  /** Goes on with what a promise comes to; its rejection is a fault, and so is a throw of `next`. */
  follow<T>(promise: Promise<T>, next: (value: T) => void): void {
    promise.then(next).catch((error: unknown) => this.#faulty(error))
  }

  #faulty(error: unknown): void {
    try {
      this.#onFault(error)
    } catch (second) {
      warn('a fault could not be contained', error)
      warn('it could not be, for this', second)
    }
  }
}

function warn(what: string, error: unknown): void {
  const detail = error instanceof Error ? (error.stack ?? error.message) : 'what was thrown is no Error'
  process.emitWarning(what, { type: 'SockpoolWarning', code: 'SOCKPOOL_FAULT', detail })
}
