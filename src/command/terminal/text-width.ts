/** How many columns of a terminal a text takes. Its characters are those of `plainText`: none controls anything. */

/** What a reader takes for one character, whatever it is made of. */
const CHARACTERS = new Intl.Segmenter(undefined, { granularity: 'grapheme' })

/** Each character of these texts takes one column. */
const NARROW = /^[\x20-\x7e]*$/
/** Marks that stand on the character before. */
const NO_WIDTH = /^[\p{Mn}\p{Me}\p{Cf}]+$/u
/** Scripts that are written in squares, their full forms of Latin, and pictures. */
const WIDE =
  /^(?![\uff61-\uffdc])(?:[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Bopomofo}\p{Script=Yi}\p{Emoji_Presentation}\u3000-\u303e\uff01-\uff60\uffe0-\uffe6]|.*\ufe0f)/u

const ELLIPSIS = '…'

export function textWidth(text: string): number {
  if (NARROW.test(text)) return text.length
  let width = 0
  for (const { segment } of CHARACTERS.segment(text)) width += characterWidth(segment)
  return width
}

/** The text where it fits into so many columns, else its beginning with an ellipsis. */
export function cutText(text: string, columns: number): string {
  if (textWidth(text) <= columns) return text
  let kept = ''
  let width = 0
  for (const { segment } of CHARACTERS.segment(text)) {
    width += characterWidth(segment)
    if (width > columns - 1) break
    kept += segment
  }
  return columns > 0 ? `${kept}${ELLIPSIS}` : ''
}

function characterWidth(character: string): number {
  if (NO_WIDTH.test(character)) return 0
  return WIDE.test(character) ? 2 : 1
}
