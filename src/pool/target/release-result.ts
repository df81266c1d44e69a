/** What became of a connection that its holder gave back, and why. */

export type ReleaseReason =
  | 'clean'
  | 'policy'
  | 'discarded'
  | 'unread'
  | 'unsent'
  | 'unanswered'
  | 'timed_out'
  | 'half_closed'
  | 'error'
  | 'upgraded'
  | 'lifetime'
  | 'max_uses'
  | 'idle'
  | 'reconnect'
  | 'drain'
  | 'resize'
  | 'dns'
  | 'killed'
  | 'revoked'
  | 'dialog_failed'
  | 'poisoned'

export type ReleaseResult = { readonly outcome: 'reused' | 'closed'; readonly reason: ReleaseReason }

/** Why a connection may not serve again. */
export type Refusal = Exclude<ReleaseReason, 'clean'>
