/**
 * What a connection has of an adapter over it. By itself it keeps nothing: an adapter that its program has dropped is
 * collected, and with it the grip of its lease. It keeps the adapter for as long as a program listens to it, because
 * then the program waits for an event and may have nothing else that leads to the adapter.
 *
 *   connection ─► a waiting read, a timer, the end's callback ─► tether ┄┄► adapter
 */
export class Tether<T extends object> {
  readonly #ref: WeakRef<T>
  #kept: T | null = null

  constructor(adapter: T) {
    this.#ref = new WeakRef(adapter)
  }

  /** Does nothing once the adapter was collected. */
  reach(act: (adapter: T) => void): void {
    const adapter = this.#kept ?? this.#ref.deref()
    if (adapter !== undefined) act(adapter)
  }

  keep(): void {
    this.#kept = this.#ref.deref() ?? null
  }

  letGo(): void {
    this.#kept = null
  }
}
