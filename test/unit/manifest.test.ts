/** package.json agrees with the sources: what they import is declared, and nothing else is installed by a user. */
import { readdirSync, readFileSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { join, sep } from 'node:path'
import ts from 'typescript'
import { describe, expect, test } from 'vitest'

const ROOT = join(import.meta.dirname, '..', '..')

type Names = Readonly<Record<string, string>>
type Manifest = {
  readonly license: string
  readonly keywords: readonly string[]
  readonly dependencies: Names
  readonly devDependencies: Names
  readonly peerDependencies: Names
  readonly peerDependenciesMeta: Readonly<Record<string, { readonly optional: boolean }>>
  readonly exports: Readonly<Record<string, unknown>>
}

const manifest: Manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))

/** What the page of the dashboard imports is built into it. */
const BUILT_IN = 'dashboard'

/** The packages that the files of a folder import, by static and dynamic imports of a name. */
function packagesOf(folder: string): readonly string[] {
  const files = readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).filter(
    name => name.split(sep)[0] !== BUILT_IN,
  )
  const specifiers = files
    .filter(name => /\.tsx?$/.test(name))
    .flatMap(name => ts.preProcessFile(readFileSync(join(ROOT, folder, name), 'utf8')).importedFiles)
    .map(({ fileName }) => fileName)
  return specifiers.filter(isPackage).map(name => name.split('/', name.startsWith('@') ? 2 : 1).join('/'))
}

function isPackage(specifier: string): boolean {
  return !/^(\.|\/|file:|data:|node:)/.test(specifier) && !builtinModules.includes(specifier)
}

describe('package.json', () => {
  const used = new Set(['src', 'workers'].flatMap(packagesOf))

  test('declares every package that the sources import, and no other', () => {
    expect(used.size).toBeGreaterThan(5)
    expect([...used].toSorted()).toEqual(Object.keys(manifest.dependencies).toSorted())
  })

  test('offers what only tracing and a fleet need, and brings none of it', () => {
    const { peerDependencies: offered, peerDependenciesMeta: meta } = manifest
    expect(Object.keys(offered)).toEqual([
      '@opentelemetry/exporter-trace-otlp-http',
      '@opentelemetry/sdk-node',
      'ioredis',
      'iovalkey',
    ])
    for (const name of Object.keys(offered)) {
      expect.soft(meta[name], name).toEqual({ optional: true })
      expect.soft(Object.keys(manifest.devDependencies)).toContain(name)
    }
  })

  test('takes ranges of dependencies: a user shares one copy of each, and the lock file pins those of the checkout', () => {
    for (const [name, range] of Object.entries(manifest.dependencies))
      expect.soft(range, name).toMatch(/^\^\d+\.\d+\.\d+$/)
  })

  test('has what is built into the dashboard among what a user does not install', () => {
    const built = new Set(packagesOf(join('src', BUILT_IN)))
    expect([...built].toSorted()).toEqual(['@preact/signals', 'preact', 'uplot'])
    for (const name of built) expect(Object.hasOwn(manifest.devDependencies, name), name).toBe(true)
  })

  test('declares every package that the tests import', () => {
    const declared = { ...manifest.dependencies, ...manifest.devDependencies }
    // What a test itself installs, or writes into a program of its own.
    const missing = packagesOf('test').filter(name => !Object.hasOwn(declared, name) && name !== 'sockpool')
    expect([...new Set(missing)]).toEqual([])
  })

  test('is found by what it is, and has the licence that it names', () => {
    expect(manifest.keywords).toEqual(expect.arrayContaining(['connection-pool', 'tcp', 'tls']))
    expect(readFileSync(join(ROOT, 'LICENSE'), 'utf8')).toMatch(new RegExp(`^${manifest.license} License`))
  })

  test('exports the entries that a bundle needs', () => {
    expect(Object.keys(manifest.exports)).toEqual([
      '.',
      './client',
      './io-worker',
      './parse-worker',
      './package.json',
    ])
  })
})
