/**
 * The package as npm packs it, once for all tests of a run that look at it. Its build is left out where dist/ is newer
 * than everything that it is made of, as it is behind `npm run build`.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { ROOT, runCommand } from './service-process.ts'

export type PackedPackage = {
  /** The tarball's path. */
  readonly tarball: string
  /** What it holds, from npm's own list. */
  readonly files: readonly string[]
  readonly version: string
  readonly engines: string
}

declare module 'vitest' {
  // Vitest has its users add to this interface.
  interface ProvidedContext {
    packed: PackedPackage
  }
}

/** Milliseconds that npm has. */
const PACK_TIMEOUT_MS = 180_000
/** What no export names: the build of the dashboard is one of its own. */
const DASHBOARD = 'dist/dashboard/index.html'
/** What the build does not read. */
const APART = new Set(['node_modules', 'dist', 'coverage', 'test', 'docs', 'deploy', 'examples'])

export async function setup({ provide }: Pick<TestProject, 'provide'>): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), 'sockpool-packed-'))
  provide('packed', await pack(folder))
  return () => rm(folder, { recursive: true })
}

/** Packs the checkout into the folder. */
export async function pack(folder: string): Promise<PackedPackage> {
  const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
  const flags = [
    '--json',
    '--silent',
    '--pack-destination',
    folder,
    ...(isBuilt(manifest) ? ['--ignore-scripts'] : []),
  ]
  const { code, stdout, stderr } = await runCommand(['npm', 'pack', ...flags], { timeoutMs: PACK_TIMEOUT_MS })
  if (code !== 0) throw new Error(`npm pack ended with ${code}: ${stderr}`)
  // A build says what it does before npm says what it packed.
  const list = JSON.parse(stdout.slice(stdout.search(/^[[{]/m)))
  const [described] = Array.isArray(list) ? list : Object.values(list)
  return {
    tarball: join(folder, described.filename),
    files: described.files.map(({ path }: { path: string }) => path),
    version: manifest.version,
    engines: manifest.engines.node,
  }
}

/** Whether all that the package promises is there, and newer than what it is made of. */
function isBuilt({ bin, exports }: { readonly bin: object; readonly exports: object }): boolean {
  const promised = JSON.stringify([bin, exports]).match(/\.\/dist\/[\w.-]+/g) ?? []
  const built = [...promised, DASHBOARD].map(name => changedAt(join(ROOT, name)))
  return promised.length > 0 && Math.min(...built) > newestIn(ROOT)
}

/** Milliseconds since the epoch; 0 where there is no such file. */
function changedAt(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0
}

function newestIn(top: string): number {
  const entries = readdirSync(top, { withFileTypes: true })
  const read = entries.filter(
    ({ name }) => !name.startsWith('.') && !APART.has(name) && !name.endsWith('.md'),
  )
  const times = read.map(entry => {
    const path = join(top, entry.name)
    return entry.isDirectory() ? newestIn(path) : changedAt(path)
  })
  return Math.max(0, ...times)
}
