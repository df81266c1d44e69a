/** Configs as the files of deploy/ hold them, judged as the service judges its own. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Config } from '../../src/config/config.ts'
import { loadConfig } from '../../src/config/load.ts'

/** Stands for every secret: it is long enough for a password, and a hash. */
const SECRET = '0'.repeat(64)

/** Throws ConfigError where the service would not start. Each variable that the text names is set. */
export function configOf(text: string, environment: Readonly<Record<string, string>> = {}): Config {
  const folder = mkdtempSync(join(tmpdir(), 'sockpool-deployed-'))
  const file = join(folder, 'config.yaml')
  writeFileSync(file, text)
  const secrets = [...text.matchAll(/env:(\w+)/g)].map(([, name = '']) => [name, SECRET] as const)
  try {
    return loadConfig({ file, environment: { ...Object.fromEntries(secrets), ...environment } })
  } finally {
    rmSync(folder, { recursive: true })
  }
}
