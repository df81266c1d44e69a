/**
 * Text of others as it may go to a terminal. A name or a reason that a peer chose could hold an escape sequence, which
 * would move the cursor, change the title or type into the shell; so no character that controls anything passes.
 */

/** Control characters, formats (directions, joiners), halves of a pair, and the two separators that break lines. */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu
/** What JSON leaves as it stands of the same. */
const UNSAFE_IN_JSON = /[\u007f-\u009f\p{Cf}\p{Zl}\p{Zp}]/gu

/** On one line: `\x1b` or `\u{202e}` stands for what controls. */
export function plainText(text: string): string {
  return text.replace(UNSAFE, character => {
    const code = character.codePointAt(0) ?? 0
    const hex = code.toString(16)
    return code < 0x100 ? `\\x${hex.padStart(2, '0')}` : `\\u{${hex}}`
  })
}

/** As `plainText`, but for the line breaks, which stay. */
export function plainLines(text: string): string {
  return text.split('\n').map(plainText).join('\n')
}

/** JSON that means the same, and holds no such character either. `indent`: blanks for each level; default: on one line. */
export function plainJson(value: unknown, indent = 0): string {
  const json = JSON.stringify(value, null, indent) ?? 'null'
  return json.replace(UNSAFE_IN_JSON, character =>
    Array.from({ length: character.length }, (_, index) => escaped(character.charCodeAt(index))).join(''),
  )
}

function escaped(unit: number): string {
  return `\\u${unit.toString(16).padStart(4, '0')}`
}
