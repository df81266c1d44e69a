/**
 * The last operations of one connection, as its pool's thread sees them: for whoever asks later what was done with it. A
 * row is taken when an operation begins, so that one which hangs is to be seen; the oldest row makes room.
 *
 *   numbers   4 for each row: start, end (both on the monotonic clock), bytes in, bytes out
 *   names, outcomes   1 for each row
 *
 * Plain arrays that grow up to their bound and are written over from then on: an operation allocates nothing, and a connection
 * that lies idle has few rows.
 */
import { LIMITS } from '../../base/limits.ts'

export type OperationRow = {
  readonly name: string
  /** When it began, RFC 3339. */
  readonly at: string
  /** Milliseconds that it took, or has taken so far. */
  readonly ms: number
  readonly bytesIn: number
  readonly bytesOut: number
  /** `ok`; the code of its error in lower case; of a release, why the connection serves again or not; `running`. */
  readonly outcome: string
}

const ROWS = LIMITS.flightOperationsMax
const FIELDS = 4
const START = 0
const END = 1
const BYTES_IN = 2
const BYTES_OUT = 3
const RUNNING = 'running'

export class FlightRecorder {
  readonly #now: () => number
  /** The time of day at the beginning of the monotonic clock: found once, so that an instant is the same at every look. */
  readonly #originMs: number
  readonly #numbers: number[] = []
  readonly #names: string[] = []
  readonly #outcomes: string[] = []
  /** Rows taken so far; a row's number is its count. */
  #count = 0
  /** The row to which calls are added that are served at once. */
  #run = -1

  /** `now`: the monotonic clock, in milliseconds. `wallMs`: the time of day. */
  constructor(now: () => number, wallMs: number = Date.now()) {
    this.#now = now
    this.#originMs = wallMs - now()
  }

  /** An operation begins; the number by which `end` knows it. */
  begin(name: string, atMs: number = this.#now()): number {
    const row = this.#count++
    const at = row % ROWS
    const base = at * FIELDS
    this.#names[at] = name
    this.#outcomes[at] = RUNNING
    this.#numbers[base + START] = atMs
    this.#numbers[base + END] = atMs
    this.#numbers[base + BYTES_IN] = 0
    this.#numbers[base + BYTES_OUT] = 0
    return row
  }

  /** It is over. Nothing is noted of one that later ones have pushed out. */
  end(row: number, outcome: string, endMs: number = this.#now()): void {
    if (!this.#has(row)) return
    const at = row % ROWS
    this.#outcomes[at] = outcome
    this.#numbers[at * FIELDS + END] = endMs
  }

  /** So many bytes more went through the connection by it. */
  moved(row: number, bytesIn: number, bytesOut: number): void {
    if (!this.#has(row)) return
    const base = (row % ROWS) * FIELDS
    this.#numbers[base + BYTES_IN] = (this.#numbers[base + BYTES_IN] ?? 0) + bytesIn
    this.#numbers[base + BYTES_OUT] = (this.#numbers[base + BYTES_OUT] ?? 0) + bytesOut
  }

  /** An operation that is over, and took so many milliseconds. */
  add(name: string, outcome: string, atMs: number = this.#now(), ms = 0): void {
    this.end(this.begin(name, atMs), outcome, atMs + ms)
  }

  /**
   * A call that was served at once. Many of one name in a row are one row, which ends with the last of them and has the bytes of all: a
   * program that reads a thousand lines would push out everything else.
   */
  served(name: string, bytesIn: number, bytesOut: number): void {
    const last = this.#count - 1
    const nowMs = this.#now()
    if (last < 0 || last !== this.#run || this.#names[last % ROWS] !== name)
      this.#run = this.begin(name, nowMs)
    this.end(this.#run, 'ok', nowMs)
    this.moved(this.#run, bytesIn, bytesOut)
  }

  /** The rows, oldest first. */
  rows(): OperationRow[] {
    const nowMs = this.#now()
    const rows: OperationRow[] = []
    for (let row = Math.max(0, this.#count - ROWS); row < this.#count; row++)
      rows.push(this.#rowAt(row % ROWS, nowMs))
    return rows
  }

  #has(row: number): boolean {
    return row >= 0 && row >= this.#count - ROWS
  }

  #rowAt(at: number, nowMs: number): OperationRow {
    const [start = nowMs, end = nowMs, bytesIn = 0, bytesOut = 0] = this.#numbers.slice(
      at * FIELDS,
      (at + 1) * FIELDS,
    )
    const outcome = this.#outcomes[at] ?? RUNNING
    const ms = (outcome === RUNNING ? nowMs : end) - start
    return {
      name: this.#names[at] ?? '',
      at: new Date(this.#originMs + start).toISOString(),
      ms: Math.round(ms * 1_000) / 1_000,
      bytesIn,
      bytesOut,
      outcome,
    }
  }
}
