/** The package as it is published: made anew where a source is younger than what was made last. */
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runTool } from './tool.ts'

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))

/** The built command. */
export function builtCommand(): string {
  const command = join(ROOT, 'dist', 'cli.js')
  const sources = ['src', 'workers', 'package.json', 'tsup.config.ts'].map(name => join(ROOT, name))
  if (ageOf(command) < Math.max(...sources.map(ageOf)))
    runTool(process.execPath, [join(ROOT, 'node_modules', 'tsup', 'dist', 'cli-default.js')], ROOT)
  return command
}

/** When it was written last, of a folder the youngest file; 0 where there is none. */
function ageOf(path: string): number {
  const found = statSync(path, { throwIfNoEntry: false })
  if (found === undefined || !found.isDirectory()) return found?.mtimeMs ?? 0
  return Math.max(
    ...readdirSync(path, { recursive: true }).map(name => statSync(join(path, String(name))).mtimeMs),
  )
}
