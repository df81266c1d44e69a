/**
 * Stands between a writer's queue and its sink while TLS starts: what was written before goes out in plain text,
 * what comes later waits until the gate opens, encrypted or never.
 */
export class TlsGate {
  /** Queued bytes that may still pass; null: the gate is open. */
  #left: number | null = null
  #sent: PromiseWithResolvers<void> | null = null

  get isOpen(): boolean {
    return this.#left === null
  }

  /** Everything that may pass has passed, and the sink alone still has some of it. */
  get isShut(): boolean {
    return this.#left === 0
  }

  /** Somebody waits for the sink to be empty. */
  get isAwaited(): boolean {
    return this.#sent !== null
  }

  /** Lets `queued` more bytes pass; resolves when they and those before them are sent. */
  close(queued: number): Promise<void> {
    this.#left = queued
    this.#sent = Promise.withResolvers<void>()
    return this.#sent.promise
  }

  open(): void {
    this.#left = null
    this.#sent = null
  }

  /** The part of a piece that may go now. */
  allowed(piece: Buffer): Buffer {
    return this.#left === null ? piece : piece.subarray(0, this.#left)
  }

  passed(count: number): void {
    if (this.#left !== null) this.#left -= count
  }

  /** To be told after each move; `pending`: bytes that the sink has and the kernel has not. */
  settle(pending: number): void {
    if (this.#left !== 0 || pending > 0) return
    this.#sent?.resolve()
    this.#sent = null
  }

  fail(error: Error): void {
    this.#sent?.reject(error)
    this.#sent = null
  }
}
