/** Shared memory by which a module on another thread says that it runs, and which it may write all over. */
export type GatedWords = {
  readonly words: SharedArrayBuffer
  /** Resolves when the module runs. */
  readonly begun: Promise<unknown>
  /** The first and the last word that the module may write over. They differ while it is about it. */
  ends(): readonly [first: number, last: number]
}

/** `bytes` of memory, the word included by which the module says that it runs. */
export function gatedWords(bytes = 12): GatedWords {
  const view = new Int32Array(new SharedArrayBuffer(bytes))
  const waiting = Atomics.waitAsync(view, 0, 0)
  return {
    words: view.buffer,
    begun: Promise.resolve(waiting.value),
    ends: () => [Atomics.load(view, 1), Atomics.load(view, view.length - 1)],
  }
}
