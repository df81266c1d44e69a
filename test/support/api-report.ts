/**
 * The public types of the package, as reports that stand in docs/api: a change of them shows as a change of those. Made of
 * dist/, which has to be built. Run as a script this file writes them (`npm run api`).
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Extractor, ExtractorConfig, ExtractorLogLevel } from '@microsoft/api-extractor'

const ROOT = join(import.meta.dirname, '..', '..')

/** By the entries' declarations in dist/. */
export const API_REPORTS = {
  'index.d.ts': 'docs/api/sockpool.api.md',
  'client.d.ts': 'docs/api/client.api.md',
} as const

export type ApiEntry = keyof typeof API_REPORTS

/** The report of one entry. Throws where its declarations cannot be read. */
export function apiReport(entry: ApiEntry): string {
  const folder = mkdtempSync(join(tmpdir(), 'sockpool-api-'))
  try {
    const said: string[] = []
    const { succeeded } = Extractor.invoke(configFor(entry, folder), {
      localBuild: true,
      messageCallback: message => {
        if (message.logLevel === ExtractorLogLevel.Error) said.push(message.text)
        message.handled = true
      },
    })
    if (!succeeded) throw new Error(`there is no report of ${entry}: ${said.join('\n')}`)
    return readFileSync(join(folder, 'report.api.md'), 'utf8')
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function configFor(entry: ApiEntry, folder: string): ExtractorConfig {
  return ExtractorConfig.prepare({
    configObjectFullPath: undefined,
    packageJsonFullPath: join(ROOT, 'package.json'),
    configObject: {
      projectFolder: ROOT,
      mainEntryPointFilePath: join(ROOT, 'dist', entry),
      newlineKind: 'lf',
      compiler: {
        overrideTsconfig: {
          compilerOptions: {
            module: 'nodenext',
            target: 'es2022',
            lib: ['es2023', 'esnext.disposable'],
            types: ['node'],
            strict: true,
            skipLibCheck: true,
          },
          files: [join(ROOT, 'dist', entry)],
        },
      },
      apiReport: {
        enabled: true,
        reportFileName: 'report',
        reportFolder: folder,
        reportTempFolder: join(folder, 'temp'),
      },
      // What a name stands for is said where it stands; release tags are not used here.
      messages: {
        compilerMessageReporting: { default: { logLevel: ExtractorLogLevel.Error } },
        extractorMessageReporting: { default: { logLevel: ExtractorLogLevel.None } },
        tsdocMessageReporting: { default: { logLevel: ExtractorLogLevel.None } },
      },
    },
  })
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  for (const [entry, file] of Object.entries(API_REPORTS))
    writeFileSync(join(ROOT, file), apiReport(entry as ApiEntry))
