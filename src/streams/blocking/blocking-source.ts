import type { ByteSource } from '../byte-source.ts'

/** A byte source that can also block its thread. Only parse workers and synchronous clients may use one. */
export interface BlockingSource extends ByteSource {
  /**
   * Blocks the thread until `count` bytes are available or the end has come; false when `timeoutMs` (Infinity: no
   * bound) passed first. As with `request`, `count` may be larger than the source's memory.
   */
  waitFor(count: number, timeoutMs: number): boolean
}
