/** What parsed values come back as from the thread that parses them. Plain data. */

/**
 * The text that stands around values that one thread writes and another sends on as they are.
 *
 *   before value end between value end after
 */
export type TextWrap = {
  readonly before: string
  readonly between: string
  readonly end: string
  readonly after: string
}

/** A Parcel of the values, or the bytes of their JSON text. */
export type AnswerForm = { readonly kind: 'parcel' } | { readonly kind: 'text'; readonly wrap: TextWrap }
