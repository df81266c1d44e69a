/** What the image's Dockerfile says of the image itself, which is its last stage. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from './service-process.ts'

export type Image = {
  /** The last stage, its continued lines joined. */
  readonly text: string
  /** Command lines in their exec form. */
  readonly entrypoint: readonly string[]
  readonly cmd: readonly string[]
  readonly healthcheck: readonly string[]
  readonly env: Readonly<Record<string, string>>
  /** UID:GID. */
  readonly user: string
}

export function dockerfile(): string {
  return readFileSync(join(ROOT, 'deploy', 'docker', 'Dockerfile'), 'utf8')
}

/** Throws where an instruction is missing, or has not the form that needs no shell. */
export function readImage(): Image {
  const [stage = ''] = dockerfile()
    .split(/^(?=FROM )/m)
    .slice(-1)
  const text = stage.replaceAll(/\\\n\s*/g, ' ')
  const find = (pattern: RegExp): string => {
    const [, found] = pattern.exec(text) ?? []
    if (found === undefined) throw new Error(`the image says nothing of the form ${pattern}`)
    return found
  }
  const variables = find(/^ENV (.+)$/m).matchAll(/(\w+)=(\S+)/g)
  return {
    text,
    entrypoint: JSON.parse(find(/^ENTRYPOINT (\[.*\])$/m)),
    cmd: JSON.parse(find(/^CMD (\[.*\])$/m)),
    healthcheck: JSON.parse(find(/^HEALTHCHECK .*\bCMD (\[.*\])$/m)),
    env: Object.fromEntries([...variables].map(([, name = '', value = '']) => [name, value])),
    user: find(/^USER (\d+:\d+)$/m),
  }
}
