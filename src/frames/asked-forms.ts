import { LIMITS } from '../base/limits.ts'
import { frameBroken } from './frame-errors.ts'

/**
 * Which answers have a form of their own. The k-th answer belongs to the k-th request, so that only the requests that
 * differ are kept, with their place; an answer may even be whole before its request has been told of.
 */
export class AskedForms<Form> {
  readonly #frame: string
  #asked = 0
  #answered = 0
  readonly #forms: { readonly at: number; readonly form: Form }[] = []
  #isOverrun = false

  constructor(frame: string) {
    this.#frame = frame
  }

  /** A request has gone out; null: its answer is like any other. */
  add(form: Form | null): void {
    const at = this.#asked++
    if (form === null || at < this.#answered) return
    if (this.#forms.length < LIMITS.frameFormsMax) this.#forms.push({ at, form })
    else this.#isOverrun = true
  }

  /** The form of the answer that comes next, or is coming. Errors: FRAME_BROKEN, where more were asked for than are kept. */
  get current(): Form | null {
    if (this.#isOverrun)
      throw frameBroken(this.#frame, 'too many requests wait for an answer of their own form')
    const [first] = this.#forms
    return first?.at === this.#answered ? first.form : null
  }

  /** An answer is whole. */
  answered(): void {
    if (this.#forms[0]?.at === this.#answered) this.#forms.shift()
    this.#answered++
  }
}
