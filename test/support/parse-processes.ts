/** Parse processes as the system sees them: Linux alone shows them in /proc. */
import { readdirSync, readFileSync } from 'node:fs'
import { CHILD_MARK } from '../../src/parse/formats/child-frames.ts'

/** The numbers of those that the process has started and that live. */
export function parseProcessesOf(pid: number): readonly number[] {
  const numbers = readdirSync('/proc').map(Number).filter(Number.isInteger)
  return numbers.filter(number => parentOf(number) === pid && textOf(number, 'cmdline').includes(CHILD_MARK))
}

/** Whether it computes, or would if it had a processor; one at rest waits for its pipe. */
export function isAtWork(pid: number): boolean {
  return fieldsOf(pid)[0] === 'R'
}

/** How far below others it stands, from -20 to 19. */
export function niceOf(pid: number): number {
  return Number(fieldsOf(pid)[16])
}

/** What stands in a file of its folder in /proc; nothing once it is gone. */
export function textOf(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'latin1')
  } catch {
    // It has ended between two looks.
    return ''
  }
}

function parentOf(pid: number): number {
  return Number(fieldsOf(pid)[1])
}

/** Those behind its name, from the state on. */
function fieldsOf(pid: number): readonly string[] {
  return textOf(pid, 'stat')
    .replace(/^.*\) /s, '')
    .split(' ')
}
