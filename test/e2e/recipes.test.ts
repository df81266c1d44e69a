/**
 * The recipes: each page is played against a real server of its protocol, block by block, and then each program of examples/
 * does the same and prints what the page says.
 */
import { readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, type TestContext, test } from 'vitest'
import { ERROR_CODES } from '../../src/base/errors.ts'
import { buildGoPrograms, exampleCommand, type GoPrograms, languagesOf } from '../support/examples.ts'
import { sessionOf } from '../support/page-blocks.ts'
import { readPage, recipePaths } from '../support/pages.ts'
import { type Recipe, readRecipe, startRecipe } from '../support/recipe.ts'
import { RECIPE_SERVERS } from '../support/recipe-servers.ts'
import { ROOT, runCommand } from '../support/service-process.ts'

const RECIPES = recipePaths().map(path => ({ path, job: basename(path, '.md') }))

let go: GoPrograms | null = null
beforeAll(async () => {
  go = await buildGoPrograms()
})
afterAll(() => go?.remove())

type Context = Pick<TestContext, 'skip' | 'signal'>

/** Plays the shell sessions, until the test's time is up. */
async function play({ page, session }: Recipe, { signal }: Context): Promise<void> {
  const sessions = page.blocks.filter(({ language }) => language === 'console')
  for (const typed of sessions.flatMap(sessionOf)) {
    const { printed, stated } = await session.play(typed)
    signal.throwIfAborted()
    expect.soft(printed, typed.command).toEqual(stated)
  }
}

/** Runs the recipe's program in each language. */
async function runPrograms(
  job: string,
  { page }: Recipe,
  env: Readonly<Record<string, string>>,
  { skip, signal }: Context,
): Promise<void> {
  for (const language of languagesOf(job)) {
    const command = await exampleCommand(job, language, go, skip)
    if (command === null) continue
    const ran = await runCommand(command, { env })
    signal.throwIfAborted()
    const told = { ...ran, stdout: ran.stdout.replaceAll('\r', '') }
    expect.soft(told, `${job} in ${language}`).toEqual({ code: 0, stdout: page.only('text'), stderr: '' })
  }
}

describe('the recipes', () => {
  test.for(RECIPES)('$path prints what it shows, and so do its programs', async ({ path, job }, context) => {
    const { [job]: start } = RECIPE_SERVERS
    if (start === undefined) throw new Error(`nobody starts the servers of ${path}`)
    const servers = await start(context.skip)
    const recipe = await startRecipe(path, servers)
    await play(recipe, context)
    await runPrograms(job, recipe, { ...recipe.environment, ...servers.variables?.(recipe) }, context)
    servers.afterwards?.()
  })

  test('have one place each where their servers are started', () => {
    expect(RECIPES.map(({ job }) => job)).toEqual(Object.keys(RECIPE_SERVERS).toSorted())
  })

  test.for(RECIPES)('$path has every part, and its programs are linked', ({ path, job }) => {
    const page = readPage(path)
    const parts = [...page.matchAll(/^## (.*)$/gm)].map(([, name]) => name)
    expect(parts).toEqual(['The calls', 'When it fails', 'Sizing', 'From a program'])
    expect(page).toContain('\n**Do not** ')
    expect(readRecipe(path).blocks[0]?.language).toBe('yaml')
    expect(languagesOf(job).length).toBeGreaterThan(1)
    for (const file of readdirSync(join(ROOT, 'examples', job)))
      expect(page).toContain(`(../../examples/${job}/${file})`)
  })

  test.for(RECIPES)('$path names codes that there are', ({ path }) => {
    const [, failures = ''] = readPage(path).split('\n## When it fails\n')
    const [section = ''] = failures.split('\n## ')
    const named = [...section.matchAll(/`([a-z0-9]+(?:_[a-z0-9]+)+)`/g)].map(([, code = '']) => code)
    const known = new Set(Object.keys(ERROR_CODES).map(code => code.toLowerCase()))
    expect(named.filter(code => !known.has(code))).toEqual([])
  })

  test('are all in their index, and every program belongs to one', () => {
    const index = readPage('docs/recipes/README.md')
    for (const { job } of RECIPES) expect(index).toContain(`](${job}.md)`)
    const jobs = readdirSync(join(ROOT, 'examples'), { withFileTypes: true })
    expect(jobs.filter(each => each.isDirectory()).map(({ name }) => name)).toEqual(
      RECIPES.map(({ job }) => job),
    )
  })
})
