/** A folder that lives as long as the test that asked for it. */
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

type File = { readonly text: string; readonly mode?: number }

export async function makeFolder(files: Readonly<Record<string, File>> = {}): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sockpool-test-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  for (const [name, { text, mode = 0o600 }] of Object.entries(files)) {
    await writeFile(join(folder, name), text)
    await chmod(join(folder, name), mode)
  }
  return folder
}
