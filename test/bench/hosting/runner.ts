/** What a file of `ours/` or `rivals/` exports as `open`: a contender that is set up once and run again and again. */

/** How much a run does: so long where it counts what it gets done, such a share where it does a whole task. */
export type Order = { readonly forMs: number; readonly share: number }

/** What came of a run. `count` is in operations: whatever the row's rate counts. */
export type Outcome = {
  readonly count: number
  readonly elapsedMs: number
  /** Further numbers of this run, printed by their names. */
  readonly others?: Readonly<Record<string, number>>
}

export type Runner = {
  readonly run: (order: Order) => Promise<Outcome>
  readonly close?: () => Promise<void>
}

/** `so many at once`, each over and over, until the time is up. */
export async function runFor(
  forMs: number,
  atOnce: number,
  step: (index: number) => Promise<void>,
): Promise<Outcome> {
  const startMs = performance.now()
  const endMs = startMs + forMs
  let count = 0
  const loop = async (index: number): Promise<void> => {
    for (; performance.now() < endMs; count++) await step(index)
  }
  await Promise.all(Array.from({ length: atOnce }, (_, index) => loop(index)))
  return { count, elapsedMs: performance.now() - startMs }
}
