/**
 * What a quota knows of its permits. Instants are monotonic, of this process.
 *
 *   unheard ──► held ◄──► doubtful ──► lost ──► held
 *      └──────────────────────────────► lost
 *   each ──► ended
 */
export type QuotaState =
  /** The engine has not answered yet, since the start. */
  | { readonly kind: 'unheard' }
  /**
   * By the engine's word. `validUntilMs`: from then on others may have what this one had. `overSinceMs`: since when more is
   * in use than that word says; null where it is not.
   */
  | { readonly kind: 'held'; readonly validUntilMs: number; readonly overSinceMs: number | null }
  /** That time is over, and the engine is asked once more. */
  | { readonly kind: 'doubtful'; readonly decideByMs: number }
  /** Without the engine. `growAtMs`: when others have ceased too from what the engine had given them; Infinity once that is past. */
  | { readonly kind: 'lost'; readonly growAtMs: number }
  /** The pool is no more. */
  | { readonly kind: 'ended' }

/** How long what the engine says holds, and what follows from that. Milliseconds; default: those of LIMITS. */
export type FleetTimes = {
  readonly ttlMs: number
  readonly renewMs: number
  /** Beyond the TTL, until it is sure that others have ceased too. */
  readonly graceMs: number
}
