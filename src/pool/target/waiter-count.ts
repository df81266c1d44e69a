/** All who wait in one pool, whatever for: bounded together, and each keeps the process alive while it waits. */
export class WaiterCount {
  max: number
  readonly #keepAlive: { hold(): void; release(): void }
  #size = 0

  constructor(max: number, keepAlive: { hold(): void; release(): void }) {
    this.max = max
    this.#keepAlive = keepAlive
  }

  get isFull(): boolean {
    return this.#size >= this.max
  }

  joined(): void {
    this.#size++
    this.#keepAlive.hold()
  }

  left(): void {
    this.#size--
    this.#keepAlive.release()
  }
}
