/**
 * The processor time of a process by thread, as Linux counts it. A thread is told by its name: ours have names of their own,
 * and V8's helpers and libuv's pool, which no program names, are `other`.
 */
import { readdirSync, readFileSync } from 'node:fs'

/** Microseconds of processor time that a group of threads has had. */
export type GroupTimes = Readonly<Record<string, number>>

type ThreadTime = { readonly group: string; readonly us: number }

/** Threads of a process by their id, each with what it has had so far; null where the system does not tell. */
export type ThreadTimes = ReadonlyMap<string, ThreadTime> | null

/** What the name of a thread begins with, and its group. */
const GROUPS: readonly (readonly [prefix: string, group: string])[] = [
  ['sockpool-io', 'io'],
  ['sockpool-http', 'http'],
  // Those of parse threads have the name that Node gives.
  ['WorkerThread', 'parse'],
]

/** Of all these processes together. One that has gone has no threads. */
export function threadTimes(pids: readonly number[]): ThreadTimes {
  if (process.platform !== 'linux') return null
  const times = new Map<string, ThreadTime>()
  for (const pid of pids)
    for (const thread of threadsOf(pid)) {
      const time = timeOf(pid, thread)
      if (time !== null) times.set(thread, time)
    }
  return times
}

/** What each group has had between two looks. A thread that ended in between is not known to the second and not counted. */
export function timesBetween(before: ThreadTimes, after: ThreadTimes): GroupTimes {
  const groups: Record<string, number> = {}
  for (const [thread, { group, us }] of after ?? []) {
    const spent = us - (before?.get(thread)?.us ?? 0)
    groups[group] = (groups[group] ?? 0) + spent
  }
  return groups
}

function threadsOf(pid: number): readonly string[] {
  try {
    return readdirSync(`/proc/${pid}/task`)
  } catch {
    return []
  }
}

function timeOf(pid: number, thread: string): ThreadTime | null {
  try {
    const folder = `/proc/${pid}/task/${thread}`
    // Its first number is the time on a processor in nanoseconds; `stat` counts ticks of 10 ms.
    const us = Number(readFileSync(`${folder}/schedstat`, 'latin1').split(' ', 1)[0]) / 1_000
    return { group: groupOf(pid, thread, readFileSync(`${folder}/comm`, 'latin1')), us }
  } catch {
    return null
  }
}

function groupOf(pid: number, thread: string, name: string): string {
  if (Number(thread) === pid) return 'main'
  return GROUPS.find(([prefix]) => name.startsWith(prefix))?.[1] ?? 'other'
}
