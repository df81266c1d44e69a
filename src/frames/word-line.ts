/** A line of words with blanks between them, ended by \r\n. Its owner takes the words as they end. */
import { LIMITS } from '../base/limits.ts'
import { frameBroken } from './frame-errors.ts'
import { WordBytes } from './word-bytes.ts'

export interface WordTaker {
  /** `text`: latin1, or null where it has more than `LIMITS.frameWordBytesMax` of the `length` bytes. */
  takeWord(text: string | null, length: number): void
}

const [LF, CR] = [0x0a, 0x0d]

/** What a byte is: HIGH is beyond ASCII, which keys and values may have, and no first word. */
const [PLAIN, BLANK, RETURN, HIGH, REFUSED] = [0, 1, 2, 3, 4]

/** The classes of bytes in lines of one kind: text that separates words, and text that no line has. */
export function lineBytes(blanks: string, refused: string): Uint8Array {
  const classes = new Uint8Array(256).fill(HIGH, 128)
  for (const byte of Buffer.from(blanks, 'latin1')) classes[byte] = BLANK
  for (const byte of Buffer.from(`${refused}\n`, 'latin1')) classes[byte] = REFUSED
  classes[CR] = RETURN
  return classes
}

/** Every control character but \r, which ends a line. */
export const CONTROLS: string = String.fromCharCode(...Array(32).keys(), 127).replace('\r', '')

export class WordLine {
  readonly #frame: string
  readonly #classes: Uint8Array
  readonly #word = new WordBytes()
  readonly #taker: WordTaker
  #bytesMax = 0
  #bytes = 0
  #words = 0
  /** \r was seen, and only \n can follow. */
  #isEnding = false

  constructor(frame: string, classes: Uint8Array, taker: WordTaker) {
    this.#frame = frame
    this.#classes = classes
    this.#taker = taker
  }

  /** Bytes that the line may have, \r\n included; default: `LIMITS.frameLineBytesMax`. */
  begin(bytesMax: number = LIMITS.frameLineBytesMax): void {
    this.#bytesMax = bytesMax
    this.#bytes = 0
    this.#words = 0
    this.#isEnding = false
  }

  /** The line in progress turns out to be one that may have so many bytes. */
  allow(bytesMax: number): void {
    this.#bytesMax = bytesMax
  }

  /** Index behind its \r\n, or -1 where that has not come. Errors: FRAME_BROKEN. */
  find(bytes: Uint8Array, from: number, to: number): number {
    for (let index = from; index < to; index++) {
      if (!this.#isEnding) index = this.#takePlain(bytes, index, to)
      if (index === to) break
      this.#count(1)
      const byte = bytes[index] ?? 0
      if (!this.#isEnding) this.#takeOther(byte)
      else if (byte === LF) return index + 1
      else throw frameBroken(this.#frame, 'no \\n follows the \\r of a line')
    }
    return -1
  }

  /** Index of the next byte that is not plain. */
  #takePlain(bytes: Uint8Array, from: number, to: number): number {
    let index = from
    while (index < to && this.#classes[bytes[index] ?? 0] === PLAIN) index++
    this.#count(index - from)
    this.#word.add(bytes, from, index)
    return index
  }

  #takeOther(byte: number): void {
    const kind = this.#classes[byte]
    if (kind === REFUSED) throw frameBroken(this.#frame, 'a line has a byte that no line can have')
    if (kind !== HIGH) {
      this.#endWord()
      this.#isEnding = kind === RETURN
    } else if (this.#words > 0) this.#word.add(Uint8Array.of(byte), 0, 1)
    else throw frameBroken(this.#frame, 'a line begins with no word of the protocol')
  }

  #endWord(): void {
    const { length } = this.#word
    if (length === 0) return
    this.#words += 1
    this.#taker.takeWord(this.#word.take(), length)
  }

  #count(bytes: number): void {
    this.#bytes += bytes
    if (this.#bytes > this.#bytesMax)
      throw frameBroken(this.#frame, `a line is longer than ${this.#bytesMax} bytes`)
  }
}
