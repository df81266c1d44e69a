/**
 * What a shell offers behind a word that is being typed: commands, flags and their values by @bomb.sh/tab, and what only a
 * running service, a config file or the folders know by this file. A completion never fails aloud: where something cannot
 * be known, nothing is offered.
 */
import tab from '@bomb.sh/tab/commander'
import type { Command, Option } from 'commander'
import { bashScript } from './bash-script.ts'
import { type LiveKind, liveWords } from './live-words.ts'
import { offeredFiles } from './offered-files.ts'
import { print, type Streams } from './streams.ts'

/** What a command's first argument names. */
const ARGUMENTS: ReadonlyMap<string, LiveKind | 'files'> = new Map([
  ...(['pause', 'resume', 'drain', 'reconnect', 'disable', 'enable', 'wait-close', 'resize'] as const).map(
    verb => [verb, 'targets'] as const,
  ),
  ...(['exchange', 'connect', 'targets', 'leases', 'connections'] as const).map(
    name => [name, 'targets'] as const,
  ),
  ['connection', 'connections'],
  ['kill', 'connections'],
  ['workers', 'workers'],
  ['drain-worker', 'workers'],
  ['validate', 'files'],
  ['print', 'files'],
])

/** What a flag's value names. */
const FLAGS: ReadonlyMap<string, LiveKind | 'files'> = new Map([
  ['--target', 'targets'],
  ...(['--config', '--token-file', '--ca', '--cert', '--key'] as const).map(flag => [flag, 'files'] as const),
])

/** How the shell goes on behind what is offered. Their values are those of the shells' scripts. */
const NO_FILES = 4
const NO_SPACE = 2

/** Adds `completion <shell>`, and the hidden `complete` that the shells' scripts call. */
export function addCompletion(program: Command, streams: Streams): void {
  const words = tab(program, { completionCommandName: 'completion' })
  const find = (name: string): Command | undefined =>
    program.commands.find(command => command.name() === name)
  find('completion')
    ?.description("print a shell's completion script, to be sourced")
    .action(async (shell: string) => {
      const script = printed(() => words.setup(program.name(), program.name(), shell))
      await print(streams.stdout, shell === 'bash' ? bashScript(script) : script)
    })
  find('complete')?.action(async (typed: readonly string[]) => {
    const place = placeOf(program, typed)
    const offered = await offeredAt(place)
    // It prints to the process's own stdout, whatever the streams are.
    if (offered === null) words.parse(separated(typed))
    else await print(streams.stdout, `${[...offered.lines, `:${offered.directive}`].join('\n')}\n`)
  })
}

/** What the library prints by the console: it gives a script in no other way. */
function printed(run: () => void): string {
  const { log } = console
  const lines: string[] = []
  console.log = (line: string) => void lines.push(line)
  try {
    run()
  } finally {
    console.log = log
  }
  return lines.map(line => `${line}\n`).join('')
}

type Place = {
  readonly kind: LiveKind | 'files' | 'other'
  /** The word that is being typed. */
  readonly word: string
  readonly command: string
  /** The flags before it that have a value, by their long name without dashes. */
  readonly flags: Readonly<Record<string, string>>
}

type Offered = { readonly lines: readonly string[]; readonly directive: number }

/** Null where it is for the library to say. */
async function offeredAt({ kind, word, command, flags }: Place): Promise<Offered | null> {
  switch (kind) {
    case 'other':
      return null
    case 'files': {
      const files = await offeredFiles(word)
      const isFolder = files.length === 1 && files[0]?.endsWith('/') === true
      return { lines: files, directive: isFolder ? NO_FILES + NO_SPACE : NO_FILES }
    }
    case 'targets':
    case 'connections':
    case 'workers': {
      const live = await liveWords(kind, command, flags)
      const fitting = live.filter(({ word: own }) => own.startsWith(word))
      return { lines: fitting.map(({ word: own, about }) => `${own}\t${about}`), directive: NO_FILES }
    }
    default:
      return kind satisfies never
  }
}

/** Where the last word stands: behind which commands, flags and arguments. */
function placeOf(program: Command, typed: readonly string[]): Place {
  const word = typed.at(-1) ?? ''
  const flags: Record<string, string> = {}
  let command = program
  let awaiting: Option | null = null
  let argumentsBefore = 0
  for (const part of typed.slice(0, -1)) {
    if (awaiting !== null) {
      flags[awaiting.name()] = part
      awaiting = null
    } else if (part.startsWith('-')) {
      const [name = '', ...value] = part.split('=')
      const option = command.options.find(({ long, short }) => long === name || short === name)
      if (option === undefined || option.isBoolean()) continue
      if (value.length > 0) flags[option.name()] = value.join('=')
      else awaiting = option
    } else {
      const inner: Command | undefined = command.commands.find(one => one.name() === part)
      if (inner === undefined) argumentsBefore++
      else command = inner
    }
  }
  const own = { word, command: command.name(), flags }
  if (awaiting !== null) return { ...own, kind: FLAGS.get(awaiting.long ?? '') ?? 'other' }
  if (word.startsWith('-') || argumentsBefore > 0) return { ...own, kind: 'other' }
  return { ...own, kind: ARGUMENTS.get(command.name()) ?? 'other' }
}

/** With `--flag=value` as two words, but for the last: the library takes the word behind it for the value. */
function separated(typed: readonly string[]): string[] {
  return typed.flatMap((word, index) => {
    const [, flag, value] = (index < typed.length - 1 && /^(--[\w-]+)=(.*)$/s.exec(word)) || []
    return flag === undefined || value === undefined ? [word] : [flag, value]
  })
}
