/** A service that the test has started by a way of its own: through another program, as another user. */
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { expect, onTestFinished } from 'vitest'
import { Api } from './api.ts'

export type SpawnedService = { readonly url: string; readonly api: Api }

/** Resolves once it accepts. With its test it ends of SIGTERM, and must end with 0. It has no token in its config. */
export async function attendService(child: ChildProcess): Promise<SpawnedService> {
  const { stdout, stderr } = child
  if (stdout === null || stderr === null) throw new Error('it has no outputs')
  const log = text(stderr)
  const exited = once(child, 'exit')
  onTestFinished(async () => {
    child.kill('SIGTERM')
    const [code] = await exited
    expect({ code, log: code === 0 ? '' : await log }).toEqual({ code: 0, log: '' })
  })
  const lines: string[] = []
  for await (const line of createInterface({ input: stdout })) if (lines.push(line) === 2) break
  const [, url = ''] = /^listening on (\S+)$/.exec(lines[0] ?? '') ?? []
  const [, token = null] = /^token: (\S+)$/.exec(lines[1] ?? '') ?? []
  if (url === '') throw new Error(`it did not start: ${lines.join('\n')}${await log}`)
  return { url, api: new Api(url, token) }
}
