/**
 * Notices when the npm that started this process has ended. npm runs a script through `sh -c`; where that shell does not
 * become the script's program, a signal to npm ends npm and the shell alone, and nobody tells the program.
 */
import { readFileSync } from 'node:fs'
import { LIMITS } from '../base/limits.ts'

/** Calls `onGone` once when this process's parent, or the parent of the shell that is its parent, is another than now. */
export function watchParent(onGone: () => void): void {
  const parent = process.ppid
  const beyond = isScriptShell(parent) ? parentOf(parent) : null
  const look = setInterval(() => {
    if (process.ppid === parent && (beyond === null || parentOf(parent) === beyond)) return
    clearInterval(look)
    onGone()
  }, LIMITS.parentLookMs)
  look.unref()
}

/** Whether the process is `sh -c …`; false where the system does not tell. */
function isScriptShell(pid: number): boolean {
  return textOf(`/proc/${pid}/cmdline`)?.split('\0')[1] === '-c'
}

function parentOf(pid: number): number | null {
  // The name in parentheses may hold anything, so the fields are counted behind the last one.
  const fields = textOf(`/proc/${pid}/stat`)?.split(')').at(-1)?.trim().split(' ')
  return fields?.[1] === undefined ? null : Number(fields[1])
}

function textOf(file: string): string | null {
  try {
    return readFileSync(file, 'latin1')
  } catch {
    // No such file system, or no such process any more.
    return null
  }
}
