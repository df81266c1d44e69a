/**
 * The whole terminal, for as long as something is drawn over it: the other screen, without a cursor, each key as it is
 * pressed. Whatever ends the process, the terminal is again as it was.
 */
import type { Readable, Writable } from 'node:stream'

export type ScreenEvents = {
  /** A key as the terminal sends it: `q`, `\x1b[A`. */
  readonly onKey: (key: string) => void
  /** The terminal has another size, or is back after a stop: what is on it must be drawn anew. */
  readonly onResize: () => void
  /** A signal asks for the end, or the terminal has gone. */
  readonly onLeave: () => void
}

const ENTER = '\x1b[?1049h\x1b[?25l\x1b[?7l'
const LEAVE = '\x1b[?7h\x1b[?25h\x1b[?1049l'
/** Between these two a terminal that knows them shows nothing half done; the others pass over them. */
const BEGIN = '\x1b[?2026h\x1b[H'
const END = '\x1b[J\x1b[?2026l'
const END_OF_LINE = '\x1b[K'

const LEAVING = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
const SUSPEND = '\x1a'
/** An escape sequence is one key; so is any other character. */
const KEYS = /\p{Cc}\[[\d;]*[A-Za-z~]|\p{Cc}O[A-Za-z]|[\s\S]/gu

/** What a terminal's input has beside a stream's. */
type RawInput = Readable & { readonly isTTY?: boolean; setRawMode?: (isRaw: boolean) => unknown }

export class Screen {
  readonly #stdin: RawInput
  readonly #stdout: Writable
  readonly #events: ScreenEvents
  #isEntered = false
  #isBehind = false

  private constructor(stdin: Readable, stdout: Writable, events: ScreenEvents) {
    this.#stdin = stdin
    this.#stdout = stdout
    this.#events = events
  }

  /** Takes the terminal over. Keys come only where `stdin` is a terminal, too. */
  static open(stdin: Readable, stdout: Writable, events: ScreenEvents): Screen {
    const screen = new Screen(stdin, stdout, events)
    stdout.on('resize', events.onResize)
    stdout.on('error', events.onLeave)
    for (const signal of LEAVING) process.on(signal, events.onLeave)
    process.on('SIGTSTP', screen.#stop)
    process.on('SIGCONT', screen.#resume)
    // A fault that nobody catches ends the process by an exit, too.
    process.on('exit', screen.#restore)
    screen.#enter()
    if (screen.#stdin.isTTY === true) {
      stdin.on('data', screen.#read)
      stdin.on('end', events.onLeave)
      stdin.on('error', events.onLeave)
      stdin.resume()
    }
    return screen
  }

  /** Lines from the top; they are as many and as wide as fit. A terminal that lags behind misses frames, none of them twice. */
  draw(lines: readonly string[]): void {
    if (!this.#isEntered || this.#isBehind) return
    const frame = lines.map(line => `${line}${END_OF_LINE}`).join('\r\n')
    this.#isBehind = !this.#stdout.write(`${BEGIN}${frame}${END}`)
    if (this.#isBehind)
      this.#stdout.once('drain', () => {
        this.#isBehind = false
      })
  }

  [Symbol.dispose](): void {
    const { onResize, onLeave } = this.#events
    this.#restore()
    this.#stdout.off('resize', onResize)
    this.#stdout.off('error', onLeave)
    this.#stdin.off('data', this.#read)
    this.#stdin.off('end', onLeave)
    this.#stdin.off('error', onLeave)
    // A terminal that nobody types on any more would keep this process.
    this.#stdin.pause()
    for (const signal of LEAVING) process.off(signal, onLeave)
    process.off('SIGTSTP', this.#stop)
    process.off('SIGCONT', this.#resume)
    process.off('exit', this.#restore)
  }

  #enter(): void {
    this.#isEntered = true
    this.#setRaw(true)
    this.#stdout.write(ENTER)
  }

  readonly #restore = (): void => {
    if (!this.#isEntered) return
    this.#isEntered = false
    this.#stdout.write(LEAVE)
    this.#setRaw(false)
  }

  /** Others of the group were sent the signal, too. */
  readonly #stop = (): void => {
    this.#restore()
    process.kill(process.pid, 'SIGSTOP')
  }

  /** As the kernel does where it hears the key: whoever started this process, as npx does, stops too, or no shell gives a prompt. */
  #stopGroup(): void {
    this.#restore()
    process.kill(0, 'SIGSTOP')
  }

  readonly #resume = (): void => {
    if (!this.#isEntered) this.#enter()
    this.#events.onResize()
  }

  readonly #read = (chunk: Buffer): void => {
    for (const [key] of chunk.toString('utf8').matchAll(KEYS))
      if (key === SUSPEND) this.#stopGroup()
      else this.#events.onKey(key)
  }

  #setRaw(isRaw: boolean): void {
    if (this.#stdin.isTTY !== true) return
    try {
      this.#stdin.setRawMode?.(isRaw)
    } catch {
      // The terminal has gone, and with it the mode that was to be set.
    }
  }
}
