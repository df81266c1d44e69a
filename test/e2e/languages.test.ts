/** The programs of the pages in other languages print what is shown, against a service that runs. */
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { afterFile } from '../support/after-file.ts'
import { type ForeignLanguage, foreignProgramsOf } from '../support/foreign-programs.ts'
import { blocksOf } from '../support/page-blocks.ts'
import { pagePaths, readPage } from '../support/pages.ts'
import { findPython } from '../support/python.ts'
import { type ServiceFixture, startServiceFixture } from '../support/service-fixture.ts'
import { runCommand } from '../support/service-process.ts'
import { makeFolder } from '../support/temporary-folder.ts'

const PROGRAMS = pagePaths()
  .filter(path => path !== 'docs/asyncio.md')
  .flatMap(path => foreignProgramsOf(blocksOf(readPage(path))).map(program => ({ path, ...program })))

let service: ServiceFixture
beforeAll(async () => {
  service = await startServiceFixture({ demo: true, finally: afterFile })
})

type Skip = (note: string) => never

/** The command that runs a file of the language. */
async function runnerOf(language: ForeignLanguage, skip: Skip): Promise<readonly string[]> {
  switch (language) {
    case 'python':
      return [(await findPython(8, skip)).program]
    case 'shell':
      return ['sh']
    case 'go': {
      // A toolchain that nothing else here needs: where it is not installed its program is not run, and that is said.
      const { code } = await runCommand(['sh', '-c', 'command -v go'])
      const note = 'go is not installed: its program was not run'
      if (code === 0) return ['go', 'run']
      console.warn(`SKIPPED: ${note}`)
      return skip(note)
    }
    default:
      return language satisfies never
  }
}

const FILES: Readonly<Record<ForeignLanguage, string>> = {
  python: 'program.py',
  shell: 'program.sh',
  go: 'program.go',
}

describe('the programs of the pages in other languages', () => {
  test('are there for each language', () => {
    expect(new Set(PROGRAMS.map(({ language }) => language))).toEqual(new Set(['go', 'python', 'shell']))
  })

  test.for(PROGRAMS)(
    '$path:$line ($language) prints what is shown',
    async ({ language, text, prints }, { skip }) => {
      const runner = await runnerOf(language, skip)
      const folder = await makeFolder({ [FILES[language]]: { text } })
      const env = { SOCKPOOL_URL: service.url, SOCKPOOL_TOKEN: service.token ?? '', GOFLAGS: '-mod=mod' }
      const ran = await runCommand([...runner, join(folder, FILES[language])], { cwd: folder, env })
      expect(ran).toEqual({ code: 0, stdout: prints, stderr: '' })
    },
  )
})
