/**
 * Where log lines go: towards a reader that may be slow, away, or out of room. A line never holds up the thread that
 * writes it and never fails it. One write is under way at a time; what comes meanwhile waits, up to a bound, and is
 * dropped and counted beyond it. When the log flows again, one line says how many were dropped.
 *
 *   write ──► waiting (bounded) ──► under way ──► the outlet
 *      └──► dropped, where the bound is reached or the outlet fails
 */
import { LIMITS } from './limits.ts'

/** The way out. One call at a time; `done` may be called in the same turn or later. */
export interface LogOutlet {
  /** `written`: how many of the bytes went out, all of them where `error` is null. */
  write(bytes: Uint8Array, done: (written: number, error: Error | null) => void): void
}

export type LogSinkOptions = {
  readonly outlet: LogOutlet
  /** The line that reports so many dropped ones, with its line end. */
  readonly describeLoss: (lines: number) => string
  /** Bytes that may wait; default LIMITS.logWaitingBytesMax. */
  readonly waitingBytesMax?: number
}

/** One line that waits. A report does not count when it is dropped, but what it reports is to be told again. */
type Line = { readonly bytes: Buffer; readonly reports: number }

export class LogSink {
  readonly #outlet: LogOutlet
  readonly #describeLoss: (lines: number) => string
  readonly #waitingBytesMax: number
  #waiting: Line[] = []
  #waitingBytes = 0
  /** The rest of a line whose beginning went out before the outlet failed: it comes first, or two lines would be one. */
  #cut: Buffer | null = null
  #isWriting = false
  #dropped = 0
  #unreported = 0
  readonly #idleListeners = new Set<() => void>()

  constructor({ outlet, describeLoss, waitingBytesMax = LIMITS.logWaitingBytesMax }: LogSinkOptions) {
    this.#outlet = outlet
    this.#describeLoss = describeLoss
    this.#waitingBytesMax = waitingBytesMax
  }

  /** Lines that never reached the reader, since the start. */
  get dropped(): number {
    return this.#dropped
  }

  /** Takes a line, with its line end. Never waits, never throws. */
  write(text: string): void {
    const bytes = Buffer.from(text)
    if (this.#waitingBytes + bytes.length > this.#waitingBytesMax) return this.#drop([{ bytes, reports: 0 }])
    this.#wait({ bytes, reports: 0 })
    if (!this.#isWriting) this.#next()
  }

  /** Resolves when nothing waits any more, or after `timeoutMs`: the log's reader must not keep a process from its end. */
  async flushed(timeoutMs: number = LIMITS.logFlushMs): Promise<void> {
    if (!this.#isWriting) return
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, timeoutMs)
    this.#idleListeners.add(resolve)
    await promise
    clearTimeout(timer)
    this.#idleListeners.delete(resolve)
  }

  #wait(line: Line): void {
    this.#waiting.push(line)
    this.#waitingBytes += line.bytes.length
  }

  #next(): void {
    const lines = this.#waiting
    const pieces = lines.map(({ bytes }) => bytes)
    if (this.#cut) pieces.unshift(this.#cut)
    if (pieces.length === 0) {
      for (const tell of this.#idleListeners) tell()
      return
    }
    this.#waiting = []
    this.#waitingBytes = 0
    const cutBytes = this.#cut?.length ?? 0
    const bytes = pieces.length === 1 && pieces[0] ? pieces[0] : Buffer.concat(pieces)
    this.#isWriting = true
    this.#outlet.write(bytes, (written, error) => {
      this.#isWriting = false
      if (error === null) this.#flows()
      else this.#failed(bytes, lines, cutBytes, written)
    })
  }

  /** The outlet took everything. */
  #flows(): void {
    this.#cut = null
    if (this.#unreported > 0) {
      const reports = this.#unreported
      this.#unreported = 0
      this.#wait({ bytes: Buffer.from(this.#describeLoss(reports)), reports })
    }
    this.#next()
  }

  /** What did not go out is dropped, but for the rest of a line that has begun; the next line is the next attempt. */
  #failed(bytes: Buffer, lines: readonly Line[], cutBytes: number, written: number): void {
    const lost: Line[] = []
    let end = cutBytes
    this.#cut = written < cutBytes ? bytes.subarray(written, cutBytes) : null
    for (const line of lines) {
      const start = end
      end += line.bytes.length
      if (written <= start) lost.push(line)
      else if (written < end) this.#cut = bytes.subarray(written, end)
    }
    this.#drop([...lost, ...this.#waiting])
    this.#waiting = []
    this.#waitingBytes = 0
    for (const tell of this.#idleListeners) tell()
  }

  #drop(lines: readonly Line[]): void {
    for (const { reports } of lines) {
      this.#unreported += reports > 0 ? reports : 1
      if (reports === 0) this.#dropped++
    }
  }
}
