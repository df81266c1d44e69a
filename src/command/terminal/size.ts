/** How large the terminal behind an output is. */
import type { Writable } from 'node:stream'
import { LIMITS } from '../../base/limits.ts'

export type TerminalSize = { readonly columns: number; readonly rows: number }

/** Null where the output is no terminal. `columnsGiven`: what COLUMNS says, which outweighs the terminal. */
export function terminalSize(stream: Writable, columnsGiven?: number): TerminalSize | null {
  if (!('isTTY' in stream) || stream.isTTY !== true) return null
  const { columns, rows } = stream as { readonly columns?: number; readonly rows?: number }
  return {
    columns: columnsGiven ?? (columns || LIMITS.terminalColumns),
    rows: rows || LIMITS.terminalRows,
  }
}
