/** The reference of the command in docs/command.md: what `help` says of each, in the order of the whole. */
import { run } from '../../src/command/command.ts'
import { captureStreams } from './captured-streams.ts'

export async function commandReference(): Promise<string> {
  const sections: string[] = []
  for (const path of await commandPaths()) {
    const text = await helpOf(path)
    sections.push(`### ${path.join(' ')}\n\n\`\`\`\n${text.trimEnd()}\n\`\`\``)
  }
  return sections.join('\n\n')
}

/** Each command that does something; one that only has others below it stands for them. */
async function commandPaths(above: readonly string[] = []): Promise<readonly (readonly string[])[]> {
  const names = namesIn(await helpOf(above))
  const paths = await Promise.all(names.map(name => commandPaths([...above, name])))
  return names.length === 0 ? [above] : paths.flat()
}

function namesIn(help: string): readonly string[] {
  const [, listed = ''] = help.split('\nCommands:\n')
  return [...listed.matchAll(/^ {2}([a-z][a-z-]*)/gm)]
    .map(([, name = '']) => name)
    .filter(name => name !== 'help')
}

async function helpOf(path: readonly string[]): Promise<string> {
  const streams = captureStreams()
  await run([...path, '--help'], '0.0.0', streams)
  return streams.text('stdout')
}
