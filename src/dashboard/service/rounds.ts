/**
 * Calls something again and again: every two seconds, sooner once it is told that there is something new, and never while the
 * last call is under way. So a busy service is asked no more often than a quiet one by much.
 */

const EVERY_MS = 2_000
/** Milliseconds of rest after a round, however much happens; a round that took long is followed by a longer one. */
const REST_MS = 400
const REST_ROUNDS = 4

type RoundsState =
  | { readonly kind: 'stopped' }
  | { readonly kind: 'waiting'; readonly timer: ReturnType<typeof setTimeout>; readonly dueMs: number }
  | { readonly kind: 'running' }

export class Rounds {
  /** What a round does; the milliseconds after which the next is wanted, null for the usual. It never rejects. */
  readonly #round: () => Promise<number | null>
  #state: RoundsState = { kind: 'stopped' }
  #isWanted = false
  /** Until when it rests. */
  #restsMs = 0

  constructor(round: () => Promise<number | null>) {
    this.#round = round
  }

  /** Begins at once. */
  start(): void {
    if (this.#state.kind === 'stopped') this.#wait(0)
  }

  stop(): void {
    if (this.#state.kind === 'waiting') clearTimeout(this.#state.timer)
    this.#state = { kind: 'stopped' }
  }

  /** There is something new. */
  hurry(): void {
    this.#isWanted = true
    if (this.#state.kind !== 'waiting') return
    const soonMs = Math.max(0, this.#restsMs - performance.now())
    if (performance.now() + soonMs < this.#state.dueMs) this.#wait(soonMs)
  }

  /** Somebody asks for it in person. */
  now(): void {
    this.#isWanted = true
    if (this.#state.kind === 'waiting') this.#wait(0)
  }

  #wait(ms: number): void {
    if (this.#state.kind === 'waiting') clearTimeout(this.#state.timer)
    const timer = setTimeout(() => void this.#run(), ms)
    this.#state = { kind: 'waiting', timer, dueMs: performance.now() + ms }
  }

  async #run(): Promise<void> {
    const running: RoundsState = { kind: 'running' }
    this.#state = running
    this.#isWanted = false
    const startMs = performance.now()
    const wishMs = await this.#round()
    // It was stopped meanwhile, and perhaps started again.
    if (this.#state !== running) return
    const restMs = Math.max(REST_MS, (performance.now() - startMs) * REST_ROUNDS)
    this.#restsMs = performance.now() + restMs
    this.#wait(wishMs ?? (this.#isWanted ? restMs : Math.max(EVERY_MS, restMs)))
  }
}
