/**
 * Writes what is done with a lease into the flight recorder of its connection, and tells its clock what was done last. What
 * happens within an operation is part of that one, and no row of its own.
 */
import { SockpoolError } from '../../base/errors.ts'
import type { CallWatch } from '../../streams/call-watch.ts'
import type { FlightRecorder } from '../target/flight-recorder.ts'
import type { LeaseClock } from './lease-clock.ts'

/** Bytes that the holder of a lease has read and written so far. */
export type Moved = { readonly bytesIn: number; readonly bytesOut: number }

export class LeaseFlight implements CallWatch {
  readonly #recorder: FlightRecorder
  readonly #clock: LeaseClock
  readonly #moved: Moved
  /** What rows have been given so far: the next one has the rest. */
  #bytesIn = 0
  #bytesOut = 0

  /** `moved`: its members are read anew each time. */
  constructor(recorder: FlightRecorder, clock: LeaseClock, moved: Moved) {
    this.#recorder = recorder
    this.#clock = clock
    this.#moved = moved
  }

  /** An operation begins; the number by which `end` knows it. */
  begin(name: string): number {
    return this.#recorder.begin(name)
  }

  end(call: number, error: unknown): void {
    this.endedAs(call, outcomeOf(error))
  }

  /** As `end`, where what came of it is told in the recorder's words. */
  endedAs(call: number, outcome: string): void {
    if (call < 0) return
    this.#recorder.end(call, outcome)
    this.settle(call)
  }

  /** Gives a row the bytes that none before it has. */
  settle(call: number): void {
    const { bytesIn, bytesOut } = this.#moved
    // What was put back was counted before.
    this.#recorder.moved(call, Math.max(0, bytesIn - this.#bytesIn), Math.max(0, bytesOut - this.#bytesOut))
    this.#bytesIn = bytesIn
    this.#bytesOut = bytesOut
  }

  served(name: string): void {
    if (this.#clock.isBusy) return
    this.#clock.note(name)
    const { bytesIn, bytesOut } = this.#moved
    this.#recorder.served(name, Math.max(0, bytesIn - this.#bytesIn), Math.max(0, bytesOut - this.#bytesOut))
    this.#bytesIn = bytesIn
    this.#bytesOut = bytesOut
  }

  failed(name: string, error: unknown): void {
    this.end(this.waits(name), error)
  }

  waits(name: string): number {
    if (this.#clock.isBusy) return -1
    this.#clock.note(name)
    return this.begin(name)
  }

  ended(call: number, error: unknown): void {
    this.end(call, error)
  }
}

/** `ok` for null; the code of an error, as problems have it. What is no error of ours says nothing that a row may hold. */
export function outcomeOf(error: unknown): string {
  if (error === null) return 'ok'
  return error instanceof SockpoolError ? error.code.toLowerCase() : 'error'
}
