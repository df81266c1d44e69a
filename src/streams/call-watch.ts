/**
 * Hears of the calls on a stream in the very moment in which they are made, served or over; so it must be quick, and must not
 * throw. Names are those of the calls: `readline`, `write`.
 */
export interface CallWatch {
  /** A call was served at once. */
  served(name: string): void
  /** A call failed at once. */
  failed(name: string, error: unknown): void
  /** A call waits; the number by which `ended` knows it. */
  waits(name: string): number
  /** That call is over; `error`: null where it was served. */
  ended(call: number, error: unknown): void
}
