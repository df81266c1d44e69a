/** What is done many times, so many at once: dials that the peer's backlog holds, and what follows on them. */

const AT_ONCE = 200

/** Opens so many. */
export async function dialling<T>(count: number, dial: () => Promise<T>): Promise<T[]> {
  const opened: T[] = []
  while (opened.length < count) {
    const some = Math.min(AT_ONCE, count - opened.length)
    opened.push(...(await Promise.all(Array.from({ length: some }, dial))))
  }
  return opened
}

/** Does something with each. */
export async function withEach<T>(items: readonly T[], step: (item: T) => Promise<unknown>): Promise<void> {
  for (let from = 0; from < items.length; from += AT_ONCE)
    await Promise.all(items.slice(from, from + AT_ONCE).map(step))
}
