/**
 * Counts turns of this thread's event loop for all connections that are watched together: however many they are, one look in
 * each turn. Bytes that the kernel already has are seen only in the second turn.
 */

/** Somebody who watches. */
export interface TurnWatcher {
  /** Two turns have passed. Errors: none. */
  turned(): void
}

export class SilentTurns {
  /** Those that have seen no turn yet, and those that have seen one. */
  #fresh: TurnWatcher[] = []
  #once: TurnWatcher[] = []
  #isCounting = false

  watch(watcher: TurnWatcher): void {
    this.#fresh.push(watcher)
    this.#count()
  }

  #count(): void {
    if (this.#isCounting) return
    this.#isCounting = true
    setImmediate(this.#turn)
  }

  #turn = (): void => {
    this.#isCounting = false
    const over = this.#once
    this.#once = this.#fresh
    this.#fresh = []
    if (this.#once.length > 0) this.#count()
    for (const watcher of over) watcher.turned()
  }
}
