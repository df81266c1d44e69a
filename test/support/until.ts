/** For conditions that no event announces, such as "the peer has stopped sending". Everything else awaits its event. */

/** Resolves at the first turn of the event loop in which `condition` holds; rejects with `what` after `withinMs`. */
export async function until(what: string, condition: () => boolean, withinMs = 5_000): Promise<void> {
  const deadline = performance.now() + withinMs
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`within ${withinMs} ms it never happened that ${what}`)
    await new Promise(resolve => setImmediate(resolve))
  }
}

/** Tries one time after another until an attempt comes to `expected`; one that fails is none. Rejects as `until`. */
export async function untilComesTo<T>(
  expected: T,
  attempt: () => Promise<T>,
  withinMs = 5_000,
): Promise<void> {
  const deadline = performance.now() + withinMs
  for (;;) {
    const value = await attempt().catch((error: unknown) => error)
    if (value === expected) return
    if (performance.now() > deadline)
      throw new Error(`within ${withinMs} ms it came to ${String(value)} alone`)
  }
}

/** Resolves once `measure` has not changed for `quietMs`; the value. */
export async function untilSteady(
  measure: () => number,
  quietMs: number,
  withinMs = 20_000,
): Promise<number> {
  let value = measure()
  let since = performance.now()
  await until(
    'the value was steady',
    () => {
      const next = measure()
      if (next !== value) since = performance.now()
      value = next
      return performance.now() - since >= quietMs
    },
    withinMs,
  )
  return value
}
