/** Files and folders that a shell may offer behind the beginning of a path. */
import { readdir } from 'node:fs/promises'
import { LIMITS } from '../base/limits.ts'

/** What no shell takes for more than a part of a name: a name with other characters is typed by hand. */
const SAFE_PATH = /^[\p{L}\p{N}_./@%+,=-]+$/u

/** Sorted; a folder ends in a slash. Empty where there is no such folder, or it may not be read. */
export async function offeredFiles(beginning: string): Promise<readonly string[]> {
  const folder = beginning.slice(0, beginning.lastIndexOf('/') + 1)
  const name = beginning.slice(folder.length)
  const entries = await readdir(folder === '' ? '.' : folder, { withFileTypes: true }).catch(() => [])
  return (
    entries
      // Hidden ones are offered to who asks for them.
      .filter(entry => entry.name.startsWith(name) && (name !== '' || !entry.name.startsWith('.')))
      .map(entry => `${folder}${entry.name}${entry.isDirectory() ? '/' : ''}`)
      .filter(path => SAFE_PATH.test(path))
      .toSorted()
      .slice(0, LIMITS.completionWordsMax)
  )
}
