/**
 * File descriptors, the one resource that HTTP, the dials, the threads and every file share: how many this process may
 * have, how they are divided, and which errors say that there are none left. Nothing here raises a limit.
 */
import { closeSync, openSync, readFileSync } from 'node:fs'
import { type ErrorDetails, SockpoolError } from './errors.ts'
import { LIMITS } from './limits.ts'

/** Connections that each side may have open at once. */
export type DescriptorShares = { readonly http: number; readonly dials: number }

/** The system's codes for what this process, or the machine, has run out of: no caller's fault and no target's. */
const EXHAUSTED: ReadonlySet<unknown> = new Set(['EMFILE', 'ENFILE', 'ENOMEM', 'ENOBUFS'])

/** How many descriptors this process may have, by its soft limit; null where it has no limit or the system is silent. */
export function descriptorLimit(): number | null {
  return limitOfProc() ?? limitOfReport()
}

/**
 * Half of what the threads and files leave over for each side: a caller that leases holds one connection on either.
 *
 * `threads`: of all kinds, that may run at once.
 */
export function shareDescriptors(limit: number | null, threads: number): DescriptorShares {
  const free = (limit ?? Infinity) - LIMITS.descriptorsKept - LIMITS.descriptorsPerThread * threads
  const half = Math.max(LIMITS.descriptorShareMin, Math.floor(free / 2))
  return { http: Math.min(half, LIMITS.httpConnectionsMax), dials: Math.min(half, LIMITS.channelsMax) }
}

/** Whether the error says that this process or machine has run out of something. */
export function isExhaustion(error: unknown): boolean {
  return error instanceof Error && 'code' in error && EXHAUSTED.has(error.code)
}

/** Such an error as a caller is told of it: it may come again later. `what`: what could not be done; `more`: what is told besides. */
export function exhausted(what: string, cause: unknown, more: ErrorDetails = {}): SockpoolError {
  const reason = cause instanceof Error && 'code' in cause ? String(cause.code) : 'EMFILE'
  return new SockpoolError(
    'QUEUE_FULL',
    `${what}: the service has run out of a system resource (${reason})`,
    { ...more, reason, cause },
  )
}

/** Whether no file could be opened right now, for errors that hide it: a look-up that failed, a thread that died. */
export function isOutOfDescriptors(): boolean {
  try {
    closeSync(openSync('/dev/null', 'r'))
    return false
  } catch (error) {
    return isExhaustion(error)
  }
}

function limitOfProc(): number | null {
  try {
    const soft = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1]
    return soft === undefined ? null : Number(soft)
  } catch {
    // Another system than Linux.
    return null
  }
}

function limitOfReport(): number | null {
  // The report would look up names of the network's interfaces.
  Object.assign(process.report, { excludeNetwork: true })
  const { userLimits } = process.report.getReport() as { userLimits?: { open_files?: { soft?: unknown } } }
  const soft = userLimits?.open_files?.soft
  return typeof soft === 'number' ? soft : null
}
