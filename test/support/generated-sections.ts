/**
 * The sections of the pages that are made from the sources, each between two comments of its name. A test holds the
 * pages to them; run as a script this file writes them (`npm run docs`).
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { commandReference } from './command-reference.ts'
import { configReference } from './config-reference.ts'
import { errorTable } from './error-table.ts'
import { metricsTable } from './metrics-table.ts'
import { readPage, withSection } from './pages.ts'
import { routeReference } from './route-reference.ts'
import { valuesSchema } from './values-schema.ts'

export type GeneratedSection = {
  readonly page: string
  readonly name: string
  readonly make: () => string | Promise<string>
}

export const GENERATED: readonly GeneratedSection[] = [
  { page: 'docs/command.md', name: 'commands', make: commandReference },
  { page: 'docs/config.md', name: 'config', make: configReference },
  { page: 'docs/errors.md', name: 'errors', make: errorTable },
  { page: 'docs/metrics.md', name: 'metrics', make: metricsTable },
  { page: 'docs/rest.md', name: 'routes', make: routeReference },
]

/** Files that are made whole. */
export const GENERATED_FILES: readonly { readonly file: string; readonly make: () => string }[] = [
  { file: 'deploy/helm/sockpool/values.schema.json', make: valuesSchema },
]

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const top = join(import.meta.dirname, '..', '..')
  for (const { page, name, make } of GENERATED)
    writeFileSync(join(top, page), withSection(readPage(page), name, await make()))
  for (const { file, make } of GENERATED_FILES) writeFileSync(join(top, file), make())
}
