import type { ByteSink } from '../byte-sink.ts'

/** A byte sink that can also block its thread. Only threads that serve no event loop may use one so. */
export interface BlockingSink extends ByteSink {
  /** Blocks until at most `level` bytes are pending or the connection has ended; false when time passed first. */
  waitFor(level: number, timeoutMs: number): boolean
  /** Blocks until the connection has ended; false when time passed first. */
  waitEnd(timeoutMs: number): boolean
}
