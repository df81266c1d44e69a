/** What an operation costs: microseconds of processor time by thread, and bytes of garbage. They hold on any number of cores. */
import type { Freed } from './garbage.ts'
import { type GroupTimes, type ThreadTimes, threadTimes, timesBetween } from './thread-times.ts'

/** Where a contender's costs are read: its processes, and the garbage of the one that is Node's. */
export type Meters = {
  readonly pids: readonly number[]
  readonly freed?: () => Freed
}

/**
 * Names of its numbers, all per operation: `usMain`, `usIo`, `usHttp`, `usParse`, `usOther` and their sum `usAll`; `garbage` of
 * the main thread and `garbageOthers`, in bytes.
 */
export type Spent = Readonly<Record<string, number>>

/** Begins to count; the function that it returns divides by the operations that were done since. */
export function beginSpending({ pids, freed }: Meters): (operations: number) => Spent {
  const before = threadTimes(pids)
  const freedBefore = freed?.()
  return operations => {
    const freedAfter = freed?.()
    return {
      ...timesPer(operations, before, threadTimes(pids)),
      ...(freedBefore !== undefined &&
        freedAfter !== undefined && {
          garbage: (freedAfter.main - freedBefore.main) / operations,
          garbageOthers: (freedAfter.others - freedBefore.others) / operations,
        }),
    }
  }
}

function timesPer(operations: number, before: ThreadTimes, after: ThreadTimes): Spent {
  if (after === null || after.size === 0) return {}
  const times: GroupTimes = timesBetween(before, after)
  const all = Object.values(times).reduce((sum, us) => sum + us, 0)
  return Object.fromEntries([
    ...Object.entries(times).map(([group, us]) => [
      `us${group.charAt(0).toUpperCase()}${group.slice(1)}`,
      us / operations,
    ]),
    ['usAll', all / operations],
  ])
}
