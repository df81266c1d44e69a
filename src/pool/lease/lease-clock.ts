/**
 * When a lease was last used and when it expires. It never expires while an operation runs, and every operation
 * renews it. The timer is set once and looks again when it fires: operations only note when they were.
 */
import { timerMs } from '../../base/timer.ts'

export type LeaseActivity = {
  /** A call waits. */
  readonly waits: boolean
  /** It changes with every byte that is moved. */
  readonly bytes: number
}

export interface LeaseClockDeps {
  /** Milliseconds; null never expires. */
  readonly ttlMs: number | null
  /** The monotonic clock. */
  now(): number
  onExpired(): void
  /** What the holder does beside operations. */
  activity?(): LeaseActivity
}

/** So many times within a ttl a clock elsewhere is told. */
const TOLD_SHARE = 4

export class LeaseClock {
  readonly #deps: LeaseClockDeps
  #createdMs: number
  #ttlMs: number | null
  #touchedMs: number
  #toldMs: number
  #operations = 0
  #bytes = 0
  #lastOperation: string | null = null
  #timer: NodeJS.Timeout | null = null
  /** Nothing renews it any more. */
  #isFrozen = false

  constructor(deps: LeaseClockDeps) {
    this.#deps = deps
    this.#ttlMs = deps.ttlMs
    this.#createdMs = deps.now()
    this.#touchedMs = this.#createdMs
    this.#toldMs = this.#createdMs
    this.#arm()
  }

  get isBusy(): boolean {
    return this.#operations > 0 && !this.#isFrozen
  }

  get lastOperation(): string | null {
    return this.#lastOperation
  }

  get ageMs(): number {
    return this.#deps.now() - this.#createdMs
  }

  /** Milliseconds since the last operation or moved byte; 0 while the holder waits. */
  get idleMs(): number {
    this.#noteActivity()
    return this.isBusy ? 0 : this.#deps.now() - this.#touchedMs
  }

  get expiresAt(): Date | null {
    return this.#ttlMs === null ? null : new Date(Date.now() + this.#ttlMs - this.idleMs)
  }

  begin(operation: string): void {
    this.#lastOperation = operation
    this.#operations++
  }

  /** A call of the holder's own, which is no operation but shows what was done last. */
  note(call: string): void {
    this.#lastOperation = call
  }

  end(): void {
    this.#operations--
    if (!this.#isFrozen) this.#touchedMs = this.#deps.now()
  }

  /**
   * As an operation that begins and ends at once. True where a quarter of the ttl has passed since it last was: time to
   * tell a clock elsewhere that runs by this one's operations.
   */
  served(operation: string): boolean {
    this.begin(operation)
    this.end()
    const sinceMs = this.#touchedMs - this.#toldMs
    if (this.#ttlMs === null || sinceMs < this.#ttlMs / TOLD_SHARE) return false
    this.#toldMs = this.#touchedMs
    return true
  }

  /** Its holder has it only now: it is as new, with this ttl. */
  handOut(ttlMs: number | null): void {
    this.#createdMs = this.#deps.now()
    this.#noteActivity()
    this.renew(ttlMs)
  }

  /** A new ttl, null for none, or the same again. */
  renew(ttlMs?: number | null): void {
    if (ttlMs !== undefined) this.#ttlMs = ttlMs
    this.#touchedMs = this.#deps.now()
    this.#arm()
  }

  /** The ttl runs out from here on, whatever the holder does. */
  freeze(): void {
    this.#noteActivity()
    this.#isFrozen = true
    if (this.#timer) this.#arm()
  }

  stop(): void {
    if (this.#timer) clearTimeout(this.#timer)
    this.#timer = null
  }

  /** Sees what the holder does beside operations; to be called now and then, so that the age of that is known. */
  look(): void {
    this.#noteActivity()
  }

  /** A read or write of the holder's own renews when it is seen, so late by no more than a ttl and never early. */
  #noteActivity(): void {
    if (this.#isFrozen) return
    const { waits, bytes } = this.#deps.activity?.() ?? { waits: false, bytes: this.#bytes }
    if (waits || bytes !== this.#bytes) this.#touchedMs = this.#deps.now()
    this.#bytes = bytes
  }

  #arm(): void {
    this.stop()
    if (this.#ttlMs === null) return
    this.#timer = setTimeout(() => this.#judge(), timerMs(Math.max(1, this.#ttlMs - this.idleMs))).unref()
  }

  #judge(): void {
    if (!this.isBusy && this.idleMs >= (this.#ttlMs ?? Infinity)) this.#deps.onExpired()
    else this.#arm()
  }
}
