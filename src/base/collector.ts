import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

type CollectOptions =
  | { readonly type: 'minor' }
  | { readonly type: 'major'; readonly execution: 'sync'; readonly flavor: 'last-resort' }

/** Collects all garbage, the young alone, or all as V8 does itself when memory is short. */
export type Collect = (options?: CollectOptions) => void

/**
 * V8's own, which a program sees only where it asked for it at its start; a new context sees it from here on. The flag is the
 * whole process's: another thread that does the same may have taken it back in between, and then it is asked for again.
 */
export function collector(): Collect {
  while (true) {
    setFlagsFromString('--expose-gc')
    const collect: unknown = runInNewContext('globalThis.gc')
    setFlagsFromString('--no-expose-gc')
    if (typeof collect === 'function') return collect as Collect
  }
}
