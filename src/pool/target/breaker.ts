/**
 * Leaves a target alone that has failed too often in a row:
 *
 *   closed ──so many failures──► open ──its time is over, and a dial begins──► probing ──► closed, or open again
 *     ▲                            │                                                        (half open, both of the last)
 *     └──────a dial succeeds───────┘
 *
 * While it probes, no second dial begins. A dial that had begun before it opened, and succeeds, closes it as well.
 */
import { type ErrorCode, SockpoolError } from '../../base/errors.ts'
import type { BreakerSettings } from '../../config/target.ts'

export type BreakerName = 'closed' | 'open' | 'half_open' | 'off'

type State =
  | { readonly kind: 'closed'; readonly failures: number }
  | { readonly kind: 'open'; readonly untilMs: number; readonly last: ErrorCode }
  | { readonly kind: 'probing'; readonly last: ErrorCode }

/** Whether the dial is the one that a half open breaker lets through. */
export type DialRole = 'probe' | 'plain'

export class Breaker {
  readonly #settings: false | BreakerSettings
  readonly #now: () => number
  #state: State = { kind: 'closed', failures: 0 }

  constructor(settings: false | BreakerSettings, now: () => number) {
    this.#settings = settings
    this.#now = now
  }

  get name(): BreakerName {
    if (this.#settings === false) return 'off'
    if (this.#state.kind === 'closed') return 'closed'
    return this.#leftMs > 0 ? 'open' : 'half_open'
  }

  get mayDial(): boolean {
    return this.#state.kind !== 'probing' && this.#leftMs === 0
  }

  /** Why whoever needs a dial fails at once: BREAKER_OPEN with the last failure's code as `reason`; or null. */
  get refusal(): SockpoolError | null {
    const state = this.#state
    if (state.kind === 'closed' || this.mayDial) return null
    const expectedWaitMs = Math.ceil(this.#leftMs)
    const reason = state.last.toLowerCase()
    const what = `the target has failed too often in a row, the last time with ${reason}`
    return new SockpoolError('BREAKER_OPEN', what, { reason, expectedWaitMs })
  }

  /** As `refusal`, for who waits for a dial already: null while the target is probed too, as the end of that decides. */
  get lasting(): SockpoolError | null {
    return this.#state.kind === 'probing' ? null : this.refusal
  }

  begun(): DialRole {
    const state = this.#state
    if (state.kind !== 'open' || !this.mayDial) return 'plain'
    this.#state = { kind: 'probing', last: state.last }
    return 'probe'
  }

  succeeded(): void {
    this.#state = { kind: 'closed', failures: 0 }
  }

  /** A dial or its dialog failed. */
  failed(role: DialRole, code: ErrorCode): void {
    const state = this.#state
    if (this.#settings === false) return
    const { failures, openForMs } = this.#settings
    const opens = state.kind === 'closed' ? state.failures + 1 >= failures : role === 'probe'
    if (opens) this.#state = { kind: 'open', untilMs: this.#now() + openForMs, last: code }
    else if (state.kind === 'closed') this.#state = { kind: 'closed', failures: state.failures + 1 }
  }

  /** A dial ended and says nothing of the target: the next may probe. */
  ended(role: DialRole): void {
    const state = this.#state
    if (role === 'probe' && state.kind === 'probing')
      this.#state = { kind: 'open', untilMs: this.#now(), last: state.last }
  }

  get #leftMs(): number {
    return this.#state.kind === 'open' ? Math.max(0, this.#state.untilMs - this.#now()) : 0
  }
}
