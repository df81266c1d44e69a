import type { StreamEnd } from './byte-source.ts'

/**
 * After all accepted bytes: `finish` sends FIN, `close` closes. `abort` drops them and closes at once; `reset` does so by a
 * reset, where the connection has one.
 */
export type SinkShut = 'finish' | 'close' | 'abort' | 'reset'

/**
 * Where a StreamWriter's bytes go: a channel's ring, an HTTP request. The sink owns a bounded buffer; what does
 * not fit stays with the writer. Everything here is synchronous but the wish.
 */
export interface ByteSink {
  /** Bytes accepted that the kernel has not taken yet. */
  readonly pending: number

  /** No fewer than `pending`, where that can be said without a look at what another thread does. */
  readonly pendingMost?: number

  /** How the connection ended, or null while it is alive. */
  readonly end: StreamEnd | null

  /** Accepts as many of the bytes as fit, copies them, and returns how many that were. */
  write(bytes: Uint8Array): number

  shut(how: SinkShut): void

  /**
   * Asks for one call of `wake` as soon as at most `level` bytes are pending or the connection has ended.
   * Never calls back synchronously; returns false, and forgets the wish, where that is so already.
   */
  request(level: number, wake: (() => void) | null): boolean

  /** Asks for one call of `wake` when the connection has ended; null withdraws. */
  onEnd(wake: (() => void) | null): void
}

/** A byte sink that can also block its thread. Only threads that serve no event loop may use one so. */
export interface BlockingSink extends ByteSink {
  /** Blocks until at most `level` bytes are pending or the connection has ended; false when time passed first. */
  waitFor(level: number, timeoutMs: number): boolean
  /** Blocks until the connection has ended; false when time passed first. */
  waitEnd(timeoutMs: number): boolean
}
