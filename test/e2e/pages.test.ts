/**
 * The README and the pages of docs/: what stands there as code runs as it stands, and what is shown as its output is what
 * it prints. docs/asyncio.md has a test of its own, and so have programs in other languages (languages.test.ts).
 */
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { run } from '../../src/command/command.ts'
import { loadConfig } from '../../src/config/load.ts'
import { captureStreams } from '../support/captured-streams.ts'
import { makeCertificate } from '../support/certificates.ts'
import { ownBlocksOf } from '../support/foreign-programs.ts'
import { type Block, blocksOf, programsOf, sessionOf } from '../support/page-blocks.ts'
import { pagePaths, readPage } from '../support/pages.ts'
import { startServiceProcess } from '../support/service-process.ts'
import { ShellSession } from '../support/shell-session.ts'
import { makeFolder } from '../support/temporary-folder.ts'
import { startProgram, typeFaultsOf } from '../support/tutorial-run.ts'

const PAGES = pagePaths()
  .filter(path => path !== 'docs/asyncio.md')
  .map(path => ({ path, blocks: ownBlocksOf(blocksOf(readPage(path))) }))

const PROGRAMS = PAGES.flatMap(({ path, blocks }) =>
  programsOf(blocks).map(program => ({ path, ...program })),
)

function blocksIn(language: string): readonly (Block & { readonly path: string })[] {
  return PAGES.flatMap(({ path, blocks }) => blocks.map(block => ({ ...block, path }))).filter(
    block => block.language === language,
  )
}

/** Stands for every variable: as long as the longest secret has to be. */
const SECRET = 'a text of thirty-two characters.'

const SERVICE = 'http://127.0.0.1:7070'

/** Where a program calls the service at its usual place, that is one of the test's own, with the demo's targets. */
async function withService(
  files: Readonly<Record<string, string>>,
): Promise<Readonly<Record<string, string>>> {
  if (!Object.values(files).some(text => text.includes(SERVICE))) return files
  const service = await startServiceProcess({ args: ['--demo', '--no-auth'] })
  onTestFinished(() => service.stop())
  return Object.fromEntries(
    Object.entries(files).map(([name, text]) => [name, text.replaceAll(SERVICE, service.url)]),
  )
}

describe('the programs of the pages', () => {
  test.for(PROGRAMS)('$path:$line prints what is shown', async ({ files, prints }) => {
    const running = await startProgram(await withService(files))
    expect(await running.printed()).toBe(prints)
  })

  test('are sound TypeScript', async () => {
    const wrong = { 'program.ts': "import { openConnection } from 'sockpool'\nawait openConnection(1, 1)\n" }
    const faults = await typeFaultsOf([...PROGRAMS.map(({ files }) => files), wrong])
    expect(faults).toEqual([expect.stringContaining('No overload matches this call')])
  })
})

describe.for(PAGES.filter(({ blocks }) => blocks.some(({ language }) => language === 'console')))(
  'the shell sessions of $path',
  ({ blocks }) => {
    const session = new ShellSession()
    afterAll(() => session.stop())
    const typed = blocks.filter(({ language }) => language === 'console').flatMap(sessionOf)

    // One after the other: each goes on where the one before has ended.
    test.for(typed)('$command', async line => {
      const { printed, stated } = await session.play(line)
      expect(printed).toEqual(stated)
    })
  },
)

describe('the config files of the pages', () => {
  test.for(blocksIn('yaml'))('$path:$line is valid', async ({ text }) => {
    const names = [...text.matchAll(/[\w./-]+\.(?:pem|key)\b/g)].map(([name]) => name)
    const { cert, key } = await makeCertificate()
    const files = Object.fromEntries(names.map(name => [name, { text: name.endsWith('.key') ? key : cert }]))
    const folder = await makeFolder({ ...files, 'sockpool.yaml': { text } })
    const variables = [...text.matchAll(/env:(\w+)/g)].map(([, name = '']) => [name, SECRET] as const)
    const environment = Object.fromEntries(variables)
    expect(loadConfig({ file: join(folder, 'sockpool.yaml'), environment })).toBeTypeOf('object')
  })
})

describe('the commands of the pages', () => {
  const lines = blocksIn('sh').flatMap(({ path, text }) =>
    text
      .trimEnd()
      .split('\n')
      .map(line => ({ path, line })),
  )
  let scripts: readonly string[] = []
  beforeAll(() => {
    scripts = Object.keys(JSON.parse(readPage('package.json')).scripts)
  })

  test.for(lines)('$line exists', async ({ line }) => {
    const [program, first = '', second = ''] = line.split(' ')
    if (program === 'npm' && first === 'run') expect(scripts).toContain(second)
    else if (program === 'npm') expect(['ci', 'test', 'i sockpool']).toContain(line.slice('npm '.length))
    else if (line.startsWith('npx sockpool')) await expectFlags(second, line)
    else expect(['vitest', 'biome', 'esbuild']).toContain(first)
  })
})

/** Every flag of the line is one that the help of its command names. */
async function expectFlags(command: string, line: string): Promise<void> {
  const streams = captureStreams()
  expect(await run(['help', command], '0.0.0', streams)).toBe(0)
  for (const [flag] of line.matchAll(/--[\w-]+/g)) expect(streams.text('stdout')).toContain(flag)
}
