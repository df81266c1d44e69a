/**
 * The signs of life of one I/O worker, as the pool sees them. Only looks count, never the clock: one that ran on while the whole
 * process stood still says nothing against a thread that stood still with it.
 */
import { LIMITS } from '../base/limits.ts'

export class Heartbeat {
  #beats = 0
  #silentLooks = 0
  #hasStarted = false

  /** The thread says that it has started: how long that took says nothing of what comes after it. */
  started(): void {
    this.#hasStarted = true
    this.#silentLooks = 0
  }

  /** To be called every LIMITS.sweepIntervalMs, with the number of beats so far. */
  look(beats: number): void {
    this.#silentLooks = beats === this.#beats ? this.#silentLooks + 1 : 0
    this.#beats = beats
  }

  /** For how many milliseconds of looks there was no sign of life. */
  get silenceMs(): number {
    return this.#silentLooks * LIMITS.sweepIntervalMs
  }

  /** Whether it has started, and shows signs of life. */
  get isAlive(): boolean {
    return this.#hasStarted && this.silenceMs < LIMITS.heartbeatSuspectMs
  }
}
