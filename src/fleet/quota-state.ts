import { LIMITS } from '../base/limits.ts'

/**
 * What a quota knows of its permits. Instants are monotonic, of this process, where nothing else is said.
 *
 *   unheard ──► held ◄──► doubtful ──► lost ──► held
 *      └──────────────────────────────► lost
 *   each ──► ended
 */
export type QuotaState =
  /** The engine has not answered yet, since the start. */
  | { readonly kind: 'unheard' }
  /**
   * By the engine's word. `validUntilMs`, `validUntilWallMs`: from the first of these on others may have what this one had.
   * `overSinceMs`: since when more is in use than that word says; null where it is not.
   */
  | ({ readonly kind: 'held'; readonly overSinceMs: number | null } & Validity)
  /** That time is over, and the engine is asked once more. */
  | { readonly kind: 'doubtful'; readonly decideByMs: number }
  /** Without the engine. `growAtMs`: when others have ceased too from what the engine had given them; Infinity once that is past. */
  | { readonly kind: 'lost'; readonly growAtMs: number }
  /** The pool is no more. */
  | { readonly kind: 'ended' }

/**
 * Until when a word holds, by two clocks: the steady one stands still while the machine is suspended, and the wall clock, in
 * milliseconds since 1970, may be set back. Each can shorten what the other says, and neither can prolong it.
 */
export type Validity = { readonly validUntilMs: number; readonly validUntilWallMs: number }

/** How long what the engine says holds, and what follows from that. Milliseconds; default: those of LIMITS. */
export type FleetTimes = {
  readonly ttlMs: number
  readonly renewMs: number
  /** Beyond the TTL, until it is sure that others have ceased too. */
  readonly graceMs: number
}

/** When time alone may change that. `isSpeaking`: a word is under way, whose answer decides. */
export function stateDueMs(
  state: QuotaState,
  { ttlMs }: FleetTimes,
  now: number,
  isSpeaking: boolean,
): number {
  switch (state.kind) {
    case 'held': {
      const cutAtMs = (state.overSinceMs ?? Number.POSITIVE_INFINITY) + ttlMs
      return Math.min(state.validUntilMs, cutAtMs, now + LIMITS.fleetWatchMs)
    }
    case 'doubtful':
      return isSpeaking ? Number.POSITIVE_INFINITY : state.decideByMs
    case 'lost':
      return state.growAtMs
    case 'unheard':
    case 'ended':
      return Number.POSITIVE_INFINITY
    default:
      return state satisfies never
  }
}
