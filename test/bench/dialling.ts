/** Opens many connections, so many at a time that the peer's backlog holds them. */

const AT_ONCE = 200

export async function dialling<T>(count: number, dial: () => Promise<T>): Promise<T[]> {
  const opened: T[] = []
  while (opened.length < count) {
    const some = Math.min(AT_ONCE, count - opened.length)
    opened.push(...(await Promise.all(Array.from({ length: some }, dial))))
  }
  return opened
}
