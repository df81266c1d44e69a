/**
 * Notices that nobody can reach something any more. What is watched is a grip: an object that only those hold who may
 * still use the value.
 *
 * Made for thousands of short lives a second. The registry keeps numbers alone, and the values lie in an array whose
 * places are used again: what a registry keeps, or the outgrown table of a Map, lives until the next collection of all
 * memory, even where it was forgotten at once, and a value of some weight would make those collections many.
 */
export type Watched = { readonly number: number }

export class LossWatch<T> {
  /** By number; null where one is free. As many as there were grips at once. */
  readonly #values: (T | null)[] = []
  readonly #free: number[] = []
  readonly #registry: FinalizationRegistry<number>

  /** `onLost` is called once some time after the grip of the value went out of reach; only if garbage is collected. */
  constructor(onLost: (value: T) => void) {
    this.#registry = new FinalizationRegistry(number => {
      const value = this.#take(number)
      if (value !== null) onLost(value)
    })
  }

  /** What is to be forgotten by. Neither it nor the value refers to the grip. */
  watch(grip: object, value: T): Watched {
    const number = this.#free.pop() ?? this.#values.length
    const watched = { number }
    this.#values[number] = value
    this.#registry.register(grip, number, watched)
    return watched
  }

  /** Nothing where it was forgotten already, or told of. */
  forget(watched: Watched): void {
    if (this.#registry.unregister(watched)) this.#take(watched.number)
  }

  #take(number: number): T | null {
    const value = this.#values[number] ?? null
    this.#values[number] = null
    this.#free.push(number)
    return value
  }
}
