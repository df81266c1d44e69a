/** How busy the calling thread is over a stretch of time. */
import { performance } from 'node:perf_hooks'

export type Stretch = {
  readonly elapsedMs: number
  /** Share of the time that the event loop was not waiting, 0..1. */
  readonly busy: number
  /** Share of the time that the thread had a processor, 0..1. */
  readonly cpu: number
  /** Processor time of all threads of the process. */
  readonly spentMs: number
}

/** Begins a stretch; the function that it returns ends it. */
export function beginStretch(): () => Stretch {
  const startMs = performance.now()
  const loop = performance.eventLoopUtilization()
  const cpu = process.threadCpuUsage()
  const all = process.cpuUsage()
  return () => {
    const elapsedMs = performance.now() - startMs
    const { user, system } = process.threadCpuUsage(cpu)
    const spent = process.cpuUsage(all)
    const { utilization } = performance.eventLoopUtilization(loop)
    return {
      elapsedMs,
      busy: utilization,
      cpu: (user + system) / 1_000 / elapsedMs,
      spentMs: (spent.user + spent.system) / 1_000,
    }
  }
}
