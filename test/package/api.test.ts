/** What users of the package have to rely on: its types, the size of the client, and the list of what it is made of. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { describe, expect, inject, test } from 'vitest'
import { API_REPORTS, type ApiEntry, apiReport } from '../support/api-report.ts'
import { ROOT, runCommand } from '../support/service-process.ts'

/** Bytes of the client in a page, minified and zipped: for a page it is one of many parts. */
const CLIENT_BYTES_MAX = 25 * 1_024

const { version } = inject('packed')

describe('the public types', () => {
  test.for(Object.entries(API_REPORTS))(
    'of %s are those of the report: npm run api',
    { timeout: 120_000 },
    ([entry, file]) => {
      const report = apiReport(entry as ApiEntry)
      expect(report).toBe(readFileSync(join(ROOT, file), 'utf8'))
    },
  )

  test('are in the reports', () => {
    const report = readFileSync(join(ROOT, API_REPORTS['index.d.ts']), 'utf8')
    for (const name of ['createPool', 'openConnection', 'startServer', 'SockpoolError', 'StreamReader'])
      expect(report).toMatch(new RegExp(`^export (declare )?(function|class) ${name}\\b`, 'm'))
  })
})

describe('sockpool/client', () => {
  test(`is at most ${CLIENT_BYTES_MAX} bytes in a page`, async () => {
    const { outputFiles } = await build({
      entryPoints: [join(ROOT, 'dist', 'client.js')],
      bundle: true,
      minify: true,
      platform: 'browser',
      format: 'esm',
      write: false,
      logLevel: 'silent',
    })
    const zipped = outputFiles.reduce((sum, { contents }) => sum + gzipSync(contents, { level: 9 }).length, 0)
    console.log(`sockpool/client: ${zipped} bytes, minified and zipped`)
    expect(zipped).toBeGreaterThan(1_024)
    expect(zipped).toBeLessThanOrEqual(CLIENT_BYTES_MAX)
  })
})

describe('the list of what the package is made of', () => {
  test('is CycloneDX, and names its dependencies and no tool', async () => {
    const { code, stdout } = await runCommand(['npm', 'run', '--silent', 'sbom'])
    expect(code).toBe(0)
    const list = JSON.parse(stdout)
    const { purl } = list.metadata.component
    expect([list.bomFormat, purl]).toEqual(['CycloneDX', `pkg:npm/sockpool@${version}`])
    const purls: readonly string[] = list.components.map((component: { purl: string }) => component.purl)
    const names = purls.map(own => decodeURIComponent(own).replace(/^pkg:npm\/|@[^@]*$/g, ''))
    const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
    expect(names).toEqual(expect.arrayContaining(Object.keys(manifest.dependencies)))
    expect(names.filter(name => /^(vitest|typescript|tsup|vite|esbuild)$/.test(name))).toEqual([])
  })
})
