/** How much the parse threads have to do. Plain data. */
export type ParseLoad = {
  /** Threads of each kind that there may be: for bytes, for messages, for modules on connections, for calls. */
  readonly workers: number
  /** Of all kinds, those that work now; and what waits for one, or for the rest of its message. */
  readonly busy: number
  readonly queued: number
  /** Small inputs so far that were parsed without one. */
  readonly inPlace: number
  /** Complete inputs whose parse takes longer than LIMITS.parseLongMs. */
  readonly long: readonly LongParse[]
}

export type LongParse = {
  readonly format: string
  /** Of the input; and those that have become values, where its format can say so. */
  readonly bytes: number
  readonly bytesDone: number
  readonly values: number
  /** Since it was asked for. */
  readonly ms: number
}
