/**
 * Texts of dialogs: bytes as UTF-8, in which `{{name}}` stands for what was captured under that name and `env:NAME` for a
 * variable of the environment. What a variable says is never read as text again: it may hold braces of its own.
 */
import type { StepBytes, StepPiece } from './target-dialog.ts'

/** Names of captures. */
export const CAPTURE_NAME = '[A-Za-z_][A-Za-z0-9_]{0,63}'

const CAPTURES = new RegExp(`\\{\\{ *(${CAPTURE_NAME}) *\\}\\}`)
const VARIABLES = /(?<![A-Za-z0-9_])env:([A-Za-z_][A-Za-z0-9_]*)/

/** The text in pieces: `text` as it is, `name` for a capture in its place. Neither is empty. */
export type TemplatePiece = { readonly text: string } | { readonly name: string }

export function templatePieces(text: string): readonly TemplatePiece[] {
  // Every other part is what the group of the separator matched.
  return text
    .split(CAPTURES)
    .map((part, index) => (index % 2 === 1 ? { name: part } : { text: part }))
    .filter(piece => !('text' in piece) || piece.text !== '')
}

/**
 * The text with its variables in place: a text again, or pieces where what they say would be read as more than text.
 * `unset` hears of each that is not there.
 */
export function fillVariables(
  text: string,
  variable: (name: string) => string | undefined,
  unset: (name: string) => void,
): StepBytes {
  const parts = text.split(VARIABLES)
  const isName = (index: number): boolean => index % 2 === 1
  const filled = parts.map((part, index) => {
    const value = isName(index) ? variable(part) : part
    if (value === undefined) unset(part)
    return value ?? ''
  })
  const values = filled.filter((_, index) => isName(index))
  const joined = filled.join('')
  if (values.every(value => !/[{}]/.test(value)) && isSameTemplate(joined, text)) return joined
  return filled
    .map(
      (part, index): StepPiece => (isName(index) ? { base64: Buffer.from(part).toString('base64') } : part),
    )
    .filter(piece => piece !== '')
}

/** Characters that the bytes are spelt with. */
export function charsOf(bytes: StepBytes): number {
  const pieces: readonly StepPiece[] = Array.isArray(bytes) ? bytes : [bytes]
  return pieces.reduce((sum, piece) => {
    if (typeof piece === 'string') return sum + piece.length
    return sum + ('hex' in piece ? piece.hex : piece.base64).length
  }, 0)
}

/** Whether the text names no variable, and the captures that the other names. */
function isSameTemplate(text: string, other: string): boolean {
  const names = (of: string): string => JSON.stringify(templatePieces(of).filter(piece => 'name' in piece))
  return !VARIABLES.test(text) && names(text) === names(other)
}
