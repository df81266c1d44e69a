/**
 * By what an address passes from one listener of this process to the next without a moment in which nobody listens: both
 * are bound at once, and the first then goes. Null wherever this is said: the first has to go before.
 */
export type Succession =
  /** Each bound its port so that others of the same user may bind it too. */
  | { readonly kind: 'port' }
  /** The file of a unix socket, as long as it is this one: the next takes its name. */
  | { readonly kind: 'file'; readonly dev: number; readonly ino: number }
