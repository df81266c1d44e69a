/** Where a source stands in its channel, and what it has set aside. Plain data: it crosses threads. */
export type SourcePosition = {
  /** Bytes that a replay window is to keep of what is taken; 0: there is none. */
  readonly replay: number
  /** Of what was taken since the source left its home, the last bytes, as many as the window holds. Memory as `aside`'s. */
  readonly kept: Uint8Array
  /** Pieces with memory of their own, which may be transferred. */
  readonly aside: readonly Uint8Array[]
}
