/**
 * The one place where a throw ends up while a connection is served, dialled or accepted. Whatever calls into it from
 * outside (the doorbell, a socket's events and callbacks, timers, immediates, promises) calls a guarded entry; what it
 * throws goes to `onFault`, which ends that connection alone, and the caller goes on to its other connections.
 */
export class FaultGuard {
  readonly #onFault: (error: unknown) => void

  /** `onFault` must not throw. */
  constructor(onFault: (error: unknown) => void) {
    this.#onFault = onFault
  }

  /** The entry, guarded: where it throws, its caller gets `otherwise`. */
  entry<A extends readonly unknown[], R>(entry: (...args: A) => R, otherwise: R): (...args: A) => R {
    return (...args) => {
      try {
        return entry(...args)
      } catch (error) {
        this.#onFault(error)
        return otherwise
      }
    }
  }

  /** An entry that returns nothing, guarded. */
  action<A extends readonly unknown[]>(action: (...args: A) => void): (...args: A) => void {
    return this.entry(action, undefined)
  }

  /** Goes on with what a promise comes to; its rejection is a fault, and so is a throw of `next`. */
  follow<T>(promise: Promise<T>, next: (value: T) => void): void {
    promise.then(next).catch(this.#onFault)
  }
}
