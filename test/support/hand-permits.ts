/** Permits that the test gives and takes by hand. */
import { invariant } from '../../src/base/errors.ts'
import type { Permits, PermitsOf, PermitTaker, PermitUse } from '../../src/pool/target/permits.ts'

export class HandPermits implements Permits {
  granted: number
  isReliable = true
  /** How often the pool has asked whether they may be relied on, has told that something has changed, and that it is over. */
  asked = 0
  changes = 0
  /** How often it has told that connections lie idle, or do no more. */
  idles = 0
  ends = 0
  #taker: PermitTaker | null = null

  constructor(granted: number) {
    this.granted = granted
  }

  readonly permitsOf: PermitsOf = (_, taker) => {
    this.#taker = taker
    return this
  }

  get taker(): PermitTaker {
    invariant(this.#taker !== null, 'the pool has not asked for permits')
    return this.#taker
  }

  get use(): PermitUse {
    return this.taker.use
  }

  isCurrent(): boolean {
    this.asked++
    return this.isReliable
  }

  changed(): void {
    this.changes++
  }

  idled(): void {
    this.idles++
  }

  end(): void {
    this.ends++
  }

  grant(count: number): void {
    this.granted = count
    this.taker.refresh()
  }

  rely(isReliable: boolean): void {
    this.isReliable = isReliable
    this.taker.refresh()
  }
}
