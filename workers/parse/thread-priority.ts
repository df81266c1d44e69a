/**
 * Parse work gives way to the threads that serve: where there are fewer processors than threads with work, a large or hostile
 * input takes its time from other parses, and not from the event loop. On Linux each thread has a priority of its own.
 */
import { readlinkSync } from 'node:fs'
import { setPriority } from 'node:os'
import { basename } from 'node:path'
import { LIMITS } from '../../src/base/limits.ts'

/** Whether it could be done. Without it parse threads work as well, but hold others up more. */
export function giveWay(): boolean {
  if (process.platform !== 'linux') return false
  try {
    setPriority(Number(basename(readlinkSync('/proc/thread-self'))), LIMITS.parseNice)
    return true
  } catch {
    // No /proc in this container, or no right to change priorities in it.
    return false
  }
}
