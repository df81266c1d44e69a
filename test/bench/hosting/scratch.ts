/** A folder of this run for what rows need as files: compiled peers, configurations. It goes with the process. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

let folder: string | null = null

/** A place in the folder. */
export function scratchFile(name: string): string {
  if (folder === null) {
    const made = mkdtempSync(join(tmpdir(), 'sockpool-bench-'))
    folder = made
    process.on('exit', () => rmSync(made, { recursive: true, force: true }))
  }
  return join(folder, name)
}

/** Writes a file there that only this user reads, and gives its place. */
export function writeScratch(name: string, text: string): string {
  const file = scratchFile(name)
  writeFileSync(file, text, { mode: 0o600 })
  return file
}
