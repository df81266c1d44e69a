/**
 * Keeps what the engine makes of the code, for the next start: to compile it anew is a quarter of what a start costs. It
 * lies in the user's own cache, and not with the temporary files, where others could put code for this user to run. Runs
 * before anything else, on whatever Node there is.
 */
import { mkdirSync } from 'node:fs'
import module from 'node:module'
import { homedir } from 'node:os'
import { join } from 'node:path'

/**
 * Where there is no such place, or it cannot be written, a start costs what it did. NODE_COMPILE_CACHE names another folder,
 * NODE_DISABLE_COMPILE_CACHE=1 keeps nothing: Node sees to both.
 */
export function keepCompiledCode(): void {
  const home = homeFolder()
  if (home === null) return
  const caches = join(home, '.cache')
  const own = join(caches, 'sockpool')
  // Node would make all folders on the way, and in some places tries for ever.
  if (hasFolder(caches) && hasFolder(own)) module.enableCompileCache?.(own)
}

/** Null where nobody knows of one: there is no HOME, and the user has no name. */
function homeFolder(): string | null {
  try {
    return homedir()
  } catch {
    return null
  }
}

/** Whether the folder is there, made where it was not. */
function hasFolder(folder: string): boolean {
  try {
    mkdirSync(folder, 0o700)
    return true
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EEXIST'
  }
}
