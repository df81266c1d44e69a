/**
 * `npm run sbom`: what the package is made of, as CycloneDX, on stdout. npm makes the list of package-lock.json, as it would
 * stand without the tools: with them, and left to leave them out, npm leaves out dependencies too that tools also use.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '..', '..')

type LockedPackage = { readonly dev?: boolean; readonly devDependencies?: object }
type Lock = { readonly packages: Readonly<Record<string, LockedPackage>> }

const parent = mkdtempSync(join(tmpdir(), 'sockpool-sbom-'))
try {
  // The list has the folder's name for the package's.
  const folder = join(parent, 'sockpool')
  mkdirSync(folder)
  const { devDependencies: _tools, ...manifest } = readJson('package.json')
  const lock = readJson('package-lock.json') as unknown as Lock
  const packages = Object.entries(lock.packages).flatMap(([path, { devDependencies: _own, ...locked }]) =>
    locked.dev === true ? [] : [[path, locked] as const],
  )
  writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest))
  writeFileSync(
    join(folder, 'package-lock.json'),
    JSON.stringify({ ...lock, packages: Object.fromEntries(packages) }),
  )
  const flags = ['--package-lock-only', '--sbom-format', 'cyclonedx', '--sbom-type', 'application']
  execFileSync('npm', ['sbom', ...flags], { cwd: folder, stdio: ['ignore', 'inherit', 'inherit'] })
} finally {
  rmSync(parent, { recursive: true })
}

function readJson(name: string): Readonly<Record<string, unknown>> {
  return JSON.parse(readFileSync(join(ROOT, name), 'utf8'))
}
