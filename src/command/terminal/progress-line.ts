/**
 * One line on a terminal that says how far something long is: drawn over itself, and gone at the end. On a pipe nothing is
 * written, as a log has no use for it.
 */
import type { Writable } from 'node:stream'
import { LIMITS } from '../../base/limits.ts'
import { plainText } from './plain-text.ts'
import { bytesText, countText, timeText } from './quantity.ts'
import { terminalSize } from './size.ts'
import { cutText } from './text-width.ts'

export type ProgressStep = {
  /** What is being done, as `sending`. */
  readonly what: string
  /** `none`: nothing is counted, it only takes its time. */
  readonly unit: 'bytes' | 'counts' | 'none'
  /** How much it is in all; null where nobody knows. */
  readonly total: number | null
}

/** Back to the line's start, and the rest of it emptied. */
const CLEAR = '\r\x1b[K'
const BAR_COLUMNS = 24

export class ProgressLine {
  readonly #stream: Writable
  readonly #isShown: boolean
  readonly #now: () => number
  readonly #bornMs: number
  #step: ProgressStep | null = null
  #startedMs = 0
  #done = 0
  /** Null while nothing of it stands on the terminal. */
  #drawnMs: number | null = null
  readonly #timer: NodeJS.Timeout | null

  /** `now`: milliseconds that only rise. */
  constructor(stream: Writable, now: () => number = () => performance.now()) {
    this.#stream = stream
    this.#now = now
    this.#bornMs = now()
    this.#isShown = terminalSize(stream) !== null
    // What does not move for a while still tells how long it has been at it.
    this.#timer = this.#isShown ? setInterval(() => this.#draw(), 4 * LIMITS.progressDrawMs).unref() : null
  }

  /** From now on it tells of this. */
  begin(step: ProgressStep): void {
    this.#step = step
    this.#startedMs = this.#now()
    this.#done = 0
    this.#drawIfDue()
  }

  /** So much more is done. */
  add(amount: number): void {
    this.#done += amount
    this.#drawIfDue()
  }

  /** What it told of is over: takes the line off the terminal, for something else that is to stand there. */
  clear(): void {
    this.#step = null
    if (this.#drawnMs === null) return
    this.#drawnMs = null
    this.#stream.write(CLEAR)
  }

  [Symbol.dispose](): void {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.clear()
  }

  #drawIfDue(): void {
    if (this.#isShown && this.#now() - (this.#drawnMs ?? Number.NEGATIVE_INFINITY) >= LIMITS.progressDrawMs)
      this.#draw()
  }

  #draw(): void {
    const now = this.#now()
    const size = terminalSize(this.#stream)
    // What is over in a moment needs no line, which would only flash.
    if (size === null || this.#step === null || now - this.#bornMs < LIMITS.progressDelayMs) return
    this.#drawnMs = now
    const text = progressText(this.#step, this.#done, now - this.#startedMs)
    // The last column stays free: some terminals break the line there.
    this.#stream.write(`${CLEAR}${cutText(text, size.columns - 1)}`)
  }
}

/** `sending [#####.......] 42%  12.3 MiB of 29 MiB  5.1 MiB/s  2s`. */
export function progressText({ what, unit, total }: ProgressStep, done: number, elapsedMs: number): string {
  if (unit === 'none') return [plainText(what), timeText(elapsedMs)].join('  ')
  const amount = unit === 'bytes' ? bytesText : countText
  const seconds = elapsedMs / 1_000
  const rate = unit === 'bytes' && seconds > 0 ? [`${bytesText(done / seconds)}/s`] : []
  const tail = [...rate, timeText(elapsedMs)]
  if (total === null) return [plainText(what), amount(done), ...tail].join('  ')
  const share = total > 0 ? Math.min(1, done / total) : 1
  const filled = Math.floor(share * BAR_COLUMNS)
  const bar = `[${'#'.repeat(filled)}${'.'.repeat(BAR_COLUMNS - filled)}]`
  return [
    `${plainText(what)} ${bar} ${Math.floor(share * 100)}%`,
    `${amount(done)} of ${amount(total)}`,
    ...tail,
  ].join('  ')
}
