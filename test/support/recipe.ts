/**
 * A page of docs/recipes/ with what it speaks of: a service with the page's config in front of the servers that the test has
 * started, and the files, commands and programs of the page.
 *
 *   yaml        the config; the hosts in it are those that the test names
 *   js          a module beside the config, its name in the first line
 *   ssh-config  the configuration of ssh
 *   console     a shell session
 *   text        what each program of examples/ prints
 */
import { delimiter } from 'node:path'
import { onTestFinished } from 'vitest'
import { parse } from 'yaml'
import { type Block, blocksOf } from './page-blocks.ts'
import { readPage } from './pages.ts'
import { startServiceFixture } from './service-fixture.ts'
import { CLI } from './service-process.ts'
import type { Place } from './services.ts'
import { ShellSession } from './shell-session.ts'
import { makeFolder } from './temporary-folder.ts'
import { refusingPort } from './test-server.ts'

const LANGUAGES = ['yaml', 'js', 'ssh-config', 'console', 'text']

/** What a recipe needs around it. */
export type Surroundings = {
  /** Where the servers are, by HOST:PORT as the page's config names them. */
  readonly places: Readonly<Record<string, Place>>
  /** Files beside the config, by name. */
  readonly files?: Readonly<Record<string, string>>
  /** Variables that the config names. */
  readonly environment?: Readonly<Record<string, string>>
  /** Shell scripts that stand in for commands, by the command's name. */
  readonly commands?: (page: RecipePage) => Promise<Readonly<Record<string, string>>>
}

export type RecipePage = {
  readonly blocks: readonly Block[]
  /** The text of the one block in this language. */
  readonly only: (language: string) => string
}

export type Recipe = {
  readonly page: RecipePage
  readonly session: ShellSession
  /** For commands and programs: where the service is, its token, and where `sockpool` is found. */
  readonly environment: Readonly<Record<string, string>>
  /** Where the forwards listen, by the port that the page names. */
  readonly ports: ReadonlyMap<string, number>
}

/** Throws where the page has a block that nobody would play. */
export function readRecipe(path: string): RecipePage {
  const blocks = blocksOf(readPage(path))
  for (const { language, line } of blocks)
    if (!LANGUAGES.includes(language)) throw new Error(`${path}:${line}: nobody plays ${language}`)
  const only = (language: string): string => {
    const [block, ...more] = blocks.filter(each => each.language === language)
    if (block === undefined || more.length > 0) throw new Error(`${path} has not one block of ${language}`)
    return block.text
  }
  return { blocks, only }
}

/** Starts the service of the recipe; it ends with the test. */
export async function startRecipe(path: string, surroundings: Surroundings): Promise<Recipe> {
  const page = readRecipe(path)
  const ports = new Map<string, number>()
  const config = await ownConfig(parse(page.only('yaml')), surroundings.places, ports)
  const service = await startServiceFixture({
    config,
    files: { ...modulesOf(page.blocks), ...surroundings.files },
    environment: surroundings.environment ?? {},
    finally: onTestFinished,
  })
  const commands = {
    sockpool: `exec "${process.execPath}" "${CLI}" "$@"`,
    ...(await surroundings.commands?.(page)),
  }
  const scripts = Object.entries(commands).map(([name, text]) => [
    name,
    { text: `#!/bin/sh\n${text}\n`, mode: 0o700 },
  ])
  const { PATH = '' } = process.env
  const environment = {
    SOCKPOOL_URL: service.url,
    SOCKPOOL_TOKEN: service.token ?? '',
    PATH: `${await makeFolder(Object.fromEntries(scripts))}${delimiter}${PATH}`,
  }
  return { page, session: new ShellSession({ environment, ports }), environment, ports }
}

type PageConfig = {
  readonly targets: Readonly<Record<string, { readonly host: string; readonly port: number }>>
  readonly forwards?: readonly { readonly listen: string }[]
}

/** The config with the places of the test, and its forwards on free ports, which `ports` then knows. */
async function ownConfig(
  { targets, forwards = [], ...rest }: PageConfig,
  places: Surroundings['places'],
  ports: Map<string, number>,
): Promise<Readonly<Record<string, unknown>>> {
  const moved = Object.entries(targets).map(([name, target]) => {
    const place = places[`${target.host}:${target.port}`]
    if (place === undefined) throw new Error(`nobody is at ${target.host}:${target.port}`)
    return [name, { ...target, host: place.host, port: place.port }]
  })
  const listening: object[] = []
  for (const forward of forwards) {
    const [, port = ''] = forward.listen.split(':')
    ports.set(port, await refusingPort())
    listening.push({ ...forward, listen: `127.0.0.1:${ports.get(port)}` })
  }
  return { ...rest, limits: { drainTimeout: 0 }, targets: Object.fromEntries(moved), forwards: listening }
}

/** The modules that stand in the page, by the name in their first line. */
function modulesOf(blocks: readonly Block[]): Readonly<Record<string, string>> {
  const modules = blocks.filter(({ language }) => language === 'js')
  return Object.fromEntries(
    modules.map(({ text, line }) => {
      const [, name] = /^\/\/ ([\w-]+\.mjs)\n/.exec(text) ?? []
      if (name === undefined) throw new Error(`line ${line}: a module begins with its name`)
      return [name, text]
    }),
  )
}
