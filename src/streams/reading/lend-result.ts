/** What became of a lent source. */
export type LendResult = {
  /** Bytes that were taken from it. */
  readonly count: number
  readonly outcome:
    | { readonly ok: true; readonly value: unknown }
    | { readonly ok: false; readonly error: Error }
}
