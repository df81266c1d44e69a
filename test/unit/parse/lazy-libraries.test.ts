/** A format's library is loaded where the format is used, and nowhere else. */
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ROOT, runCommand } from '../../support/service-process.ts'

const FORMATS = join(ROOT, 'src', 'parse', 'formats')

/** What a process has loaded of the libraries, once it has judged all formats, and after each that it opens. */
const PROGRAM = `
  import { registerHooks } from 'node:module'
  const loaded = []
  registerHooks({
    resolve(specifier, context, next) {
      if (/^(csv-parse|saxes)/.test(specifier)) loaded.push(specifier)
      return next(specifier, context)
    },
  })
  const { findFormat } = await import('${join(FORMATS, 'registry.ts')}')
  const steps = [['csv', 'xml'].map(name => (findFormat(name).configure({}), [...loaded]))]
  for (const name of ['json', 'http1', 'csv', 'xml']) {
    await findFormat(name).configure({}).open()
    steps.push([...loaded])
  }
  console.log(JSON.stringify(steps))
`

test('a library is loaded by the format that needs it, when it is opened', async () => {
  const command = [process.execPath, '--input-type=module', '-e', PROGRAM]
  const { stdout, stderr } = await runCommand(command, { cwd: ROOT })
  expect(stderr).toBe('')
  expect(JSON.parse(stdout)).toEqual([[[], []], [], [], ['csv-parse/sync'], ['csv-parse/sync', 'saxes']])
})
