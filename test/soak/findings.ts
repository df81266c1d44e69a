/** What a play has seen so far: plain numbers, and each way in which what is claimed did not hold. */

export type PlayReport = {
  readonly play: string
  readonly figures: Readonly<Record<string, number>>
  /** Empty: all that is claimed held. */
  readonly violations: readonly string[]
}

/** Hears how far a play is: steps in all, and each that is done. */
export type PlayWatch = (done: number, total: number) => void

/** Violations that are told in words; the others are counted. */
const TOLD_MAX = 20

export class Findings {
  readonly #figures = new Map<string, number>()
  readonly #violations: string[] = []
  #untold = 0

  count(name: string, by = 1): void {
    this.#figures.set(name, this.of(name) + by)
  }

  set(name: string, value: number): void {
    this.#figures.set(name, Math.round(value * 100) / 100)
  }

  /** Keeps the largest. */
  most(name: string, value: number): void {
    this.set(name, Math.max(value, this.of(name)))
  }

  of(name: string): number {
    return this.#figures.get(name) ?? 0
  }

  get hasViolations(): boolean {
    return this.#violations.length > 0
  }

  violate(what: string): void {
    if (this.#violations.length < TOLD_MAX) this.#violations.push(what)
    else this.#untold++
  }

  /** `bound` is part of what is told. */
  atMost(name: string, value: number, bound: number): void {
    this.set(name, value)
    this.set(`${name} max`, bound)
    if (!(value <= bound)) this.violate(`${name} is ${value}, and may be ${bound} at the most`)
  }

  report(play: string): PlayReport {
    const more = this.#untold === 0 ? [] : [`and ${this.#untold} more`]
    return { play, figures: Object.fromEntries(this.#figures), violations: [...this.#violations, ...more] }
  }
}
