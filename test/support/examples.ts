/** The programs of examples/: one folder a recipe, in it the same call in several languages. */
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findPython } from './python.ts'
import { ROOT, runCommand } from './service-process.ts'
import { makeProject } from './tutorial-run.ts'

const EXAMPLES = join(ROOT, 'examples')
/** What programs on Node take from npm. */
const PACKAGES = ['pg', 'ssh2']

const FILES = { Python: 'python.py', Go: 'main.go', shell: 'run.sh', Node: 'node.mjs' } as const

export type ExampleLanguage = keyof typeof FILES

type Skip = (note: string) => never

/** The languages that the recipe has a program in. */
export function languagesOf(job: string): readonly ExampleLanguage[] {
  const all: readonly ExampleLanguage[] = ['Python', 'Go', 'shell', 'Node']
  return all.filter(language => existsSync(join(EXAMPLES, job, FILES[language])))
}

/** The command that runs the program; null where the language is not installed. */
export async function exampleCommand(
  job: string,
  language: ExampleLanguage,
  go: GoPrograms | null,
  skip: Skip,
): Promise<readonly string[] | null> {
  const file = join(EXAMPLES, job, FILES[language])
  switch (language) {
    case 'Python':
      return [(await findPython(8, skip)).program, file]
    case 'shell':
      return ['sh', file]
    case 'Node':
      return [process.execPath, await besideLibrary(file)]
    case 'Go':
      return go === null ? null : [join(go.folder, job)]
    default:
      return language satisfies never
  }
}

/** The module in a folder where 'sockpool' is the source. */
async function besideLibrary(file: string): Promise<string> {
  const name = 'node.mjs'
  const folder = await makeProject({ [name]: await readFile(file, 'utf8') })
  for (const each of PACKAGES)
    await symlink(join(ROOT, 'node_modules', each), join(folder, 'node_modules', each))
  return join(folder, name)
}

export type GoPrograms = {
  /** Each program under the name of its job. */
  readonly folder: string
  remove(): Promise<void>
}

/**
 * All programs in Go, checked and built together; null, and said so, where Go is not installed. With
 * SOCKPOOL_TEST_SERVICES=required that fails.
 */
export async function buildGoPrograms(): Promise<GoPrograms | null> {
  const { code } = await runCommand(['sh', '-c', 'command -v go'])
  if (code !== 0) {
    const note = 'go is not installed; it comes with golang-go'
    const { SOCKPOOL_TEST_SERVICES } = process.env
    if (SOCKPOOL_TEST_SERVICES === 'required') throw new Error(note)
    console.warn(`SKIPPED: ${note}`)
    return null
  }
  const folder = await mkdtemp(join(tmpdir(), 'sockpool-go-'))
  const env = { GOFLAGS: '-mod=mod', CGO_ENABLED: '0' }
  const unformatted = await runCommand(['gofmt', '-l', EXAMPLES])
  const built = await runCommand(['go', 'build', '-o', folder, './...'], { cwd: EXAMPLES, env })
  const said = `${unformatted.stdout}${built.stdout}${built.stderr}`
  if (built.code !== 0 || said !== '')
    throw new Error(`the programs in Go are not as they should be: ${said}`)
  return { folder, remove: () => rm(folder, { recursive: true }) }
}
