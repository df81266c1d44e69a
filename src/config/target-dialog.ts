/** Dialogs as a target has them, and as those who write one may: with every text, and no more than plain data. */
import type { TargetTls } from './target-tls.ts'

/** Text as UTF-8, in which `{{name}}` inserts a capture; or bytes in another spelling. */
export type StepPiece = string | { readonly hex: string } | { readonly base64: string }

/** One piece, or several that follow each other. */
export type StepBytes = StepPiece | readonly StepPiece[]

export type StepExpectation =
  /** These very bytes. */
  | StepBytes
  /** A line that begins like this, with its end. */
  | { readonly prefix: StepBytes }
  /** Whatever comes, up to the end of the first match. RE2's syntax. */
  | { readonly pattern: string }
  /** So many bytes. */
  | { readonly bytes: number }
  /** A line, with its end. */
  | { readonly line: true }
  /** One message of the target's frame. */
  | { readonly frame: true }

export type TargetStep = StepTraits &
  (
    | { readonly send: StepBytes }
    | { readonly expect: StepExpectation; readonly capture?: string }
    | { readonly tls: true | TargetTls }
    | { readonly waitMs: number }
  )

type StepTraits = {
  /** Milliseconds; default: 5000. */
  readonly timeoutMs?: number
  /** The step is left out unless each of these captures has this text. */
  readonly when?: Readonly<Record<string, string>>
}

/** Its steps, in order. */
export type TargetDialog = readonly TargetStep[]

/** A module that speaks it, by its `file:` URL. */
export type TargetDialogModule = { readonly module: string }

/** The same dialog with its lists of pieces made flat: a text with variables in it has become a list, maybe within one. */
export function flatDialog(dialog: TargetDialog): TargetDialog {
  return dialog.map(step => {
    if ('send' in step) return { ...step, send: flat(step.send) }
    if (!('expect' in step)) return step
    const { expect } = step
    if (typeof expect === 'object' && 'prefix' in expect)
      return { ...step, expect: { prefix: flat(expect.prefix) } }
    return { ...step, expect: Array.isArray(expect) ? flat(expect) : expect }
  })
}

function flat(bytes: StepBytes): StepBytes {
  return Array.isArray(bytes) ? bytes.flat() : bytes
}
