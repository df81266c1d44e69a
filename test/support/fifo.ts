/** A named pipe in a folder of the test's own. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { makeFolder } from './temporary-folder.ts'

export async function makeFifo(): Promise<{ readonly path: string }> {
  const path = join(await makeFolder(), 'pipe')
  await promisify(execFile)('mkfifo', [path])
  return { path }
}
