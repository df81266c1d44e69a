import type { Isolation } from '../base/isolation.ts'
import { LIMITS } from '../base/limits.ts'

/** Bytes that a thread decodes; more go to a process, also where there are none. */
export const THREAD_BYTES_MAX: Readonly<Record<Isolation, number>> = {
  thread: Number.POSITIVE_INFINITY,
  process: -1,
  auto: LIMITS.parseThreadBytesMax,
}

/** As THREAD_BYTES_MAX, of an input with these options: what is compressed may become many times as many. */
export function threadBytesMax(isolation: Isolation, options: unknown): number {
  return THREAD_BYTES_MAX[isolation === 'auto' && isCompressed(options) ? 'process' : isolation]
}

/** Any value of the option counts: the format judges it. */
function isCompressed(options: unknown): boolean {
  return typeof options === 'object' && options !== null && 'decompress' in options
}
