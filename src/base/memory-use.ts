import { getHeapStatistics } from 'node:v8'

/** Bytes of this process: resident, and of this thread's heap in use. */
export type MemoryUse = { readonly rss: number; readonly heapUsed: number }

/** It never fails: `process.memoryUsage` reads a file, for which there may be no descriptor left. */
export function memoryUse(): MemoryUse {
  return { rss: residentBytes(), heapUsed: getHeapStatistics().used_heap_size }
}

function residentBytes(): number {
  try {
    return process.memoryUsage.rss()
  } catch {
    // The most that it ever was; the system keeps that without a file.
    return process.resourceUsage().maxRSS * 1_024
  }
}
